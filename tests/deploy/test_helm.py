"""The Helm chart, rendered by Helm: valid, as strict as deploy/kubernetes, and true to the gate."""

import copy
import json
import re
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from click.testing import CliRunner

from app import __version__
from app.cli import cli
from app.identity.oidc.issuers import read_identity_file
from app.integrations.receivers import read_receivers_file
from app.policies.load import load
from app.policies.source import Snapshot
from app.settings import PREFIX, Settings, read_settings
from tests.deploy.helm import CHART, Helm, RefusedValuesError, running_helm
from tests.deploy.test_deploy import CONTAINER, DEPLOYMENT, MANIFESTS, POD, ROOT, of_the_image

Values = dict[str, Any]
Objects = dict[str, dict[str, Any]]

EXAMPLES: dict[str, Values] = {
    file.stem.removesuffix("-values"): yaml.safe_load(file.read_text())
    for file in sorted((CHART / "ci").glob("*-values.yaml"))
}
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
SQLITE, POSTGRESQL = EXAMPLES["sqlite"], EXAMPLES["postgresql"]
SMALL_POSTGRESQL: Values = {
    "policies": {"existingConfigMap": "freezegate-policies"},
    "replicas": 2,
    "database": {"type": "postgresql", "postgresql": {"existingSecret": "freezegate"}},
    "adminKey": {"existingSecret": "freezegate"},
}
"""What deploy/kubernetes has, by the chart."""
SETS = {
    **EXAMPLES,
    "as deploy/kubernetes": SMALL_POSTGRESQL,
    "own claim": {**SQLITE, "database": {"sqlite": {"existingClaim": "my-claim"}}},
    "stopped": {**SQLITE, "replicas": 0},
    "all receivers in the secret": {**SQLITE, "notifications": {"existingSecret": "receivers"}},
    "open": {
        **SQLITE,
        "networkPolicy": {"enabled": False},
        "service": {"type": "LoadBalancer", "port": 8080},
        "ingress": {"enabled": True},
    },
}
OF_PROMETHEUS = ("ServiceMonitor", "PrometheusRule")


@pytest.fixture(scope="module")
def helm() -> Iterator[Helm]:
    with running_helm() as running:
        yield running


def objects(helm: Helm, values: Values, release: str = "gate") -> Objects:
    """The objects of a release, by kind; ConfigMaps by kind and name."""
    found: Objects = {}
    for name, text in helm.render(values, release).items():
        if name == "NOTES.txt":
            continue
        for each in yaml.load_all(text, yaml.CSafeLoader):
            if each is not None:
                kind = each["kind"]
                key = f"{kind} {each['metadata']['name']}" if kind == "ConfigMap" else kind
                assert key not in found
                found[key] = each
    return found


