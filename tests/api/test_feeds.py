"""The calendar feed, read by two libraries that know nothing of ours, and the badges."""

import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest
import vobject  # type: ignore[import-untyped]
import yaml
from icalendar import Calendar
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.badge import AMBER, BLUE, GREEN, GREY, LABEL_COLOUR, RED, Badge, svg
from app.core.decision import Question
from app.core.engine import Engine
from app.core.feed import MOST, Wanted
from app.core.feed_calendar import rendered
from app.core.freeze import Freeze
from app.core.instant import DAY, HOUR, format_instant, parse_instant
from app.core.interval import Period
from app.core.policy import PolicySet, Selector
from app.gate.feeds import feed, feed_span
from app.gate.in_force import InForce
from app.gate.keys import KeyRequest
from app.gate.schedule import schedule
from app.identity.caller import Role
from app.main import create_app
from app.policies.source import Snapshot
from app.server.periodic import poll_policies
from app.settings import Settings
from tests.api.conftest import POLICIES, bearer, key_for
from tests.api.fakes import FakeClock
from tests.hostile import HOSTILE
from tests.live.gate import ROOT
from tests.spec.generate import case

NOW = parse_instant("2026-11-27T13:05:00Z")

Bounds = tuple[str, int, int]
"""The id of a rule, and from when until when it blocks."""

INJECTIONS = (
    "a\r\nBEGIN:VEVENT\r\nSUMMARY:b",
    "a\nEND:VCALENDAR",
    "a\rEND:VEVENT\rBEGIN:VEVENT",
    "a\r\n b",
    "a\r\n\tb\r\n",
    "a\x00b\x0bc\x0cd\x1ce\x1df\x1eg\x85h\x7fi",
    "a\ud800b",
    "a\\Nb",
    "C:\\New\\next",
    "\\;\\,\\",
)
"""What neither the file nor the API lets in; should it get in one day, it breaks nothing."""


class Seen(NamedTuple):
    """An event as a library reads it."""

    rule: str
    start: int
    end: int
    uid: str
    stamp: int
    summary: str
    description: str

    @property
    def bounds(self) -> Bounds:
        return self.rule, self.start, self.end


def by_icalendar(body: bytes) -> list[Seen]:
    return [
        Seen(
            str(event["x-freezegate-rule"]),
            int(event.decoded("dtstart").timestamp()),
            int(event.decoded("dtend").timestamp()),
            str(event["uid"]),
            int(event.decoded("dtstamp").timestamp()),
            str(event["summary"]),
            str(event["description"]),
        )
        for event in Calendar.from_ical(body).walk("VEVENT")
    ]


def by_vobject(body: bytes) -> list[Seen]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its own making, in places of its own
        calendar = vobject.readOne(body.decode())
        return [
            Seen(
                event.x_freezegate_rule.value,
                int(event.dtstart.value.timestamp()),
                int(event.dtend.value.timestamp()),
                event.uid.value,
                int(event.dtstamp.value.timestamp()),
                event.summary.value,
                event.description.value,
            )
            for event in calendar.contents.get("vevent", ())
        ]


def read(body: bytes) -> list[Seen]:
    """The events, which both libraries must see alike; and the form that every calendar may rely on."""
    seen = by_icalendar(body)
    assert by_vobject(body) == seen
    assert len({each.uid for each in seen}) == len(seen)
    assert body.endswith(b"\r\n")
    assert all(len(line) <= 75 for line in body.split(b"\r\n"))
    assert not re.search(rb"[^\r]\n|\r[^\n]|[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]", body)
    return seen


def fetch(gate: TestClient, **asked: str) -> list[Seen]:
    reply = gate.get("/calendar.ics", params=asked)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "text/calendar; charset=utf-8"
    return read(reply.content)


