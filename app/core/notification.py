"""Notifications as plain text, in the sentences of `explain`, for every receiver alike.

User text is reduced to one line here. Each integration escapes it by the rules of its vendor.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from app.core import explain
from app.core.counted import counted, noun_for
from app.core.decision import Decision
from app.core.decision_json import instant_or_none
from app.core.instant import format_instant
from app.core.notation import waiting_time
from app.core.override import Override
from app.core.reason import own_reason
from app.core.wallclock import Zone

LONGEST: Final = 300
"""The most characters of a user text; longer ones are cut."""

MOST_NAMED: Final = 20
"""Denied claims named when an environment opens again; the others are counted."""

_MOST_PROBLEMS: Final = 5


class Occasion(StrEnum):
    """The event of a notification: the same words in the receivers file and in the message."""

    POLICY_FREEZE_SOON = "policy-freeze-soon"
    POLICY_FREEZE_BEGINS = "policy-freeze-begins"
    POLICY_FREEZE_ENDS = "policy-freeze-ends"
    FREEZE_NOTICE = "freeze-notice"
    FREEZE_STARTED = "freeze-started"
    FREEZE_SOON = "freeze-soon"
    FREEZE_BEGINS = "freeze-begins"
    FREEZE_EXTENDED = "freeze-extended"
    FREEZE_CHANGED = "freeze-changed"
    FREEZE_LIFTED = "freeze-lifted"
    FREEZE_ENDED = "freeze-ended"
    OVERRIDE_GRANTED = "override-granted"
    OVERRIDE_SPENT = "override-spent"
    OVERRIDE_REVOKED = "override-revoked"
    POLICIES_REFUSED = "policies-refused"
    POLICIES_LOADED_AGAIN = "policies-loaded-again"
    POLICIES_REMOVED = "policies-removed"
    GATE_OPEN = "gate-open"


class Denied(NamedTuple):
    """A denied claim."""

    service: str
    who: str
    """The actor named by the claim, or its caller; empty for an anonymous one."""
    change: str = ""
    """The kind of change; empty for the default one."""


class Notification(NamedTuple):
    """A notification."""

    key: str
    """The idempotency key: the same event always has the same key, and no other has it."""
    event: Occasion
    at: int
    """The time of the event, in seconds."""
    title: str
    text: tuple[str, ...]
    """Sentences, one per line."""
    environments: tuple[str, ...] = ()
    """The environments concerned; empty for all."""
    subject: str | None = None
    """The id of the freeze or override."""
    data: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON-compatible data, for `from_data`."""
        return self._asdict()

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Notification":
        """Build a notification from the data of `to_data`."""
        texts = {name: tuple(data[name]) for name in ("text", "environments")}
        return cls(**{**data, **texts, "event": Occasion(data["event"])})


def one_line(text: str, most: int = LONGEST) -> str:
    """Return a text on one line, without unprintable characters: control and direction marks."""
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def policy_freeze_soon(environment: str, frozen: Decision, home: Zone, now: int) -> Notification:
    """Build the warning ahead of a policy freeze; `frozen` is the decision at its start."""
    start = explain.local_time(frozen.at, home, now)
    opens = f" Opens {explain.local_time(frozen.opens_at, home, now)}." if frozen.opens_at else ""
    within = waiting_time(frozen.at - now)
    titles = one_line(explain.titles(frozen.blocking))
    return _of_policies(
        Occasion.POLICY_FREEZE_SOON,
        frozen,
        f"{environment} freezes in {within}",
        f"{environment} will be frozen from {start} on: {titles}.{opens}",
        at=now,
    )


def policy_freeze_begins(frozen: Decision, home: Zone) -> Notification:
    """Build the notification of a policy freeze that begins."""
    title = f"{frozen.question.environment} is frozen"
    return _of_policies(Occasion.POLICY_FREEZE_BEGINS, frozen, title, explain.state(frozen, home))


def policy_freeze_ends(present: Decision, home: Zone) -> Notification:
    """Build the notification of a policy freeze that ends; `present` is the decision by all rules."""
    title = f"The policy freeze of {present.question.environment} is over"
    return _of_policies(Occasion.POLICY_FREEZE_ENDS, present, title, explain.state(present, home))


def gate_open(present: Decision, home: Zone, denied: Sequence[Denied], more: int, key: str) -> Notification:
    """Build the notification that an environment is open again, naming `denied` and counting `more`."""
    environment = present.question.environment
    named = [*dict.fromkeys(denied)]
    more += len(named[MOST_NAMED:])
    del named[MOST_NAMED:]
    return Notification(
        key,
        Occasion.GATE_OPEN,
        present.at,
        f"{environment} is open again",
        (_cut(explain.state(present, home)), f"Denied meanwhile: {_names(named, more)}."),
        (environment,),
        data={"denied": [each._asdict() for each in named], "more": more},
    )


def services_open(
    present: Decision, home: Zone, denied: Sequence[Denied], more: int, key: str
) -> Notification:
    """Like `gate_open`, for services that have their own schedule beside the environment's."""
    services = ", ".join(dict.fromkeys(map(_what, denied)))
    of_all = gate_open(present, home, denied, more, key)
    title = _cut(f"{services} {explain.may_be_deployed(present)} again")
    return of_all._replace(title=title, text=(_cut(explain.message(present, home)), of_all.text[1]))


