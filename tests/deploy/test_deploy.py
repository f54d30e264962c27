"""The files that people deploy with: valid by the schemas of Kubernetes, and true to the gate."""

import re
import shutil
import subprocess
import textwrap
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import __version__
from app.main import create_app
from app.policies.load import load
from app.policies.source import Snapshot
from app.settings import PREFIX, Settings, read_settings

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
MANIFESTS = {
    file.name: yaml.safe_load(file.read_text())
    for file in sorted(KUBERNETES.glob("*.yaml"))
    if file.name not in ("kustomization.yaml", "policies.yaml")
}
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
DEPLOYMENT = MANIFESTS["deployment.yaml"]
POD = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
LABELS = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_every_manifest_is_valid_by_the_schemas_of_kubernetes(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kubernetes_validate

        kubernetes_validate.validate(MANIFESTS[name], "1.31", strict=True)


def test_the_schemas_find_what_is_wrong() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kubernetes_validate
    wrong = {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.31", strict=True)


def test_everything_is_listed_in_the_kustomization() -> None:
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    assert set(listed["resources"]) == set(MANIFESTS)
    assert listed["configMapGenerator"][0]["name"] == POD["volumes"][0]["configMap"]["name"]
    assert listed["configMapGenerator"][0]["files"] == ["policies.yaml"]


def test_the_image_is_named_in_one_place_with_its_version() -> None:
    (image,) = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["images"]
    assert (CONTAINER["image"], image["newTag"]) == (image["name"], __version__)
    assert COMPOSE["services"]["gate"]["image"] == "${FREEZEGATE_IMAGE:-freezegate:latest}"


def kustomized(folder: Path) -> dict[str, dict[str, Any]]:
    """What `kubectl apply --kustomize` would apply, by kind."""
    if shutil.which("kubectl") is None:
        pytest.skip("NOT TRIED: the kustomization, for kubectl is not installed")
    command = ["kubectl", "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}


def test_kustomize_puts_them_together() -> None:
    made = kustomized(KUBERNETES)
    assert {*made} == {each["kind"] for each in MANIFESTS.values()} | {"ConfigMap"}
    assert made["ConfigMap"]["data"]["policies.yaml"] == (ROOT / "policies.yaml").read_text()
    (container,) = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container == {**CONTAINER, "image": f"freezegate:{__version__}"}


def test_kustomize_takes_an_image_by_digest_as_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "deploy" / "kubernetes.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?) *```", page, re.DOTALL)
    given = yaml.safe_load(textwrap.dedent(block))
    for file in KUBERNETES.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text())
    whole = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({**whole, **given}))
    (container,) = kustomized(tmp_path)["Deployment"]["spec"]["template"]["spec"]["containers"]
    (image,) = given["images"]
    assert container["image"] == f"{image['newName']}@{image['digest']}"