def scheduled(timelines: Iterable[dict[str, Any]], span: Period) -> set[Bounds]:
    """The stretches that timelines name; a name of one with fewer bounds is no other stretch."""
    found: dict[str, set[tuple[float, float]]] = {}
    for timeline in timelines:
        for segment in timeline["segments"]:
            for each in segment["blocking"]:
                start = parse_instant(each["from"]) if each["from"] else float("-inf")
                end = parse_instant(each["until"]) if each["until"] else float("inf")
                known = found.setdefault(each["id"], set())
                same = {other for other in known if other[0] < end and start < other[1]}
                known -= same
                known.add(
                    (max(start, *(s for s, _ in same)), min(end, *(e for _, e in same)))
                    if same
                    else (start, end)
                )
    return {
        (
            rule,
            int(max(start, span.start)) if start == float("-inf") else int(start),
            span.end if end == float("inf") else int(end),
        )
        for rule, known in found.items()
        for start, end in known
    }


def of_schedule(gate: TestClient, asked: dict[str, str], now: int = NOW) -> set[Bounds]:
    """The same as the API tells it, in two requests, for one may ask for 366 days at most."""
    span = feed_span(now)
    middle = span.start + 200 * DAY
    timelines = [
        gate.get(
            "/schedule", params={**asked, "from": format_instant(start), "to": format_instant(end)}
        ).json()
        for start, end in ((span.start, middle), (middle, span.end))
    ]
    return scheduled(timelines, span)


@contextmanager
def served(folder: Path, text: str, now: int = NOW, **more: Any) -> Iterator[TestClient]:
    (folder / "policies.yaml").write_text(text)
    database = SecretStr(f"sqlite:///{folder / 'gate.db'}")
    settings = Settings(policies=folder / "policies.yaml", database_url=database, **more)
    with TestClient(create_app(settings, clock=FakeClock(now))) as client:
        yield client


def freeze(gate: TestClient, **fields: Any) -> dict[str, Any]:
    key = key_for(gate, KeyRequest("ops person", Role.OPS))
    body = {"title": "Incident", "reason": "The database is on fire.", **fields}
    reply = gate.post("/freezes", json=body, headers=bearer(key))
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


def in_force(policy_set: dict[str, Any], freezes: Iterable[Freeze] = ()) -> InForce:
    engine = Engine(PolicySet.model_validate(policy_set)).with_freezes(list(freezes))
    return InForce(engine, Snapshot.of("version: 1\n"), NOW, ())


SHIPPED = (ROOT / "policies.yaml").read_text()

ZONED = """\
version: 1
timezone: Europe/Amsterdam
services:
  checkout: {tags: [tier-1], timezone: America/New_York}
  kiosk: {tags: [tier-1], timezone: Asia/Kathmandu}
  docs: {tags: [static]}
policies:
  - id: working-hours
    title: Deploy while the team is awake
    reason: Someone has to watch it.
    effect: allow-only
    timezone: service
    applies_to: {tags: [tier-1]}
    when:
      - daily: {days: [mon-thu], from: "09:00", to: "16:00"}
  - id: night
    title: At night
    reason: Nobody is awake.
    when:
      - daily: {from: "02:15", to: "02:45"}
  - id: closed
    title: Closed
    reason: Nobody reads it.
    applies_to: {services: [docs]}
    when:
      - always: true
"""


@pytest.mark.parametrize(
    "asked", [{}, {"change": "rollback"}, {"environment": "staging"}, {"change": "hotfix"}]
)
def test_the_feed_has_exactly_the_freezes_of_the_schedule(tmp_path: Path, asked: dict[str, str]) -> None:
    with served(tmp_path, SHIPPED) as gate:
        seen = fetch(gate, service="api", **asked)
        assert {each.bounds for each in seen} == of_schedule(gate, {"service": "api", **asked})
        assert bool(seen) == (asked.get("environment") != "staging")
        # Nothing in the shipped file singles a service out: the environment itself is no other.
        assert {each.bounds for each in fetch(gate, **asked)} == {each.bounds for each in seen}