def override_granted(override: Override, at: int, home: Zone, key: str) -> Notification:
    """Build the notification of a granted override."""
    who = person(override.granted_by)
    uses = counted(override.max_uses, "use")
    start = "" if override.starts_at is None else f"from {explain.local_time(override.starts_at, home, at)} "
    text = [
        f"{who} granted an override for {_scope(override)}: {full_stop(one_line(override.reason))}",
        f"{uses}, {start}until {explain.local_time(override.expires_at, home, at)}.",
    ]
    if override.ref is not None:
        text.append(f"Only for the ref {one_line(override.ref)}.")
    if override.approvals_needed:
        text.append(f"It waits for {override.approvals_needed} to approve it.")
    title = f"Override granted for {one_line(', '.join(override.services))}"
    return _of_override(Occasion.OVERRIDE_GRANTED, override, at, title, text, key)


def override_spent(
    override: Override, at: int, key: str, body: dict[str, Any], who: str, left: int
) -> Notification:
    """Build the notification of an overridden deploy; `body` is the decision in its JSON form."""
    service, environment = body["service"], body["environment"]
    said = f"{service} was let through to {environment} by an override of {person(override.granted_by)}: "
    text = [
        said + full_stop(one_line(override.reason)),
        f"Claimed by {person(who)}. {left or 'No'} {noun_for(left, 'use')} left.",
    ]
    made = _of_override(
        Occasion.OVERRIDE_SPENT, override, at, f"Override spent: {service} to {environment}", text, key
    )
    spent = {"decision": body["decision_id"], "service": service, "uses_left": left}
    spent |= {name: body[name] for name in ("services",) if name in body}
    return made._replace(environments=(environment,), data={**made.data, **spent})


def override_revoked(override: Override, at: int, key: str, who: str) -> Notification:
    """Build the notification of a revoked override."""
    text = [f"{person(who)} revoked the override of {person(override.granted_by)} for {_scope(override)}."]
    title = f"Override revoked for {one_line(', '.join(override.services))}"
    return _of_override(Occasion.OVERRIDE_REVOKED, override, at, title, text, key)


def policies_refused(
    revision: str, at: int, problems: Sequence[str], key: str, owners: Sequence[str] = ()
) -> Notification:
    """Build the notification of a changed policy set that was refused; `owners` says who mends which file."""
    shown = [one_line(problem) for problem in problems[:_MOST_PROBLEMS]]
    more = [f"And {len(problems) - len(shown)} more."] if len(problems) > len(shown) else []
    return Notification(
        key,
        Occasion.POLICIES_REFUSED,
        at,
        "The policy file can't be loaded",
        (
            "A changed policy file was refused; the set before stays in force.",
            *shown,
            *more,
            *map(one_line, owners[:_MOST_PROBLEMS]),
        ),
        data={"revision": revision, "problems": shown},
    )


def policies_loaded_again(revision: str, at: int, key: str) -> Notification:
    """Build the notification that the files are valid again after a refusal."""
    text = ("The policy file is good again, and in force.",)
    title = "The policy file loads again"
    return Notification(key, Occasion.POLICIES_LOADED_AGAIN, at, title, text, data={"revision": revision})


def policies_removed(
    revision: str, at: int, title: str, sentences: Sequence[str], names: Sequence[str]
) -> Notification:
    """Build the notification of removed policies, tests or events, without a key: the caller sets it."""
    return Notification(
        "",
        Occasion.POLICIES_REMOVED,
        at,
        title,
        tuple(_cut(sentence) for sentence in sentences),
        data={"revision": revision, "removed": list(names)},
    )


def _of_policies(
    event: Occasion, decision: Decision, title: str, text: str, at: int | None = None
) -> Notification:
    environment = decision.question.environment
    # The text begins with the titles.
    reasons = (
        f"{one_line(rule.title).rstrip('.')}: {one_line(rule.reason)}"
        for rule in (stretch.rule for stretch in decision.blocking)
        if own_reason(rule.title, rule.reason)
    )
    return Notification(
        f"{event}:{environment}:{decision.at}",
        event,
        decision.at if at is None else at,
        title,
        (_cut(text), *reasons),
        (environment,),
        data={
            "from": format_instant(decision.at),
            "until": instant_or_none(decision.opens_at),
            "blocking": [stretch.rule.id for stretch in decision.blocking],
        },
    )


def _of_override(
    event: Occasion, override: Override, at: int, title: str, text: Sequence[str], key: str
) -> Notification:
    data = {
        "id": override.id,
        "services": list(override.services),
        "environments": list(override.environments),
        "policies": None if override.policies is None else list(override.policies),
        "reason": override.reason,
        "ticket": override.ticket,
        "granted_by": override.granted_by,
        "ref": override.ref,
        "starts_at": instant_or_none(override.starts_at),
        "expires_at": format_instant(override.expires_at),
        "max_uses": override.max_uses,
    }
    return Notification(key, event, at, title, tuple(text), override.environments, override.id, data)


def _what(denied: Denied) -> str:
    return f"{denied.change} of {denied.service}" if denied.change else denied.service


def _names(denied: Sequence[Denied], more: int) -> str:
    names = ", ".join(one_line(f"{_what(each)} ({each.who or 'anonymous'})") for each in denied)
    if not names:
        return counted(more, "claim")
    return f"{names} and {more} more" if more else names


def _scope(override: Override) -> str:
    return f"{joined(override.services)} in {joined(override.environments)}"


def joined(names: Sequence[str]) -> str:
    """Return names as one line of text, separated by commas."""
    return one_line(", ".join(names))


def person(name: str) -> str:
    """Return the name of a person on one line."""
    return one_line(name) or "an anonymous caller"


def full_stop(sentence: str) -> str:
    """Add a full stop, unless the sentence ends in a similar mark."""
    return sentence if sentence.endswith((".", "!", "?", "…")) else f"{sentence}."


def _cut(text: str) -> str:
    return one_line(text, 4 * LONGEST)
