"""The manifests of the webhook and the policies: valid, consistent, and asking about deploys only."""

import warnings
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from app.integrations.integrations import read_integrations_file
from app.integrations.kubernetes.route import LARGEST_REVIEW, router
from app.integrations.kubernetes.section import Kubernetes
from tests.deploy.admission import FOLDER, Cel, documents, matched, selected
from tests.deploy.test_kubernetes_policies import DEPLOYS, PASSES
from tests.live.gate import ROOT

FILES: Final = [
    file for folder in ("admission", "policies") for file in sorted((FOLDER / folder).glob("*.yaml"))
]
DOCUMENTS: Final = {
    f"{file.name} {document['kind']}": document
    for file in FILES
    for document in yaml.safe_load_all(file.read_text())
    if file.name not in ("sidecar.yaml", "token.yaml", "kustomization.yaml")
}
OTHERS: Final = {
    "Issuer": "cert-manager.io/v1",
    "Certificate": "cert-manager.io/v1",
    "ValidatingPolicy": "policies.kyverno.io/v1",
    "SyncSet": "syncset.gatekeeper.sh/v1alpha1",
    "ConstraintTemplate": "templates.gatekeeper.sh/v1",
    "Freezegate": "constraints.gatekeeper.sh/v1beta1",
}
"""Kinds that no package has schemas of."""
WEBHOOK: Final = documents("admission/webhook.yaml")["ValidatingWebhookConfiguration"]["webhooks"][0]
PAGE: Final = ROOT / "docs/how-to/platforms/kubernetes.md"
ROLLBACKS: Final = {name for name in PASSES if "rollback" in name}