@pytest.mark.parametrize("service", ["checkout", "kiosk", "docs", "unlisted"])
def test_it_has_those_of_a_service_in_its_own_zone(tmp_path: Path, service: str) -> None:
    with served(tmp_path, ZONED) as gate:
        seen = fetch(gate, service=service)
        assert {each.bounds for each in seen} == of_schedule(gate, {"service": service})
    if service == "checkout":
        starts = {datetime.fromtimestamp(each.start, UTC) for each in seen if each.rule == "working-hours"}
        assert datetime(2026, 12, 1, 21, tzinfo=UTC) in starts
        assert datetime(2027, 6, 1, 20, tzinfo=UTC) in starts


def test_a_night_that_lacks_an_hour_and_one_that_has_it_twice_are_right(tmp_path: Path) -> None:
    with served(tmp_path, ZONED) as gate:
        nights = {each.start: each.end for each in fetch(gate) if each.rule == "night"}
    assert parse_instant("2027-03-27T01:15:00Z") in nights
    assert not any(
        parse_instant("2027-03-28T00:00:00Z") <= each < parse_instant("2027-03-29T00:00:00Z")
        for each in nights
    )
    assert nights[parse_instant("2027-10-31T00:15:00Z")] == parse_instant("2027-10-31T01:45:00Z")


@pytest.mark.parametrize("seed", range(1, 31))
def test_it_has_those_of_generated_policies(seed: int) -> None:
    one = case(seed, 1)
    made = in_force(one.policy_set)
    span = feed_span(one.questions[0].at)
    for wanted in (
        Wanted("production", "api"),
        Wanted("staging", "web/shop", "hotfix"),
        Wanted("production"),
    ):
        shown = feed(made, wanted, span, NOW)
        question = Question(wanted.service or "", wanted.environment, wanted.change or "normal")
        expected = scheduled([schedule(made, question, span)], span)
        found = (
            [each.bounds for each in read(rendered(shown, made.home))]
            if len(shown.entries) < 600
            else [
                (
                    each.rule.id,
                    span.start if each.start is None else each.start,
                    span.end if each.end is None else each.end,
                )
                for each in shown.entries
            ]
        )
        assert len(set(found)) == len(found)
        assert set(found) == expected if shown.whole else set(found) < expected


def test_ad_hoc_freezes_stand_in_it_whatever_became_of_them(gate: TestClient, clock: FakeClock) -> None:
    key = bearer(key_for(gate, KeyRequest("second ops person", Role.OPS)))
    short = freeze(gate, ttl="2h", services=["checkout"])
    coming = freeze(
        gate, starts_at="2027-02-01T10:00:00Z", until="2027-02-01T12:00:00Z", link="https://a.example/1"
    )
    endless = freeze(gate, open_ended=True, override="never", contact="#incidents")
    lifted = freeze(gate, ttl="1h")
    clock.at += 600
    assert gate.delete(f"/freezes/{lifted['id']}", headers=key).status_code == 200
    seen = {each.rule: each for each in fetch(gate, service="checkout")}
    assert {each.bounds for each in fetch(gate, service="checkout")} == of_schedule(
        gate, {"service": "checkout"}
    )
    assert seen[short["id"]].end == NOW + 2 * HOUR
    assert seen[coming["id"]].description.splitlines()[1:] == [
        "Started by: ops person",
        "Link: https://a.example/1",
        "An override token may lift it.",
    ]
    assert seen[lifted["id"]].end == NOW + 600
    assert seen[endless["id"]].end == feed_span(NOW).end
    assert seen[endless["id"]].description.splitlines() == [
        "The database is on fire.",
        "Started by: ops person",
        "Contact: #incidents",
        "No override token lifts it.",
        "No end is known; it is shown until Sun 28 Nov 2027 01:00 CET, where this calendar ends.",
    ]
    before = seen[short["id"]].uid
    gate.patch(f"/freezes/{short['id']}", json={"ttl": "9h"}, headers=key)
    assert {each.rule: each.uid for each in fetch(gate, service="checkout")}[short["id"]] == before
    assert short["id"] not in {each.rule for each in fetch(gate)}