def pod_of(made: Objects) -> tuple[dict[str, Any], dict[str, Any]]:
    pod = made["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


def changed(values: Values, path: str, value: Any) -> Values:
    made = copy.deepcopy(values)
    *parents, last = path.split(".")
    part = made
    for name in parents:
        part = part.setdefault(name, {})
    part[last] = value
    return made


@pytest.mark.parametrize("name", SETS)
def test_every_object_is_valid_by_the_schemas_of_kubernetes(name: str, helm: Helm) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kubernetes_validate

        for made in objects(helm, SETS[name]).values():
            if made["kind"] not in OF_PROMETHEUS:
                kubernetes_validate.validate(made, "1.31", strict=True)


@pytest.mark.parametrize("name", SETS)
def test_helm_lint_finds_nothing(name: str, helm: Helm) -> None:
    assert helm.lint(SETS[name]) == []


def test_helm_lint_would_find_something(helm: Helm) -> None:
    assert helm.lint({"replicas": "many"})


@pytest.mark.parametrize("name", SETS)
def test_the_pod_is_as_strict_as_that_of_the_manifests(name: str, helm: Helm) -> None:
    pod, container = pod_of(objects(helm, SETS[name]))
    for key in ("securityContext", "automountServiceAccountToken", "enableServiceLinks"):
        assert pod[key] == POD[key], key
    assert pod["terminationGracePeriodSeconds"] == POD["terminationGracePeriodSeconds"]
    same = ("ports", "securityContext", "startupProbe", "readinessProbe", "livenessProbe", "resources")
    assert {key: container[key] for key in same} == {key: CONTAINER[key] for key in same}
    for mount in container["volumeMounts"]:
        assert mount.get("readOnly", False) == (mount["name"] not in ("data", "archive"))
    assert {each["name"] for each in pod["volumes"]} == {each["name"] for each in container["volumeMounts"]}


def test_with_the_same_values_it_is_what_the_manifests_say(helm: Helm) -> None:
    made = objects(helm, changed(SMALL_POSTGRESQL, "image.tag", "latest"), "freezegate")
    pod, container = pod_of(made)
    ours = {each["name"]: each["value"] for each in container["env"]}
    assert ours.pop(f"{PREFIX}LOG_LEVEL") == Settings.model_fields["log_level"].default
    assert ours == {each["name"]: each["value"] for each in CONTAINER["env"]}
    assert container["volumeMounts"] == CONTAINER["volumeMounts"]
    policies, secrets = pod["volumes"]
    assert policies == POD["volumes"][0]
    assert secrets["projected"]["defaultMode"] == POD["volumes"][1]["secret"]["defaultMode"]
    items = [each["secret"]["items"][0] for each in secrets["projected"]["sources"]]
    assert {each["path"] for each in items} == set(MANIFESTS["secret.yaml"]["stringData"])
    spec = made["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (
        DEPLOYMENT["spec"]["replicas"],
        DEPLOYMENT["spec"]["strategy"],
    )
    network, theirs = made["NetworkPolicy"]["spec"], MANIFESTS["network.yaml"]["spec"]
    assert [network[key] for key in ("ingress", "egress", "policyTypes")] == [
        theirs[key] for key in ("ingress", "egress", "policyTypes")
    ]
    assert made["PodDisruptionBudget"]["spec"]["minAvailable"] == 1
    assert made["Service"]["spec"]["ports"] == MANIFESTS["service.yaml"]["spec"]["ports"]
    names = {each["metadata"]["name"] for each in made.values()}
    assert names == {"freezegate"}


@pytest.mark.parametrize("name", SETS)
def test_selectors_and_names_meet(name: str, helm: Helm) -> None:
    made = objects(helm, SETS[name])
    selected = made["Deployment"]["spec"]["selector"]["matchLabels"]
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "freezegate"
    selectors = [
        selected,
        made["Service"]["spec"]["selector"],
        *(made[kind]["spec"]["selector"]["matchLabels"] for kind in made if kind == "PodDisruptionBudget"),
        *(made[kind]["spec"]["podSelector"]["matchLabels"] for kind in made if kind == "NetworkPolicy"),
    ]
    assert all(each == labels for each in selectors)
    if "ServiceMonitor" in made:
        monitored = made["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
        assert monitored.items() <= made["Service"]["metadata"]["labels"].items()
    if "Ingress" in made:
        (path,) = made["Ingress"]["spec"]["rules"][0]["http"]["paths"]
        backend = path["backend"]["service"]
        assert backend["name"] == made["Service"]["metadata"]["name"]
        assert backend["port"]["name"] == made["Service"]["spec"]["ports"][0]["name"]


@pytest.mark.parametrize("name", SETS)
def test_everything_of_ours_that_is_mounted_is_made(name: str, helm: Helm) -> None:
    made = objects(helm, SETS[name])
    pod, _ = pod_of(made)
    given = set(re.findall(r"[a-z-]+", json.dumps(SETS[name])))
    for volume in pod["volumes"]:
        sources = volume.get("projected", {}).get("sources", [volume])
        for source in sources:
            if "persistentVolumeClaim" in source:
                claim = source["persistentVolumeClaim"]["claimName"]
                is_theirs = claim in ("my-claim", "freezegate-archive")
                assert is_theirs == ("PersistentVolumeClaim" not in made)
            elif "configMap" in source:
                config = source["configMap"]["name"]
                assert f"ConfigMap {config}" in made or config in given
            else:
                assert source["secret"]["name"] in given


def settings_of(made: Objects, folder: Path) -> Settings:
    """The settings that the gate would read in that pod, on the image, with its files in a folder."""
    _, container = pod_of(made)
    given = {each["name"]: each["value"] for each in container["env"] if each["name"].startswith(PREFIX)}
    mounts = [each["mountPath"] for each in container["volumeMounts"]]
    for name, value in given.items():
        if value.startswith(("/etc", "/run", "/data", "/archive")):
            assert any(value == mount or value.startswith(f"{mount}/") for mount in mounts), name
        if name.endswith("_FILE") and name != f"{PREFIX}CA_FILE":
            (folder / name).write_text(f"content of {Path(value).name}\n")
            given[name] = str(folder / name)
    return read_settings({**of_the_image(), **given})


@pytest.mark.parametrize("name", SETS)
def test_the_gate_takes_the_settings_with_those_of_the_image(name: str, helm: Helm, tmp_path: Path) -> None:
    settings = settings_of(objects(helm, SETS[name]), tmp_path)
    sqlite = SETS[name].get("database", {}).get("type") != "postgresql"
    assert settings.database == ("sqlite:////data/freezegate.db" if sqlite else "content of database-url")


def test_every_setting_can_be_given_and_is_passed_on(helm: Helm, tmp_path: Path) -> None:
    settings = settings_of(objects(helm, POSTGRESQL), tmp_path)
    # The image says where to listen: on all addresses, at the default port.
    assert settings.model_fields_set == set(Settings.model_fields) - {"port"}
    assert settings.anonymous_role == "none"
    assert settings.anonymous_claims == "10/second"
    assert settings.proxies == ["10.0.0.0/8", "::ffff:10.0.0.0/104"]
    assert settings.root_path == "/freezegate"
    assert settings.log_level == "warning"
    assert (settings.keep_decisions, settings.archive) == ("400d", "/archive")
    _, container = pod_of(objects(helm, POSTGRESQL))
    assert {"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"} in container["env"]


def test_the_schema_allows_what_the_gate_allows() -> None:
    ours = SCHEMA["properties"]["settings"]["properties"]
    fields = Settings.model_fields
    assert ours["anonymousRole"]["enum"] == list(get_args(fields["anonymous_role"].annotation))
    assert ours["logLevel"]["enum"] == list(get_args(fields["log_level"].annotation))
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())["settings"]
    assert defaults["logLevel"] == fields["log_level"].default
    for value in ("600/minute", "1/hour", "0/minute", "10/day", "a/second", "1/minute ", "1234567890/second"):
        taken = bool(re.search(ours["anonymousClaims"]["pattern"], value))
        assert taken == bool(re.search(pattern_of("anonymous_claims"), value)), value
    for value in ("/a", "/a/b.c", "a", "/", "/a/", "/a b", "//"):
        taken = bool(re.search(ours["rootPath"]["pattern"], value))
        assert taken == bool(re.search(pattern_of("root_path"), value)), value


def pattern_of(field: str) -> str:
    (found,) = [each.pattern for each in Settings.model_fields[field].metadata if hasattr(each, "pattern")]
    pattern: str = found
    return pattern


def test_the_files_in_the_examples_are_ones_that_the_gate_takes(helm: Helm, tmp_path: Path) -> None:
    policies = objects(helm, SQLITE)["ConfigMap gate-freezegate-policies"]["data"]["policies.yaml"]
    assert load(Snapshot.of(policies)).engine.policy_set.policies
    made = objects(helm, POSTGRESQL)
    (tmp_path / "slack-url").write_text("https://hooks.example.com/T/B/x\n")
    for name in ("identity", "notifications"):
        text = made[f"ConfigMap gate-freezegate-{name}"]["data"][f"{name}.yaml"]
        (tmp_path / f"{name}.yaml").write_text(text)
    assert read_identity_file(tmp_path / "identity.yaml", {"OIDC_CLIENT_SECRET": "x"}).sign_in
    assert read_receivers_file(tmp_path / "notifications.yaml", {})


@pytest.mark.parametrize(
    "text",
    [
        (ROOT / "policies.yaml").read_text(),
        "  indented: from the first line\n",
        "no line end",
        "country: NO\nfrom: 14:00\n",
        "trailing space \nand {{ .Values.braces }}, 'quotes' \"too\"\n\n\n",
        "a: ü€\ttab\n",
    ],
)
def test_a_text_arrives_as_it_is(text: str, helm: Helm) -> None:
    values = {"policies": {"inline": text}, "identity": {"inline": text}}
    made = objects(helm, values)
    assert made["ConfigMap gate-freezegate-policies"]["data"] == {"policies.yaml": text}
    assert made["ConfigMap gate-freezegate-identity"]["data"] == {"identity.yaml": text}


def test_the_image_is_pulled_by_digest_else_by_tag_else_by_the_version_of_the_chart(helm: Helm) -> None:
    def image(**given: str) -> Any:
        return pod_of(objects(helm, {**SQLITE, "image": {"repository": "r.example/gate", **given}}))[1][
            "image"
        ]

    digest = f"sha256:{'0' * 64}"
    assert image() == f"r.example/gate:{__version__}"
    assert image(tag="1.2") == "r.example/gate:1.2"
    assert image(digest=digest, tag="1.2") == f"r.example/gate@{digest}"


def test_the_alerts_are_those_of_the_prometheus_folder(helm: Helm) -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "freezegate.rules.yaml").read_text())
    made = objects(helm, POSTGRESQL)
    assert made["PrometheusRule"]["spec"] == rules
    assert made["PrometheusRule"]["metadata"]["labels"]["release"] == "prometheus"
    monitor = made["ServiceMonitor"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] == made["Service"]["spec"]["ports"][0]["name"]
    # The job is the value of that label, and the alerts say job="freezegate".
    job = made["Service"]["metadata"]["labels"][monitor["spec"]["jobLabel"]]
    assert f'job="{job}"' in json.dumps(rules).replace('\\"', '"')