def test_selectors_and_ports_meet() -> None:
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == LABELS
    assert MANIFESTS["service.yaml"]["spec"]["selector"] == LABELS
    assert MANIFESTS["disruption.yaml"]["spec"]["selector"]["matchLabels"] == LABELS
    assert MANIFESTS["network.yaml"]["spec"]["podSelector"]["matchLabels"] == LABELS
    (port,) = CONTAINER["ports"]
    assert port["containerPort"] == Settings.model_fields["port"].default
    assert MANIFESTS["service.yaml"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert MANIFESTS["network.yaml"]["spec"]["ingress"][0]["ports"][0]["port"] == port["name"]


def test_probes_ask_routes_that_exist() -> None:
    routes = set(create_app().openapi()["paths"])
    asked = {CONTAINER[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness")}
    assert asked == {"/healthz", "/readyz"}
    assert asked <= routes
    assert CONTAINER["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert CONTAINER["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_two_replicas_without_rights_and_with_a_root_that_is_read_only() -> None:
    assert DEPLOYMENT["spec"]["replicas"] == 2
    assert MANIFESTS["disruption.yaml"]["spec"]["minAvailable"] == 1
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True
    assert CONTAINER["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert POD["automountServiceAccountToken"] is False


def test_secrets_are_files_that_the_secret_holds() -> None:
    secret = MANIFESTS["secret.yaml"]["stringData"]
    (folder,) = [each["mountPath"] for each in CONTAINER["volumeMounts"] if each["name"] == "secrets"]
    given = {each["name"]: each["value"] for each in CONTAINER["env"]}
    named = {Path(value).name for name, value in given.items() if name.endswith("_FILE")}
    assert named == set(secret)
    assert all(value.startswith(folder) for name, value in given.items() if name.endswith("_FILE"))
    assert all("REPLACE-ME" in value for value in secret.values())


@pytest.mark.parametrize(
    "variables",
    [
        [each["name"] for each in CONTAINER["env"]],
        list(COMPOSE["services"]["gate"]["environment"]),
        re.findall(rf"{PREFIX}\w+", (ROOT / "Dockerfile").read_text()),
    ],
    ids=["kubernetes", "compose", "image"],
)
def test_only_settings_that_exist_are_set_and_anybody_may_only_look(variables: list[str]) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert {name.removesuffix("_FILE") for name in variables} <= known
    assert f"{PREFIX}ANONYMOUS_ROLE" in variables


def of_the_image() -> dict[str, str]:
    """The environment that the image sets."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    (line,) = re.findall(rf"^ENV ({PREFIX}.*)$", text, re.MULTILINE)
    return dict(each.split("=", 1) for each in line.split())


@pytest.mark.parametrize(
    "given",
    [{each["name"]: each["value"] for each in CONTAINER["env"]}, COMPOSE["services"]["gate"]["environment"]],
    ids=["kubernetes", "compose"],
)
def test_the_settings_go_together_with_those_of_the_image(given: dict[str, str], tmp_path: Path) -> None:
    for name in ("database-url", "admin-key"):
        (tmp_path / name).write_text(f"secret {name}\n")
    files = {
        name: str(tmp_path / Path(value).name) for name, value in given.items() if name.endswith("_FILE")
    }
    settings = read_settings({**of_the_image(), **given, **files})
    assert settings.database == "secret database-url"
    assert settings.admin_key is not None


def test_the_image_installs_the_locks_that_it_copies() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copied = dict(
        reversed(pair) for pair in re.findall(r"^COPY (requirements/\S+) (\S+)$", text, re.MULTILINE)
    )
    installed = re.findall(r'"-r", "(\S+)"', text)
    assert set(installed) == set(copied)
    assert all((ROOT / lock).exists() for lock in copied.values())


def test_the_image_alone_keeps_its_records_in_its_volume() -> None:
    assert read_settings(of_the_image()).database == "sqlite:////data/freezegate.db"
    other = {**of_the_image(), f"{PREFIX}DATABASE_URL": "postgresql://gate@db/freezegate"}
    assert read_settings(other).database == "postgresql://gate@db/freezegate"


def test_the_anonymous_role_is_viewer_everywhere() -> None:
    assert {"name": "FREEZEGATE_ANONYMOUS_ROLE", "value": "viewer"} in CONTAINER["env"]
    assert COMPOSE["services"]["gate"]["environment"]["FREEZEGATE_ANONYMOUS_ROLE"] == "viewer"
    assert "FREEZEGATE_ANONYMOUS_ROLE=viewer" in (ROOT / "Dockerfile").read_text()


def test_the_policies_are_those_that_are_shipped_and_load() -> None:
    policies = (KUBERNETES / "policies.yaml").read_text()
    assert policies == (ROOT / "policies.yaml").read_text()
    assert load(Snapshot.of(policies)).engine.policy_set.policies


def test_compose_has_every_secret_and_volume_that_it_names() -> None:
    services = COMPOSE["services"]
    used = {name for service in services.values() for name in service.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    files = [value for value in services["gate"]["environment"].values() if value.startswith("/run/secrets/")]
    assert {Path(each).name for each in files} <= used
    assert services["gate"]["read_only"] is True
    assert services["gate"]["depends_on"]["postgresql"]["condition"] == "service_healthy"
    assert "healthcheck" in services["postgresql"]


def test_secrets_are_not_committed() -> None:
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