def test_a_freeze_without_bounds_spans_the_feed_and_says_so(tmp_path: Path) -> None:
    with served(tmp_path, ZONED) as gate:
        closed = next(each for each in fetch(gate, service="docs") if each.rule == "closed")
    assert closed.bounds == ("closed", *feed_span(NOW))
    assert closed.description.splitlines()[2:] == [
        "It began more than two years ago.",
        "No end is known; it is shown until Sun 28 Nov 2027 01:00 CET, where this calendar ends.",
    ]


def test_a_freeze_of_years_is_one_entry_by_the_bounds_that_are_ever_in_sight() -> None:
    years = {"dates": {"from": "2025-01-10 08:00", "to": "2028-12-10 08:00"}}
    policies = [
        {"id": "years", "title": "t", "reason": "r", "when": [years]},
        {"id": "nights", "title": "t", "reason": "r", "when": [{"daily": {"from": "22:00", "to": "06:00"}}]},
    ]
    made = in_force({"version": 1, "timezone": "UTC", "policies": policies})
    shown = feed(made, Wanted("production"), feed_span(NOW), NOW)
    found = [(each.start, each.end) for each in shown.entries if each.rule.id == "years"]
    assert found == [(parse_instant("2025-01-10T08:00:00Z"), parse_instant("2028-12-10T08:00:00Z"))]


def test_an_entry_is_stamped_with_when_it_was_last_revised(gate: TestClient, clock: FakeClock) -> None:
    # RFC 5545, 3.8.7.2: without a METHOD, DTSTAMP is when the information was last revised.
    key = bearer(key_for(gate, KeyRequest("second ops person", Role.OPS)))
    untouched, extended, lifted = (freeze(gate, ttl="2h") for _ in range(3))
    clock.at += 600
    assert gate.patch(f"/freezes/{extended['id']}", json={"ttl": "9h"}, headers=key).status_code == 200
    clock.at += 60
    assert gate.delete(f"/freezes/{lifted['id']}", headers=key).status_code == 200
    clock.at += 60
    assert gate.delete(f"/freezes/{lifted['id']}", headers=key).status_code == 200  # changes nothing
    stamps = {each.rule: each.stamp for each in fetch(gate)}
    assert stamps[untouched["id"]] == NOW
    assert stamps[extended["id"]] == NOW + 600
    assert stamps[lifted["id"]] == NOW + 660
    assert stamps["friday-afternoon"] == NOW


def test_a_freeze_is_stamped_with_when_it_was_made(gate: TestClient, clock: FakeClock) -> None:
    clock.at += 60
    made = freeze(gate, ttl="2h", starts_at="2026-11-28T10:00:00Z")
    stamps = {each.rule: each.stamp for each in fetch(gate)}
    assert (stamps[made["id"]], stamps["friday-afternoon"]) == (NOW + 60, NOW)


def test_it_is_the_same_after_a_restart_and_on_a_second_replica(tmp_path: Path) -> None:
    with served(tmp_path, POLICIES) as gate:
        freeze(gate, open_ended=True)
        first = gate.get("/calendar.ics")
        with served(tmp_path, POLICIES, NOW + 900) as replica:
            assert replica.get("/calendar.ics").content == first.content
    with served(tmp_path, POLICIES, NOW + 10 * HOUR) as gate:
        again = gate.get("/calendar.ics")
        assert again.content == first.content
        assert again.headers["etag"] == first.headers["etag"]