def test_one_replica_on_sqlite_is_replaced_and_not_doubled(helm: Helm) -> None:
    made = objects(helm, SQLITE)
    assert made["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    # With one replica a budget would block every drain of its node.
    assert "PodDisruptionBudget" not in made
    assert made["PersistentVolumeClaim"]["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert {"port": 5432, "protocol": "TCP"} not in [
        port for rule in made["NetworkPolicy"]["spec"]["egress"] for port in rule["ports"]
    ]


def test_the_network_is_open_to_what_the_values_say_only(helm: Helm) -> None:
    spec = objects(helm, POSTGRESQL)["NetworkPolicy"]["spec"]
    assert spec["ingress"][0]["from"] == POSTGRESQL["networkPolicy"]["ingressFrom"]
    ports = [port["port"] for rule in spec["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 6432, 443, 4318]
    assert "NetworkPolicy" not in objects(helm, SETS["open"])


def test_a_changed_file_that_is_read_at_start_rolls_the_pods_and_changed_policies_do_not(helm: Helm) -> None:
    def template(values: Values) -> Any:
        return objects(helm, values)["Deployment"]["spec"]["template"]

    before = template(POSTGRESQL)
    for name in ("identity", "notifications"):
        text = POSTGRESQL[name]["inline"] + "# changed\n"
        assert template(changed(POSTGRESQL, f"{name}.inline", text)) != before
    other = SQLITE["policies"]["inline"] + "# changed\n"
    assert template(changed(SQLITE, "policies.inline", other)) == template(SQLITE)


def test_the_webhook_is_that_of_the_manifests_and_calls_the_ingress(helm: Helm) -> None:
    made = objects(helm, POSTGRESQL)["ValidatingWebhookConfiguration"]
    (webhook,) = made["webhooks"]
    manifest = yaml.safe_load((ROOT / "deploy/kubernetes/admission/webhook.yaml").read_text())["webhooks"][0]
    same = manifest.keys() - {"clientConfig", "namespaceSelector", "failurePolicy"}
    assert {key: webhook[key] for key in same} == {key: manifest[key] for key in same}
    assert webhook["failurePolicy"] == "Ignore"
    assert webhook["clientConfig"] == {
        "url": "https://deploys.example.com/freezegate/integrations/kubernetes/admission",
        "caBundle": POSTGRESQL["admission"]["caBundle"],
    }
    selector, other = webhook["namespaceSelector"], manifest["namespaceSelector"]
    assert selector["matchLabels"] == other["matchLabels"]
    own = {"freezegate": "ops"}
    values = [own.get(each, each) for each in other["matchExpressions"][0]["values"]]
    assert selector["matchExpressions"][0]["values"] == values
    assert "ValidatingWebhookConfiguration" not in objects(helm, SQLITE)


@pytest.mark.parametrize("name", SETS)
def test_no_secret_is_among_the_objects(name: str, helm: Helm) -> None:
    assert "Secret" not in objects(helm, SETS[name])


@pytest.mark.parametrize("release", ["gate", "freezegate", "freezegate-staging", "a" * 53])
def test_names_fit_whatever_the_release_is_called(release: str, helm: Helm) -> None:
    for made in objects(helm, POSTGRESQL, release).values():
        name = made["metadata"]["name"]
        assert len(name) <= 63
        assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name)
        assert name.count("freezegate") == (release[0] != "a")


REFUSED_BY_THE_SCHEMA = [
    ("replica", 2, "'replica' not allowed"),
    ("replicas", "2", "/replicas': got string, want integer"),
    ("replicas", -1, "/replicas': minimum: got -1, want 0"),
    ("policies.inline", {"version": 1}, "/policies/inline': got object, want string"),
    ("policies.configMap", "x", "'configMap' not allowed"),
    ("image.digest", "sha256:abc", "/image/digest': 'sha256:abc' does not match pattern"),
    ("image.repository", "", "/image/repository': "),
    ("image.tag", "a b", "/image/tag': 'a b' does not match pattern"),
    ("image.pullPolicy", "Sometimes", "/image/pullPolicy': value must be one of"),
    ("database.type", "mysql", "/database/type': value must be one of 'sqlite', 'postgresql'"),
    ("database.url", "postgresql://x:secret@y/z", "'url' not allowed"),
    ("database.postgresql.port", 0, "/database/postgresql/port': minimum"),
    ("database.sqlite.size", "1 GB", "/database/sqlite/size': '1 GB' does not match pattern"),
    ("adminKey.existingSecret", "Upper_Case", "/adminKey/existingSecret': "),
    ("settings.anonymousRole", "ops", "/settings/anonymousRole': value must be one of"),
    ("settings.anonymousClaims", "10/day", "/settings/anonymousClaims': "),
    ("settings.rootPath", "freezegate", "/settings/rootPath': "),
    ("settings.logLevel", "INFO", "/settings/logLevel': value must be one of"),
    ("extraEnv", [{"name": "FREEZEGATE_PORT", "value": "80"}], "/extraEnv/0/name': "),
    ("service.type", "ExternalName", "/service/type': value must be one of"),
    ("ingress.host", "https://gate.example", "/ingress/host': "),
    ("admission.failurePolicy", "Maybe", "/admission/failurePolicy': value must be one of"),
    ("admission.caBundle", "-----BEGIN", "/admission/caBundle': "),
    ("podDisruptionBudget.minAvailable", "half", "/podDisruptionBudget/minAvailable': "),
    ("networkPolicy.ingressFrom", {"a": 1}, "/networkPolicy/ingressFrom': got object, want array"),
    ("serviceMonitor.interval", "15", "/serviceMonitor/interval': "),
    ("serviceMonitor.enabled", "yes", "/serviceMonitor/enabled': got string, want boolean"),
    ("podAnnotations", {"a": 1}, "/podAnnotations/a': got number, want string"),
]


@pytest.mark.parametrize(("path", "value", "why"), REFUSED_BY_THE_SCHEMA)
def test_a_wrong_value_is_refused_by_the_schema(path: str, value: Any, why: str, helm: Helm) -> None:
    with pytest.raises(RefusedValuesError) as raised:
        helm.render(changed(SQLITE, path, value))
    assert "values don't meet the specifications of the schema" in str(raised.value)
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "give policies.inline (--set-file policies.inline=policies.yaml) or policies.existingConfigMap"),
        (changed(SQLITE, "policies.existingConfigMap", "x"), "policies.existingConfigMap, not both"),
        (changed(SQLITE, "replicas", 2), "SQLite is one file and takes one replica"),
        (changed(SQLITE, "database.type", "postgresql"), "name the Secret with the URL of PostgreSQL"),
        (changed(POSTGRESQL, "identity.existingConfigMap", "x"), "identity.existingConfigMap, not both"),
        (changed(SQLITE, "notifications.inline", "receivers: []"), "name the Secret with them"),
        (changed(SQLITE, "admission.enabled", True), "set ingress.enabled and ingress.tlsSecret"),
        (
            changed(POSTGRESQL, "archive.existingClaim", ""),
            "settings.keepDecisions: say where pruned decisions go",
        ),
        (changed(POSTGRESQL, "integrations", {}), "in integrations.existingSecret"),
    ],
)
def test_values_that_do_not_go_together_are_refused_with_a_sentence(
    values: Values, why: str, helm: Helm
) -> None:
    with pytest.raises(RefusedValuesError) as raised:
        helm.render(values)
    assert why in str(raised.value)


