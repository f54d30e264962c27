"""Admission reviews as an API server sends them."""

import copy
from typing import Any, Final

KINDS: Final = {
    "Deployment": ("apps", "v1", "deployments"),
    "StatefulSet": ("apps", "v1", "statefulsets"),
    "DaemonSet": ("apps", "v1", "daemonsets"),
    "ReplicaSet": ("apps", "v1", "replicasets"),
    "Job": ("batch", "v1", "jobs"),
    "CronJob": ("batch", "v1", "cronjobs"),
    "Rollout": ("argoproj.io", "v1alpha1", "rollouts"),
    "Pod": ("", "v1", "pods"),
}
UID: Final = "705ab4f5-6393-11e8-b7cc-42010a800002"


def workload(
    kind: str = "Deployment", image: str = "checkout:1", name: str = "checkout", **metadata: Any
) -> dict[str, Any]:
    """An object with a pod template; `metadata` is added to its own."""
    group, version, _ = KINDS[kind]
    pod = {"containers": [{"name": "main", "image": image}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    specs: dict[str, dict[str, Any]] = {
        "Pod": pod,
        "CronJob": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}},
    }
    return {
        "apiVersion": f"{group}/{version}".lstrip("/"),
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop", **metadata},
        "spec": specs.get(kind, {"replicas": 2, "template": template}),
    }


def changed(before: dict[str, Any], image: str | None = None, **metadata: Any) -> dict[str, Any]:
    """An object as it becomes: with another image, or other metadata."""
    after = copy.deepcopy(before)
    after["metadata"] |= metadata
    if image is not None:
        template = after["spec"].get("jobTemplate", {}).get("spec", after["spec"])["template"]
        template["spec"]["containers"][0]["image"] = image
    return after


def review(
    after: dict[str, Any] | None,
    before: dict[str, Any] | None = None,
    *,
    subresource: str | None = None,
    namespace: str | None = None,
    **request: Any,
) -> dict[str, Any]:
    """A review of an object that is made, or of one that changes; `request` is added to its request."""
    some = after or before or workload()
    group, version, resource = KINDS.get(some["kind"], ("apps", "v1", "deployments"))
    asked = {
        "uid": UID,
        "kind": {"group": group, "version": version, "kind": some["kind"]},
        "resource": {"group": group, "version": version, "resource": resource},
        "name": some["metadata"].get("name", ""),
        "namespace": namespace or some["metadata"].get("namespace"),
        "operation": "DELETE" if after is None else "CREATE" if before is None else "UPDATE",
        "userInfo": {"username": "system:serviceaccount:ci:deployer", "groups": ["system:authenticated"]},
        "object": after,
        "oldObject": before,
        "dryRun": False,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
    }
    if subresource:
        asked["subResource"] = subresource
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked | request}