def test_policies_that_change_and_change_back_stamp_alike_on_all_replicas(tmp_path: Path) -> None:
    changed = POLICIES.replace("It is lunch time", "Lunch")
    with served(tmp_path, POLICIES) as gate, served(tmp_path, POLICIES, NOW + 5) as replica:
        contexts = [each.app.state.context for each in (gate, replica)]  # type: ignore[attr-defined]
        for text in (changed, POLICIES):
            (tmp_path / "policies.yaml").write_text(text)
            for context in contexts:
                context.clock.at += 60
                poll_policies(context)
                poll_policies(context)
        assert len({each.policies.in_force.loaded_at for each in contexts}) == 2
        assert gate.get("/calendar.ics").content == replica.get("/calendar.ics").content
        assert {each.stamp for each in fetch(gate)} == {NOW + 120}


def test_entries_stay_what_they_are_as_time_moves_on(gate: TestClient, clock: FakeClock) -> None:
    before = {each.uid: each for each in fetch(gate)}
    clock.at += 9 * DAY
    after = {each.uid: each for each in fetch(gate)}
    both = before.keys() & after.keys()
    assert len(both) > 45
    assert all(before[uid] == after[uid] for uid in both)
    assert {each.bounds for each in after.values()} == of_schedule(gate, {"service": "api"}, clock.at)


def test_feeds_of_others_have_other_ids(gate: TestClient) -> None:
    ids = [
        {each.uid for each in fetch(gate, **asked)} for asked in ({}, {"service": "api"}, {"service": "web"})
    ]
    assert not ids[0] & ids[1]
    assert not ids[1] & ids[2]


def test_it_is_there_while_the_store_is_away(gate: TestClient, clock: FakeClock) -> None:
    before = fetch(gate)
    clock.at += 60
    context = gate.app.state.context  # type: ignore[attr-defined]
    context.gate._store._readers.shutdown(wait=True)
    assert fetch(gate) == before
    assert context.policies.in_force.loaded_at == before[0].stamp


def test_who_has_it_already_gets_304(gate: TestClient, clock: FakeClock) -> None:
    first = gate.get("/calendar.ics")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, max-age=300"
    clock.at += 3 * HOUR
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        reply = gate.get("/calendar.ics", headers={"If-None-Match": known})
        assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", tag)
    assert gate.get("/calendar.ics", headers={"If-None-Match": '"x"'}).status_code == 200
    freeze(gate, ttl="1h")
    assert gate.get("/calendar.ics", headers={"If-None-Match": tag}).status_code == 200


def test_it_tells_calendars_its_name_and_when_to_come_back(gate: TestClient) -> None:
    lines = gate.get("/calendar.ics", params={"service": "checkout", "change": "hotfix"}).text.split("\r\n")
    for line in (
        "X-WR-CALNAME:Deploy freezes: checkout in production (hotfix)",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
        "TRANSP:TRANSPARENT",
        "STATUS:CONFIRMED",
        "CATEGORIES:Deploy freeze",
        "DTSTART:20261127T130000Z",
    ):
        assert line in lines


def test_a_rule_that_freezes_every_few_minutes_does_not_make_it_endless() -> None:
    window = {"cron": {"start": "*/2 * * * *", "duration": "1m"}}
    policy = {"id": "often", "title": "t", "reason": "r", "when": [window]}
    made = in_force({"version": 1, "timezone": "UTC", "policies": [policy]})
    shown = feed(made, Wanted("production"), feed_span(NOW), NOW)
    assert (len(shown.entries), shown.whole) == (MOST, False)
    few = shown._replace(entries=shown.entries[:3])
    assert b"X-WR-CALDESC:Only the first 3 freezes" in rendered(few, made.home)


@pytest.mark.parametrize("path", ["/calendar.ics", "/badge.svg", "/badge.json"])
@pytest.mark.parametrize(
    "query",
    ["environment=nowhere", "service=UPPER", "x=1", "environment=staging&environment=production", "service="],
)
def test_what_is_malformed_or_unknown_is_refused(gate: TestClient, path: str, query: str) -> None:
    reply = gate.get(f"{path}?{query}")
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"


