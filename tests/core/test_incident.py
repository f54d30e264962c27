from typing import Any

import pytest
from pydantic import ValidationError

from app.core.incident import (
    LONGEST_TEXT,
    Incident,
    IncidentRule,
    Signal,
    chosen,
    filled,
    judge,
    plain,
)


def rule(name: str = "r", **fields: Any) -> IncidentRule:
    return IncidentRule.model_validate({"name": name, **fields})


def incident(*signals: Signal, title: str = "Checkout is down") -> Incident:
    return Incident("1", title, signals)


CRITICAL = Signal(
    severity=("Critical", "sev-1"),
    urgency=("high",),
    priority=("P1",),
    service=("checkout", "PIJ90N7"),
    labels={"team": ("payments",), "url": ("https://a/b",), "empty": ()},
)


@pytest.mark.parametrize(
    "match",
    [
        None,
        {"severity": "critical"},
        {"severity": ["warning", "SEV-*"], "priority": "p1"},
        {"service": "pij*"},
        {"labels": {"team": "pay*", "url": "*"}},
        {"labels": {"url": "https://*/b"}},
        [{"severity": "warning"}, {"urgency": "high"}],
    ],
)
def test_a_rule_matches_by_any_value_of_every_field(match: object) -> None:
    wanted: dict[str, Any] = {} if match is None else {"match": match}
    verdict = judge(rule(**wanted), incident(Signal(), CRITICAL))
    if match is None:
        assert verdict.signal == Signal()
    else:
        assert (verdict.signal, verdict.why_not) == (CRITICAL, ())


@pytest.mark.parametrize(
    ("match", "why_not"),
    [
        ({"severity": "critical", "priority": "P2"}, 'priority is "P1", not P2'),
        ({"severity": "crit"}, 'severity is "Critical" or "sev-1", not crit'),
        ({"service": ["pay*", "c*a*a*t"]}, 'service is "checkout" or "PIJ90N7", not pay* or c*a*a*t'),
        ({"labels": {"env": "*"}}, "label env is not given, not *"),
        ({"labels": {"empty": "*"}}, "label empty is not given, not *"),
        ({"labels": {"team": "*payments*payments"}}, 'label team is "payments", not *payments*payments'),
        ({"labels": {"team": "payments*payments"}}, 'label team is "payments", not payments*payments'),
    ],
)
def test_a_rule_that_does_not_match_says_why(match: object, why_not: str) -> None:
    verdict = judge(rule(match=match), incident(CRITICAL))
    assert (verdict.signal, verdict.why_not) == (None, (why_not,))


def test_a_resolved_incident_matches_nothing() -> None:
    assert judge(rule(), incident()).why_not == ("nothing of it is firing",)


def test_what_a_reporter_writes_takes_no_time_to_match() -> None:
    hostile = Signal(severity=("a" * 100_000,) * 10_000)
    assert judge(rule(match={"severity": "*a" * 99 + "b"}), incident(hostile)).signal is None


def test_the_first_rule_that_matches_is_chosen() -> None:
    rules = [rule("a", match={"severity": "low"}), rule("b", match={"priority": "P1"}), rule("c")]
    found = chosen(rules, incident(CRITICAL))
    assert found is not None
    assert found.rule.name == "b"
    assert chosen(rules[:1], incident(CRITICAL)) is None


def test_a_template_is_filled_with_what_was_reported() -> None:
    text = "{source}: {title} ({severity}, {urgency}, {priority}) {service} {labels.team}{labels.none}"
    assert filled(text, "pagerduty", incident(), CRITICAL) == (
        "pagerduty: Checkout is down (Critical, sev-1, high, P1) checkout, PIJ90N7 payments"
    )


def test_what_was_reported_is_no_template_and_no_markup() -> None:
    told = incident(title="{severity} <b>\x1b[31m\u202eevil\ud800\x00\r\nnext {labels.team}")
    assert filled("{title}", "s", told, CRITICAL) == "{severity} <b> [31m evil next {labels.team}"


def test_a_text_is_bounded() -> None:
    made = filled("{title}", "s", incident(title="x" * 10_000), Signal())
    assert (len(made), made[-1]) == (LONGEST_TEXT, "…")
    assert plain(" \u200b \n ", 10) == ""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"title": "{sevrity}"}, "{sevrity} stands for nothing; known: {priority}"),
        ({"reason": "{labels.}"}, "{labels.} stands for nothing"),
        ({"match": {}}, "an empty match would mean every incident"),
        ({"match": []}, "at least 1 item"),
        ({"match": {"labels": {}}}, "at least 1 item"),
        ({"match": {"severity": []}}, "at least 1 item"),
        ({"match": {"sevrity": "x"}}, "not permitted"),
        ({"life": "4m"}, "is 5 minutes to 7 days"),
        ({"life": "8d"}, "is 5 minutes to 7 days"),
        ({"life": "10m", "thaw_after": "11m"}, "is longer than `life`"),
        ({"name": "Sev 1"}, "pattern"),
    ],
)
def test_a_rule_that_can_hardly_be_meant_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        rule(**fields)
    assert message in str(error.value)
