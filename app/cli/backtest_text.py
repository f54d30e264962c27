"""A backtest as lines for the terminal, from its JSON representation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from app.cli.local_time import local_printer
from app.cli.report import echo, plain, print_table

_SHOWN: Final = 5
"""Services, environments, hours and examples that a table shows."""

_EXAMPLES: Final[Mapping[str, str]] = {
    "stopped": "WOULD HAVE BEEN STOPPED",
    "refused": "REFUSED AS UNKNOWN",
    "never": "DENIED DESPITE A TOKEN",
    "allowed": "WOULD HAVE BEEN ALLOWED",
    "steps": "LATER STEPS, STOPPED",
    "unknown": "CAN'T BE JUDGED",
}
_GROUPS: Final = {"services": "service", "environments": "environment"}
_COUNTED: Final = ("deploys", "stopped", "denied", "allowed")
_OF_POLICY: Final = ("stopped", "stopped_alone", "overridden", "denied")

_TEXT, _NUMBER, _TEXT_OR_NULL = (str,), (int,), (str, type(None))
_GROUP: Final = dict.fromkeys(_COUNTED, _NUMBER)
_EXAMPLE: Final = {
    "at": _TEXT, "service": _TEXT, "environment": _TEXT, "result": _TEXT_OR_NULL, "policies": [_TEXT],
    "decision_id": _TEXT,
}  # fmt: skip
_SHAPE: Final = {
    "complete": (bool,),
    "decisions": _NUMBER,
    "decisions_in_period": _NUMBER,
    "until": _TEXT_OR_NULL,
    "timezone": _TEXT,
    "in_words": [_TEXT],
    "deploys": {"stopped": _NUMBER},
    "denied": {"allowed": _NUMBER},
    "unknown": {"decisions": _NUMBER},
    "policies": [{"id": _TEXT, **dict.fromkeys(_OF_POLICY, _NUMBER)}],
    "no_longer_denied_by": [{"id": _TEXT, "claims": _NUMBER}],
    "services": [{"service": _TEXT_OR_NULL, **_GROUP}],
    "environments": [{"environment": _TEXT_OR_NULL, **_GROUP}],
    "hours": [{"weekday": _TEXT, "hour": _NUMBER, **_GROUP}],
    "examples": {name: [_EXAMPLE] for name in _EXAMPLES},
}
"""The members that are shown: mappings and lists of them, and the types of values."""


def is_backtest(body: object) -> bool:
    """Return whether the answer of a server has the members that are shown."""
    return _fits(body, _SHAPE)


def stopped_in_words(body: Mapping[str, Any]) -> str:
    """Say how far an incomplete backtest came."""
    lead = f"stopped after {body['decisions']:,} of {body['decisions_in_period']:,} decisions"
    if body["until"] is None:
        return lead
    return f"{lead}, up to {plain(_local(body)(body['until'])[: len('2026-10-02')])}"


def print_backtest(body: Mapping[str, Any]) -> None:
    """Print what the policies would have done: sentences, then tables of what there is."""
    for sentence in body["in_words"]:
        echo(plain(sentence))
    _print_counts(("POLICY", "STOPPED", "ALONE", "BY TOKEN", "DENIED"), body["policies"], ("id", *_OF_POLICY))
    _print_counts(("NO LONGER DENIED BY", "CLAIMS"), body["no_longer_denied_by"], ("id", "claims"))
    for member, field in _GROUPS.items():
        _print_groups(field, [(each[field] or "(others)", each) for each in body[member]])
    _print_groups("hour", [(f"{each['weekday']} {each['hour']:02}:00", each) for each in body["hours"]])
    for name, title in _EXAMPLES.items():
        _print_examples(title, body["examples"][name], _local(body))


def _fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, dict):
        members = shape.items()
        return isinstance(value, dict) and all(_fits(value.get(name), each) for name, each in members)
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(each, shape[0]) for each in value)
    return type(value) in shape


def _local(body: Mapping[str, Any]) -> Callable[[object], str]:
    return local_printer(lambda: str(body["timezone"]))


def _print_groups(field: str, groups: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    most = sorted(groups, key=lambda each: -each[1]["stopped"] - each[1]["allowed"])
    changed = [(name, group) for name, group in most if group["stopped"] or group["allowed"]]
    rows = [{"name": name, **group} for name, group in changed[:_SHOWN]]
    _print_counts((field.upper(), "DEPLOYS", "STOPPED", "DENIED", "ALLOWED"), rows, ("name", *_COUNTED))
    if len(changed) > _SHOWN:
        echo(f"and {len(changed) - _SHOWN:,} more, see --json")


def _print_counts(head: Sequence[str], entries: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    """Print a table of some members of entries, without the entries that count nothing."""
    rows = [tuple(each[key] for key in keys) for each in entries]
    counted = [row for row in rows if any(row[1:])]
    _print_rows(head, [(name, *(f"{number:,}" for number in numbers)) for name, *numbers in counted])


def _print_examples(
    title: str, examples: Sequence[Mapping[str, Any]], local: Callable[[object], str]
) -> None:
    rows = [
        (
            local(each["at"]),
            each["service"],
            each["environment"],
            each["result"] or "-",
            ", ".join(each["policies"]) or "-",
            each["decision_id"],
        )
        for each in examples[:_SHOWN]
    ]
    _print_rows((title, "SERVICE", "ENVIRONMENT", "RESULT", "POLICIES", "DECISION"), rows)
    if len(examples) > _SHOWN:
        echo("and more, see --json")


def _print_rows(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        echo("")
        print_table(head, rows)