def test_where_unlisted_services_are_refused_a_feed_of_the_environment_is_not(tmp_path: Path) -> None:
    with served(tmp_path, ZONED.replace("policies:", "unknown_services: refuse\npolicies:", 1)) as gate:
        assert fetch(gate)
        assert fetch(gate, change="normal")
        assert gate.get("/calendar.ics", params={"service": "unlisted"}).status_code == 422
        told = gate.get("/calendar.ics", params={"change": "hotfix"}).json()["errors"]
        assert told == [{"field": "service", "message": "is needed beside this kind of change"}]
        assert gate.get("/calendar.ics", params={"change": "whim"}).json()["errors"][0]["field"] == "change"


# Texts of others


def cleaned(text: str) -> str:
    """What docs/how-to/calendar-feed.md says becomes of a text."""
    one = text.replace("\r\n", "\n").replace("\r", "\n").replace("\\N", "\\n")
    return "".join(
        " "
        if letter != "\n" and (letter == "\ufeff" or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp"))
        else letter
        for letter in one
    )


def unescaped(body: bytes, name: str) -> list[str]:
    """The texts of a property by the letter of RFC 5545: unfolded, and read from left to right."""
    lines = body.decode().replace("\r\n ", "").split("\r\n")
    values = [line.partition(":")[2] for line in lines if line.startswith(f"{name}:")]
    return [re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value) for value in values]


def because(text: str) -> str:
    """A reason that begins as a text, and does not only repeat the title that is this text."""
    other = "-" if text[-2:-1] == "~" else "~"
    return f"{text[:-2]}{other}{text[-1:]}"


def hostile_policies() -> str:
    first = date(2026, 12, 1)
    policies = [
        {
            "id": f"p{number}",
            "title": text,
            "reason": because(text),
            "contact": text,
            "when": [
                {"dates": {"from": str(first + timedelta(number)), "to": str(first + timedelta(number))}}
            ],
        }
        for number, text in enumerate(HOSTILE)
    ]
    return yaml.safe_dump({"version": 1, "timezone": "UTC", "policies": policies}, sort_keys=False)


def test_texts_of_a_policy_file_come_through_as_they_are(tmp_path: Path) -> None:
    assert len(HOSTILE) == 200
    with served(tmp_path, hostile_policies()) as gate:
        body = gate.get("/calendar.ics").content
        policies = gate.app.state.context.policies.in_force.policy_set.policies  # type: ignore[attr-defined]
    check_texts(body, [(each.title, each.reason, each.contact) for each in policies])


def test_texts_of_ad_hoc_freezes_come_through_cleaned() -> None:
    texts = (*HOSTILE, *INJECTIONS)
    frozen = [
        Freeze(
            f"frz_{number}",
            text,
            because(text),
            text,
            None,
            Selector.model_validate({}),
            "token",
            NOW + number * HOUR,
            NOW + (number + 1) * HOUR,
            "a",
            NOW,
        )
        for number, text in enumerate(texts)
    ]
    made = in_force({"version": 1, "timezone": "UTC", "policies": []}, frozen)
    shown = feed(made, Wanted("production"), feed_span(NOW), NOW)
    check_texts(
        rendered(shown, made.home), [(text, because(text), text) for text in texts], "\nStarted by: a"
    )


def check_texts(body: bytes, texts: list[tuple[str, str, str]], after_reason: str = "") -> None:
    summaries = [cleaned(title).replace("\n", " ") for title, _, _ in texts]
    descriptions = [
        cleaned(f"{reason}{after_reason}\nContact: {contact}\nAn override token may lift it.")
        for _, reason, contact in texts
    ]
    assert unescaped(body, "SUMMARY") == summaries
    assert unescaped(body, "DESCRIPTION") == descriptions
    assert body.count(b"\r\nBEGIN:VEVENT\r\n") == len(texts)
    for seen in (by_icalendar(body), by_vobject(body)):
        assert [each.summary for each in seen] == summaries
        assert [each.description for each in seen] == descriptions
    read(body)