def test_the_schema_knows_every_value_and_every_object_of_it_is_closed() -> None:
    def compare(values: Any, schema: dict[str, Any], path: str) -> None:
        if "properties" not in schema:
            return
        assert schema["additionalProperties"] is False, path
        for name, value in values.items():
            compare(value, schema["properties"][name], f"{path}.{name}")
        assert set(values) | {"global", "claims"} >= set(schema["properties"]), path

    compare(yaml.safe_load((CHART / "values.yaml").read_text()), SCHEMA, "values")


@pytest.mark.parametrize(
    ("values", "warned"),
    [
        (SQLITE, []),
        (POSTGRESQL, ["settings.anonymousRole is none"]),
        (SETS["open"], ["settings.trustedProxies is empty", "the ingress serves plain http"]),
        (changed(SQLITE, "settings.anonymousRole", "ci"), ["settings.anonymousRole is ci"]),
    ],
)
def test_the_notes_warn_of_what_is_risky(values: Values, warned: list[str], helm: Helm) -> None:
    notes = helm.render(values)["NOTES.txt"]
    assert notes.count("WARNING") == len(warned)
    assert all(each in notes for each in warned)


def test_the_notes_name_what_is_there(helm: Helm) -> None:
    notes = helm.render(POSTGRESQL)["NOTES.txt"]
    made = objects(helm, POSTGRESQL)
    assert "https://deploys.example.com/freezegate/" in notes
    command = shlex.split(re.findall(r"exec deploy/(\S+) -- freezegate (.*)", notes)[0][1])
    assert f"deploy/{made['Deployment']['metadata']['name']} " in notes
    helped = CliRunner().invoke(cli, [*command[:2], "--help"]).output
    assert all(option in helped for option in command if option.startswith("--"))
    local = helm.render(SQLITE)["NOTES.txt"]
    assert f"port-forward service/{made['Service']['metadata']['name']} 1400:80" in local
    assert "which `helm uninstall` leaves in place" in local


def test_the_chart_has_the_version_of_the_gate() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["appVersion"], chart["version"]) == (__version__, __version__)
