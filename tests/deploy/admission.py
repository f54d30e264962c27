"""Kubernetes, Kyverno and Gatekeeper at an admission, by their documentation, with real CEL and Rego.

The packages are Google's CEL for Python and rego-cpp; tests are skipped where those have no wheel.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "kubernetes"
ADMITTED: Final = None
FAILED: Final = "an expression failed, and failurePolicy is Fail"

Clock = Callable[[], int]
ConfigMaps = Mapping[tuple[str, str], Mapping[str, Any]]


def documents(name: str) -> dict[str, Any]:
    """The documents of a manifest, by their kinds."""
    return {each["kind"]: each for each in yaml.safe_load_all((FOLDER / name).read_text())}


def selected(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects these labels."""
    wanted = selector.get("matchLabels", {})
    excluded = selector.get("matchExpressions", [])
    assert all(each["operator"] == "NotIn" for each in excluded)
    return all(labels.get(key) == value for key, value in wanted.items()) and not any(
        labels.get(each["key"]) in each["values"] for each in excluded
    )


def matched(rules: Sequence[Mapping[str, Any]], request: Mapping[str, Any]) -> bool:
    """Whether a rule names the resource of a request; a name without `/` means no subresource."""
    resource = request["resource"]["resource"]
    if request.get("subResource"):
        resource = f"{resource}/{request['subResource']}"
    return any(
        request["resource"]["group"] in rule["apiGroups"]
        and request["resource"]["version"] in rule["apiVersions"]
        and request["operation"] in rule["operations"]
        and resource in rule["resources"]
        for rule in rules
    )


class Cel:
    """The CEL of Kubernetes, or of Kyverno with its clock and its look at ConfigMaps."""

    def __init__(self, clock: Clock | None = None, config_maps: ConfigMaps | None = None) -> None:
        """Have no clock unless one is given: Kubernetes has none."""
        cel = pytest.importorskip("cel_expr_python.cel")
        strings = pytest.importorskip("cel_expr_python.ext.ext_strings").ExtStrings()
        optional = pytest.importorskip("cel_expr_python.ext.ext_optional").ExtOptional()
        kinds = cel.Type
        extensions = [strings, optional]
        if clock is not None:
            now = cel.Overload(
                "time_now",
                return_type=kinds.TIMESTAMP,
                parameters=[],
                is_member=False,
                impl=lambda: dt.datetime.fromtimestamp(clock(), dt.UTC),
            )
            look = cel.Overload(
                "resource_get",
                return_type=kinds.DYN,
                parameters=[kinds.STRING] * 4,
                is_member=False,
                impl=lambda _version, _resource, *name: (config_maps or {})[name],
            )
            declared = [cel.FunctionDecl("time.now", [now]), cel.FunctionDecl("resource.Get", [look])]
            extensions.append(cel.CelExtension("kyverno", declared))
        names = ("object", "oldObject", "request", "params", "variables")
        self._environment = cel.NewEnv(variables=dict.fromkeys(names, kinds.DYN), extensions=extensions)
        self._compiled = cache(self._environment.compile)

    def value(self, expression: str, data: Mapping[str, Any]) -> Any:
        """Return the value of an expression.

        Raises:
            ValueError: it has none.
        """
        found = self._compiled(expression).eval(data=dict(data))
        if found.type().name().upper() in ("ERROR", "*ERROR*") or "ERROR" in str(found.type()):
            raise ValueError(str(found.value()))
        return found.plain_value()

    def holds(self, conditions: Sequence[Mapping[str, str]], data: Mapping[str, Any]) -> bool:
        """Whether all match conditions hold."""
        return all(self.value(each["expression"], data) for each in conditions)

    def refusal(
        self, spec: Mapping[str, Any], request: Mapping[str, Any], params: Mapping[str, Any] | None = None
    ) -> str | None:
        """Return why a policy refuses a request; None if it admits it."""
        data: dict[str, Any] = {
            "object": request["object"],
            "oldObject": request["oldObject"],
            "request": request,
            "params": params,
            "variables": {},
        }
        try:
            if not self.holds(spec["matchConditions"], data):
                return ADMITTED
        except ValueError:
            return FAILED
        for each in spec["variables"]:
            # A variable is computed where it is used: its error is that of the validation.
            try:
                data["variables"][each["name"]] = self.value(each["expression"], data)
            except ValueError:
                continue
        for each in spec["validations"]:
            try:
                if self.value(each["expression"], data):
                    continue
            except ValueError:
                return FAILED
            return self._message(each, data)
        return ADMITTED

    def _message(self, validation: Mapping[str, str], data: Mapping[str, Any]) -> str:
        try:
            return str(self.value(validation["messageExpression"], data))
        except (KeyError, ValueError):
            return validation["message"]


def vap_refusal(request: Mapping[str, Any], params: Mapping[str, Any] | None) -> str | None:
    """Return why the ValidatingAdmissionPolicy refuses a request."""
    spec = documents("policies/validatingadmissionpolicy.yaml")["ValidatingAdmissionPolicy"]["spec"]
    if not matched(spec["matchConstraints"]["resourceRules"], request):
        return ADMITTED
    return Cel().refusal(spec, request, params)


class Kyverno:
    """Kyverno with our policy, and a clock."""

    def __init__(self, config_maps: ConfigMaps, clock: Clock) -> None:
        """Read the policy."""
        self._spec = documents("policies/kyverno.yaml")["ValidatingPolicy"]["spec"]
        self._cel = Cel(clock, config_maps)

    def refusal(self, request: Mapping[str, Any]) -> str | None:
        """Return why the policy refuses a request."""
        if not matched(self._spec["matchConstraints"]["resourceRules"], request):
            return ADMITTED
        return self._cel.refusal(self._spec, request)


class Gatekeeper:
    """Gatekeeper with our template, and a clock: `time.now_ns()` is replaced by what a test says."""

    def __init__(self, config_maps: ConfigMaps, clock: Clock) -> None:
        """Read the template and the constraint."""
        regopy = pytest.importorskip("regopy")
        found = documents("policies/gatekeeper.yaml")
        template, self._constraint = found["ConstraintTemplate"], found["Freezegate"]
        (target,) = template["spec"]["targets"]
        (code,) = target["code"]
        rego = code["source"]["rego"]
        assert rego.count("time.now_ns()") == 1
        self._clock = clock
        self._rego = regopy.Interpreter()
        self._rego.add_module("freezegate", rego.replace("time.now_ns()", "input.now_ns"))
        inventory: dict[str, Any] = {}
        for (namespace, name), config_map in config_maps.items():
            inventory.setdefault(namespace, {"v1": {"ConfigMap": {}}})["v1"]["ConfigMap"][name] = config_map
        self._rego.add_data({"inventory": {"namespace": inventory}})

    def refusal(self, request: Mapping[str, Any]) -> str | None:
        """Return why the constraint refuses a request."""
        spec = self._constraint["spec"]
        kind = request["kind"]
        if request.get("subResource") or not any(
            kind["group"] in each["apiGroups"] and kind["kind"] in each["kinds"]
            for each in spec["match"]["kinds"]
        ):
            return ADMITTED
        self._rego.set_input(
            {"review": request, "parameters": spec["parameters"], "now_ns": self._clock() * 1_000_000_000}
        )
        found = self._rego.query("data.freezegate.violation").results[0].expressions[0]
        reasons = [each["msg"] for each in found]
        assert len(reasons) <= 1
        return reasons[0] if reasons else ADMITTED