@pytest.mark.parametrize("text", [*HOSTILE, *INJECTIONS], ids=range(len(HOSTILE) + len(INJECTIONS)))
def test_no_text_breaks_the_picture(text: str) -> None:
    drawn = svg(Badge(text, GREEN))
    root = ET.fromstring(drawn.encode())  # noqa: S314 - drawn by us; that it is well-formed is the test
    told = re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", text)
    assert [each.tag.rpartition("}")[2] for each in root.iter()] == [
        "svg",
        "title",
        "rect",
        "rect",
        "g",
        "text",
        "text",
    ]
    assert root.attrib["aria-label"] == root[0].text == f"deploys: {told}"
    assert root[3][1].text == told
    assert not {
        name for each in root.iter() for name in each.attrib if name.startswith("on") or "href" in name
    }


# Badges


def picture(gate: TestClient, **asked: str) -> ET.Element:
    reply = gate.get("/badge.svg", params=asked)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("image/svg+xml")
    return ET.fromstring(reply.content)  # noqa: S314 - drawn by us


@pytest.mark.parametrize(
    ("at", "asked", "message", "colour"),
    [
        ("2026-11-27T13:05:00Z", {}, "frozen until Mon 08:00 CET", BLUE),
        ("2026-11-27T13:05:00Z", {"service": "docs-site"}, "open", GREEN),
        ("2026-11-27T13:05:00Z", {"service": "checkout"}, "frozen until Mon 08:00 CET", BLUE),
        ("2026-11-27T13:05:00Z", {"environment": "staging"}, "open", GREEN),
        ("2026-11-25T11:30:00Z", {}, "open, with a warning", AMBER),
        ("2027-07-03T11:30:00Z", {}, "frozen until Mon 08:00 CEST", BLUE),
    ],
)
def test_the_badges_say_how_it_stands(
    gate: TestClient, clock: FakeClock, at: str, asked: dict[str, str], message: str, colour: str
) -> None:
    clock.at = parse_instant(at)
    told = gate.get("/badge.json", params=asked).json()
    assert told == {"schemaVersion": 1, "label": "deploys", "message": message, "color": colour}
    root = picture(gate, **asked)
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", f"deploys: {message}")
    assert root[2].attrib["fill"] == f"#{colour}"


def test_a_badge_names_the_day_of_a_far_opening_and_none_where_there_is_none(gate: TestClient) -> None:
    freeze(gate, until="2026-12-24T10:00:00Z", services=["docs-site"])
    freeze(gate, open_ended=True, services=["checkout"])
    told = [gate.get("/badge.json", params={"service": name}).json() for name in ("docs-site", "checkout")]
    # An ad-hoc freeze is red, as on the dashboard.
    assert [(each["message"], each["color"]) for each in told] == [
        ("frozen until Thu 24 Dec 11:00 CET", RED),
        ("frozen", RED),
    ]


def test_while_the_store_is_away_no_badge_says_open(gate: TestClient) -> None:
    gate.app.state.context.cache.degraded_since = NOW  # type: ignore[attr-defined]
    told = [
        gate.get("/badge.json", params={"environment": name}).json() for name in ("staging", "production")
    ]
    assert [(each["message"], each["color"]) for each in told] == [
        ("unknown", GREY),
        ("frozen until Mon 08:00 CET", BLUE),
    ]


def test_badges_are_fetched_anew_and_load_nothing(gate: TestClient) -> None:
    drawn, told = gate.get("/badge.svg"), gate.get("/badge.json")
    assert drawn.headers["cache-control"] == told.headers["cache-control"] == "no-cache, max-age=0"
    assert drawn.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert drawn.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script|<style|<image|href|url\(|@import", drawn.text)


@pytest.mark.parametrize("colour", [GREEN, AMBER, BLUE, RED, GREY, LABEL_COLOUR])
def test_white_is_readable_on_every_colour(colour: str) -> None:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    luminance = sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    assert 1.05 / (luminance + 0.05) >= 4.5
