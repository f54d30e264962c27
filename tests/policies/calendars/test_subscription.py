"""Calendars by URL in policy files: how they are found, recorded without their URL, and frozen by."""

import json

import pytest

from app.core.decision import Question
from app.core.instant import parse_instant
from app.policies.calendars.subscription import MOST_URLS, mask, subscriptions
from app.policies.lint.lint import lint
from app.policies.load import load, load_untested
from app.policies.loaded import LoadedPolicies
from app.policies.selftest import run
from app.policies.source import Snapshot
from app.yaml.problem import PolicyFileError

URL = "https://calendar.example.com/private-8f3a/basic.ics"
KEY = "https://calendar.example.com/#6269a26262487fc4"
NOON = parse_instant("2026-12-24T11:00:00Z")
LINES = (
    "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN", "BEGIN:VEVENT", "UID:1", "SUMMARY:Freeze",
    "DTSTAMP:20261101T000000Z", "DTSTART:20261224T080000Z", "DTEND:20261224T170000Z", "END:VEVENT",
    "END:VCALENDAR", "",
)  # fmt: skip
CALENDAR = "\r\n".join(LINES)


def policies(window: str, *, effect: str = "deny", more: str = "") -> str:
    return (
        "version: 1\npolicies:\n  - id: releases\n    title: No deploys during releases\n    reason: Busy.\n"
        f"    effect: {effect}\n    when:\n      - icalendar: {window}\n{more}"
    )


def snapshot(window: str, text: str | None = None, *, effect: str = "deny", more: str = "") -> Snapshot:
    calendars = {} if text is None else {KEY: text}
    return Snapshot.of(policies(window, effect=effect, more=more), calendars=calendars)


def blocking(loaded: LoadedPolicies, at: int = NOON) -> list[tuple[str, str]]:
    return [
        (each.rule.title, each.rule.reason) for each in loaded.engine.decide(Question("api"), at).blocking
    ]


@pytest.mark.parametrize(
    "written",
    [
        f"{{url: {URL}}}",
        f'{{url: "{URL}", title: Releases}}',
        f"{{'url': '{URL}', required: true}}",
        f'{{"url": "{URL}"}}',
        f"\n          url: {URL}\n          free: count",
        f"\n          url: &address {URL} # the private one",
    ],
)
def test_a_url_is_masked_in_the_record_and_nothing_else_changes(written: str) -> None:
    more = f"    link: {URL}\n"
    found = snapshot(written, CALENDAR, more=more)
    assert [each.url for each in found.subscriptions] == [URL]
    recorded = json.loads(found.to_json())["policies"]["policies.yaml"]
    assert recorded == found.policies["policies.yaml"].replace(URL, KEY, 1)
    assert blocking(load(found)) == [("No deploys during releases", "Busy.")]


def test_urls_that_begin_alike_are_masked_apart() -> None:
    urls = ["https://example.com/", "https://example.com/a", "https://example.com/a,b"]
    text = "".join(f"- icalendar: {{url: '{url}'}}\n" for url in urls)
    masked = mask(text, urls)
    assert not any(url in masked for url in urls[1:])
    assert len(set(masked.splitlines())) == 3


def test_a_replay_from_the_record_is_the_same_set() -> None:
    for text in (CALENDAR, None):
        for window in (f"{{url: {URL}}}", f"{{url: {URL}, required: true}}"):
            now = snapshot(window, text)
            then = Snapshot.from_json(now.to_json())
            assert then.revision == now.revision
            assert URL not in now.to_json()
            assert blocking(load(then)) == blocking(load(now))
            assert Snapshot.from_json(then.to_json()) == then


def test_the_revision_changes_with_what_was_fetched() -> None:
    window = f"{{url: {URL}}}"
    revisions = {snapshot(window, text).revision for text in (None, CALENDAR, CALENDAR + "\r\n")}
    assert len(revisions) == 3
    assert snapshot(f"{{url: {URL}?new}}").revision not in revisions