def validate(document: dict[str, Any]) -> None:
    """Validate a document by the newest schemas of Kubernetes, strictly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kubernetes_validate

        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_manifest_is_valid_by_the_newest_schemas_of_kubernetes(name: str) -> None:
    document = DOCUMENTS[name]
    if document["kind"] in OTHERS:
        assert document["apiVersion"] == OTHERS[document["kind"]]
        assert set(document) == {"apiVersion", "kind", "metadata", "spec"}
    else:
        validate(document)


def test_the_schemas_find_what_is_wrong() -> None:
    import kubernetes_validate

    policy = documents("policies/validatingadmissionpolicy.yaml")["ValidatingAdmissionPolicy"]
    with pytest.raises(kubernetes_validate.ValidationError):
        validate({**policy, "spec": {**policy["spec"], "validation": []}})


@pytest.mark.parametrize("what", [*DEPLOYS, *PASSES])
def test_the_webhook_is_asked_about_deploys_only(what: str) -> None:
    request = (DEPLOYS | PASSES)[what]
    data = {
        "request": request,
        "object": request["object"],
        "oldObject": request["oldObject"],
        "params": None,
        "variables": {},
    }
    asked = matched(WEBHOOK["rules"], request) and Cel().holds(WEBHOOK["matchConditions"], data)
    assert asked == (what in DEPLOYS or what in ROLLBACKS), (
        "a rollback is asked about, and the policies decide"
    )


def test_the_gate_and_the_system_never_ask_and_others_ask_once_labelled() -> None:
    label, name = {"freezegate.dev/admission": "enabled"}, "kubernetes.io/metadata.name"
    selector = WEBHOOK["namespaceSelector"]
    assert selected(selector, label | {name: "shop"})
    assert not selected(selector, {name: "shop"})
    for namespace in ("freezegate", "kube-system", "cert-manager"):
        assert not selected(selector, label | {name: namespace})


def test_the_webhook_fails_closed_takes_dry_runs_and_carries_no_secret() -> None:
    assert WEBHOOK["failurePolicy"] == "Fail"
    assert WEBHOOK["sideEffects"] == "None"
    assert WEBHOOK["admissionReviewVersions"] == ["v1"]
    assert set(WEBHOOK["clientConfig"]) == {"service"}
    assert WEBHOOK["clientConfig"]["service"]["path"] in [getattr(each, "path", "") for each in router.routes]


def test_all_manifests_stop_the_same() -> None:
    policy = documents("policies/validatingadmissionpolicy.yaml")["ValidatingAdmissionPolicy"]["spec"]
    kyverno = documents("policies/kyverno.yaml")["ValidatingPolicy"]["spec"]
    assert policy["matchConditions"] == kyverno["matchConditions"] == WEBHOOK["matchConditions"]
    assert policy["matchConstraints"]["resourceRules"] == kyverno["matchConstraints"]["resourceRules"]
    resources = [rule["resources"] for rule in WEBHOOK["rules"]]
    assert resources == [rule["resources"] for rule in policy["matchConstraints"]["resourceRules"]]


def test_the_kustomization_lists_everything_and_patches_the_deployment_of_the_gate() -> None:
    listed = yaml.safe_load((FOLDER / "admission/kustomization.yaml").read_text())
    patches = [each["path"] for each in listed["patches"]]
    there = {file.name for file in FILES if file.parent.name == "admission"} - {"kustomization.yaml"}
    assert set(listed["resources"]) - {".."} | set(patches) == there
    validate(patched())


def patched() -> dict[str, Any]:
    """The Deployment of the gate with the patch: its lists are merged by the names in them."""
    base = documents("deployment.yaml")["Deployment"]
    patch = documents("admission/sidecar.yaml")["Deployment"]
    assert patch["metadata"]["name"] == base["metadata"]["name"]
    pod, more = base["spec"]["template"]["spec"], patch["spec"]["template"]["spec"]
    gate, tls = more["containers"]
    assert gate["name"] == pod["containers"][0]["name"]
    pod["containers"][0]["env"] += gate["env"]
    pod["containers"][0]["volumeMounts"] += gate["volumeMounts"]
    pod["containers"].append(tls)
    pod["volumes"] += more["volumes"]
    found: dict[str, Any] = base
    return found


def test_the_component_gives_the_gate_its_account_and_the_authority_of_the_cluster() -> None:
    component = documents("policies/kustomization.yaml")["Component"]
    assert (component["resources"], component["patches"]) == (["rbac.yaml"], [{"path": "token.yaml"}])
    base, patch = patched(), documents("policies/token.yaml")["Deployment"]["spec"]["template"]["spec"]
    (gate,) = patch.pop("containers")
    pod = base["spec"]["template"]["spec"]
    pod.update(patch)
    assert gate["name"] == pod["containers"][0]["name"]
    pod["containers"][0]["env"] += gate["env"]
    validate(base)
    account = documents("policies/rbac.yaml")["ServiceAccount"]["metadata"]["name"]
    assert pod["serviceAccountName"] == account
    assert pod["automountServiceAccountToken"]


def test_service_certificate_and_proxy_fit_together() -> None:
    pod = patched()["spec"]["template"]
    service = documents("admission/service.yaml")["Service"]
    certificate = documents("admission/certificate.yaml")["Certificate"]
    called = WEBHOOK["clientConfig"]["service"]
    assert called["name"] == service["metadata"]["name"]
    assert certificate["spec"]["dnsNames"] == [f"{called['name']}.{called['namespace']}.svc"]
    webhook = documents("admission/webhook.yaml")["ValidatingWebhookConfiguration"]
    assert webhook["metadata"]["annotations"] == {
        "cert-manager.io/inject-ca-from": f"freezegate/{certificate['metadata']['name']}"
    }
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    containers = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for each in containers for port in each["ports"]}
    configuration = documents("admission/proxy.yaml")["ConfigMap"]["data"]["nginx.conf"]
    assert f"listen {ports[service['spec']['ports'][0]['targetPort']]} ssl;" in configuration
    assert f"server 127.0.0.1:{ports['http']};" in configuration
    assert f"location = {called['path']} {{" in configuration
    assert f"client_max_body_size {LARGEST_REVIEW >> 10}k;" in configuration
    names = {each["name"] for each in pod["spec"]["volumes"]}
    mounts = {mount["name"] for each in containers for mount in each["volumeMounts"]}
    assert mounts == names
    assert {"secretName": certificate["spec"]["secretName"], "defaultMode": 0o440} in [
        each.get("secret") for each in pod["spec"]["volumes"]
    ]


def test_the_role_of_the_gate_is_tiny() -> None:
    rules = documents("policies/rbac.yaml")["Role"]["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"create", "get", "patch"}
    assert {resource for rule in rules for resource in rule["resources"]} == {"configmaps"}
    assert all("resourceNames" in rule for rule in rules if rule["verbs"] != ["create"])


def sections() -> list[str]:
    """The integrations file of the manifests, and the sections on the page."""
    secret = documents("admission/integrations.yaml")["Secret"]["stringData"]["integrations.yaml"]
    blocks = [part.partition("```")[0] for part in PAGE.read_text().split("```yaml\n")[1:]]
    plain = ["\n".join(line.removeprefix("   ") for line in block.splitlines()) for block in blocks]
    return [secret, *(block for block in plain if block.startswith("kubernetes:"))]


def test_the_examples_of_the_section_can_be_read(tmp_path: Path) -> None:
    assert len(sections()) == 2
    for number, text in enumerate(sections()):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        section = read_integrations_file(file, {})["kubernetes"]
        assert isinstance(section, Kubernetes)
        assert section.environment_of("shop") == "production"
        assert section.environment_of("shop-test") == "staging"


def test_the_pages_name_every_policy_and_both_folders() -> None:
    text = PAGE.read_text() + (ROOT / "docs/how-to/project/kubernetes.md").read_text()
    assert "`deploy/kubernetes/admission/`" in text
    assert "`deploy/kubernetes/policies/`" in text
    for name in ("kyverno.yaml", "gatekeeper.yaml", "validatingadmissionpolicy.yaml", "webhook.yaml"):
        assert f"`{name}`" in text
