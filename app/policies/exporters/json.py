"""Export as JSON: the resolved set, with its windows in words and its coming freezes."""

import json as encoder
from itertools import islice
from typing import Any, Final

from app.core.decision_json import instant_or_none
from app.core.explain import policy_in_words
from app.core.instant import format_instant
from app.core.policy import Policy
from app.core.timeline import PolicyTimeline
from app.policies.exporters.export import Exported, ExportOptions, Remark
from app.policies.loaded import LoadedPolicies

MOST: Final = 5_000
"""Freezes of one policy in one zone."""


def json(loaded: LoadedPolicies, options: ExportOptions) -> Exported:
    """Return every policy of the set, with the values of its file and of the defaults."""
    policy_set = loaded.policy_set
    policies = [_policy(each, loaded, options) for each in policy_set.policies]
    body = {
        "policy_revision": loaded.revision,
        "from": format_instant(options.now),
        "until": format_instant(options.until),
        "timezone": policy_set.timezone,
        "environments": list(policy_set.environments),
        "changes": policy_set.changes,
        "unknown_services": policy_set.unknown_services,
        "services": {
            name: {"tags": service.tags, "timezone": policy_set.service_zone(name)}
            for name, service in (policy_set.services or {}).items()
        },
        "overrides": policy_set.overrides.model_dump(),
        "policies": policies,
    }
    cut = [each["id"] for each in policies if any(not line["whole"] for line in each["freezes"])]
    remarks = [Remark(name, f"only its first {MOST:,} freezes are listed") for name in cut]
    return Exported(encoder.dumps(body, indent=2, ensure_ascii=False) + "\n", len(policies), remarks)


def _policy(policy: Policy, loaded: LoadedPolicies, options: ExportOptions) -> dict[str, Any]:
    home = loaded.policy_set.home
    return {
        **{key: getattr(policy, key) for key in ("id", "title", "reason", "contact", "link")},
        "effect": policy.effect.value,
        "timezone": policy.timezone or home.name,
        "in_words": policy_in_words(policy, home),
        "applies_to": policy.scope_json("applies_to"),
        "exempt": policy.scope_json("exempt"),
        "override": policy.ceilings.model_dump(exclude_none=True) or policy.overridable,
        "running": policy.running,
        "notify_before_s": policy.notify_before or [],
        "windows": {
            key: [{"kind": entry.kind, "in_words": entry.window.words()} for entry in entries]
            for key, entries in (("when", policy.when), ("except_when", policy.except_when))
        },
        "freezes": [_freezes(line, options) for line in loaded.engine.timelines(policy.id)],
    }


def _freezes(line: PolicyTimeline, options: ExportOptions) -> dict[str, Any]:
    """Return when a policy vetoes or warns, as read in one zone."""
    found = list(islice(line.stretches(options.now, options.until), MOST + 1))
    return {
        "timezone": line.zone.name,
        "whole": len(found) <= MOST,
        "intervals": [
            {"from": instant_or_none(each.start), "until": instant_or_none(each.end)} for each in found[:MOST]
        ],
    }