def test_a_required_calendar_that_was_never_loaded_freezes_at_all_times_and_says_why() -> None:
    window = f"{{url: {URL}, required: true}}"
    name = "calendar.example.com (6269a262)"
    for at in (NOON, parse_instant("2031-06-01T00:00:00Z")):
        ((title, reason),) = blocking(load(snapshot(window)), at)
        assert title == f"No deploys during releases (the calendar {name} was never loaded)"
        assert reason.startswith(f"The calendar {name} is required and was never loaded; until then")
        assert reason.endswith("this policy freezes at all times.")
    assert blocking(load(snapshot(window, CALENDAR))) == [("No deploys during releases", "Busy.")]
    assert blocking(load(snapshot(window, CALENDAR)), NOON + 86_400) == []


def test_a_title_is_shown_instead_of_the_host() -> None:
    ((title, _),) = blocking(load(snapshot(f"{{url: {URL}, required: true, title: Releases}}")))
    assert title == "No deploys during releases (the calendar Releases was never loaded)"


def test_an_exception_that_was_never_loaded_takes_nothing_away() -> None:
    policy = policies("{file: always.ics}").replace("icalendar: {file: always.ics}", "always: true")
    for required in ("true", "false"):
        text = policy + f"    except_when: [{{icalendar: {{url: {URL}, required: {required}}}}}]\n"
        assert len(blocking(load(Snapshot.of(text)))) == 1


def test_an_opening_that_was_never_loaded_never_opens() -> None:
    for required in ("true", "false"):
        window = f"{{url: {URL}, required: {required}}}"
        assert len(blocking(load(snapshot(window, effect="allow-only")))) == 1
        assert blocking(load(snapshot(window, CALENDAR, effect="allow-only"))) == []


def test_a_warning_that_was_never_loaded_warns() -> None:
    decision = load(snapshot(f"{{url: {URL}, required: true}}", effect="warn")).engine.decide(
        Question("api"), NOON
    )
    assert decision.allowed
    assert "warns at all times" in decision.warnings[0].rule.reason


@pytest.mark.parametrize("text", [None, CALENDAR])
@pytest.mark.parametrize("required", ["true", "false"])
def test_self_tests_see_no_events_of_a_url(text: str | None, required: str) -> None:
    more = "tests: [{at: 2026-12-24 12:00, service: api, expect: allow}]\n"
    loaded = load(snapshot(f"{{url: {URL}, required: {required}}}", text, more=more))
    assert [each.passed for each in run(loaded)] == [True]


def linted(window: str, text: str | None = None, *, effect: str = "deny") -> str:
    return "\n".join(map(str, lint(snapshot(window, text, effect=effect), NOON)))


def test_lint_asks_what_holds_until_a_calendar_is_loaded() -> None:
    for text in (None, CALENDAR):
        assert "it freezes nothing; write required: true to freeze" in linted(f"{{url: {URL}}}", text)
        for required in ("true", "false"):
            assert "icalendar" not in linted(f"{{url: {URL}, required: {required}}}", text)
    assert "icalendar" not in linted(f"{{url: {URL}}}", effect="allow-only")


def test_lint_warns_of_an_address_that_is_not_encrypted() -> None:
    assert "this address is not encrypted" in linted("{url: http://example.com/x, required: true}")


def test_lint_warns_of_a_masked_address_whose_events_are_unknown() -> None:
    assert "icalendar.url: this is the masked address" in linted(f"{{url: {KEY}, required: true}}")
    assert "masked" not in linted(f"{{url: {KEY}, required: true}}", CALENDAR)


def test_no_error_repeats_a_url() -> None:
    for window in (f"{{url: {URL}, sumary: x}}", f"{{url: {URL}#x}}", f"{{url: {URL}, file: a.ics}}"):
        with pytest.raises(PolicyFileError) as caught:
            load_untested(snapshot(window))
        assert "8f3a" not in str(caught.value)


def test_a_calendar_that_can_not_be_read_is_an_error_of_its_url() -> None:
    with pytest.raises(PolicyFileError, match=r"icalendar\.url: what was fetched is not an iCalendar file"):
        load(snapshot(f"{{url: {URL}}}", "<html>"))


def test_many_policies_may_share_a_url_and_its_title() -> None:
    texts = [policies(f"{{url: {URL}}}"), policies(f"{{url: {URL}, title: Releases}}")]
    (found,) = subscriptions(texts)
    assert (found.url, found.title, found.key) == (URL, "Releases", KEY)
    assert MOST_URLS == 20
