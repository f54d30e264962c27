"""Calendars by URL: whatever a server does, no freeze is opened; what is good is taken, kept and shown."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.core.decision import Question
from app.core.instant import DAY, HOUR, MINUTE, parse_instant
from app.gate.calendars import AGREES_AFTER, PERIOD, Calendars, News
from app.gate.in_force import Policies
from app.gate.status import status
from app.main import open_resources
from app.outbound import Outbound
from app.policies.calendars.addresses import Reach
from app.policies.calendars.fetch import NO_VALIDATORS, CalendarFetchError, Fetch, Fetcher, Validators
from app.policies.calendars.kept import CalendarFolder
from app.policies.source import Source
from app.server.metrics import Metrics
from app.settings import Settings
from tests.api.fakes import FakeClock
from tests.policies.calendars.calendar_server import CalendarServer, reply

pytestmark = pytest.mark.anyio

NOW = parse_instant("2026-11-29T12:00:00Z")
URL = "https://calendar.example/private-1/basic.ics"
POLICIES = f"""version: 1
policies:
  - id: releases
    title: No deploys during releases
    reason: Busy.
    when:
      - icalendar: {{url: "{URL}", title: Releases}}
"""


def calendar(*days: int, head: str = "", uid: str = "") -> str:
    """A calendar with a freeze on each of these days after today."""
    events = "".join(
        f"BEGIN:VEVENT\r\nUID:{uid}{day}\r\nDTSTAMP:20261101T000000Z\r\nSUMMARY:Freeze {day}\r\n"
        f"DTSTART:202612{day:02}T080000Z\r\nDTEND:202612{day:02}T170000Z\r\nEND:VEVENT\r\n"
        for day in days
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\n{head}{events}END:VCALENDAR\r\n"


WHOLE = calendar(*range(1, 9))


class Server(Fetcher):
    """A server in place of the network: `answer` is a text, an error, or None for "not modified"."""

    def __init__(self) -> None:
        super().__init__(Outbound(), Reach())
        self.answer: str | CalendarFetchError | None = WHOLE
        self.conditions: list[Validators] = []

    async def fetch(self, url: str, validators: Validators = NO_VALIDATORS) -> Fetch:
        assert url == URL
        self.conditions.append(validators)
        await asyncio.sleep(0)
        if isinstance(self.answer, CalendarFetchError):
            raise self.answer
        if self.answer is None:
            return Fetch(None, validators)
        return Fetch(self.answer, Validators(etag=f'"{len(self.conditions)}"'))


class Replica:
    """A gate on policies in a folder, and its calendars."""

    def __init__(self, folder: Path, server: Server | None = None, text: str = POLICIES) -> None:
        self.clock = FakeClock(NOW)
        self.server = server or Server()
        self.file = folder / "policies.yaml"
        self.folder = folder / "calendars"
        if not self.file.exists():
            self.file.write_text(text)
        self.policies = Policies()
        self.calendars = Calendars(
            self.policies, self.server, CalendarFolder(self.folder), self.clock, jitter=lambda: 0.0
        )
        self.source = Source(self.file, self.calendars)

    async def start(self) -> "Replica":
        """Start as `serve` does: in a thread without a loop."""
        await asyncio.to_thread(lambda: self.calendars.begin(self.source.read().subscriptions))
        self.policies.load(self.source, self.clock.at)
        return self

    async def later(self, seconds: int = PERIOD) -> list[News]:
        """Let time pass, fetch what is due, and take it."""
        self.clock.at += seconds
        news = await self.calendars.refresh()
        for _ in range(2):
            self.policies.poll(self.clock.at)
        return news

    def frozen(self, day: int) -> bool:
        """Whether it is frozen at noon of a day of December."""
        at = parse_instant(f"2026-12-{day:02}T12:00:00Z")
        return not self.policies.in_force.engine.decide(Question("api"), at).allowed

    @property
    def days(self) -> list[int]:
        return [day for day in range(1, 29) if self.frozen(day)]


async def running(folder: Path, text: str = POLICIES) -> Replica:
    return await Replica(folder, text=text).start()


async def test_a_start_has_its_calendars_before_the_first_answer(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    assert gate.days == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_changed_calendar_changes_the_revision_and_what_is_frozen(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    revision = gate.policies.in_force.revision
    gate.server.answer = calendar(*range(1, 10))
    assert [each.sentence for each in await gate.later()] == ["the calendar Releases has changed"]
    assert gate.days[-1] == 9
    assert gate.policies.in_force.revision != revision
    assert URL not in gate.policies.in_force.snapshot.to_json()


async def test_requests_are_conditional_and_not_modified_counts_as_checked(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    gate.server.answer = None
    await gate.later()
    assert gate.server.conditions == [NO_VALIDATORS, Validators(etag='"1"')]
    (state,) = gate.calendars.states()
    assert state.kept is not None
    assert (state.kept.fetched_at, state.kept.checked_at) == (NOW, NOW + PERIOD)
    assert gate.days[-1] == 8


async def test_calendars_are_fetched_every_quarter_of_an_hour_by_all_replicas_at_once(tmp_path: Path) -> None:
    first = await running(tmp_path)
    fetched = {0: [NOW], 1: list[int]()}
    second = Replica(tmp_path)
    second.clock.at = NOW + 7 * MINUTE
    await second.start()
    replicas = (first, second)
    first.clock.at = second.clock.at
    for _ in range(60):
        for number, replica in enumerate(replicas):
            before = len(replica.server.conditions)
            await replica.later(MINUTE)
            if len(replica.server.conditions) > before:
                fetched[number].append(replica.clock.at)
    assert fetched[1][1:] == [at for at in fetched[0] if at > fetched[1][0]]
    assert {b - a for a, b in zip(fetched[1][1:], fetched[1][2:], strict=False)} == {PERIOD}
    assert fetched[1][0] == NOW + 8 * MINUTE  # what was kept by another run is checked at once


async def test_a_clock_that_was_set_back_does_not_put_a_fetch_off(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    await gate.later()
    asked = len(gate.server.conditions)
    await gate.later(-10 * DAY)
    assert len(gate.server.conditions) == asked + 1


# Nothing that a server does opens a freeze

BROKEN: dict[str, str | CalendarFetchError] = {
    "down": CalendarFetchError("the server can't be reached"),
    "slow": CalendarFetchError("the server took longer than 30 seconds in all"),
    "empty": calendar(),
    "another calendar": calendar(20, 21, uid="other"),
    "half of its events, and one less": calendar(1, 2, 3),
    "cancelled": WHOLE.replace("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY"),
    "free": WHOLE.replace("SUMMARY", "TRANSP:TRANSPARENT\r\nSUMMARY"),
    "in the past": WHOLE.replace("202612", "202512"),
    "cut": WHOLE[: len(WHOLE) // 2],
    "not one": "<html>",
    "unknown zone": WHOLE.replace("DTSTART:", "DTSTART;TZID=Nowhere:"),
    "of AWS, turned round": calendar(*range(1, 9), head="X-CALENDAR-TYPE:DEFAULT_CLOSED\r\n"),
    "recurring every minute": WHOLE.replace("SUMMARY", "RRULE:FREQ=MINUTELY\r\nSUMMARY", 1),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_a_broken_server_opens_no_freeze(tmp_path: Path, answer: str | CalendarFetchError) -> None:
    gate = await running(tmp_path)
    gate.server.answer = answer
    for seconds in (PERIOD, MINUTE, MINUTE):
        await gate.later(seconds)
        assert gate.days == [1, 2, 3, 4, 5, 6, 7, 8]
    assert gate.policies.last_error is None
    (state,) = gate.calendars.states()
    assert (state.failure is None) is (state.pending is not None)
    gate.server.answer = WHOLE
    await gate.later()
    (state,) = gate.calendars.states()
    assert (state.failure, state.failing_since, state.pending) == (None, None, None)
    assert gate.days == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_large_loss_is_taken_when_it_is_seen_twice_and_told(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    gate.server.answer = calendar(1, 2)
    (first,), (second,) = await gate.later(), await gate.later()
    assert first.is_warning
    assert first.sentence.startswith(
        "the calendar Releases has lost 6 of its 8 coming events; they stay in force"
    )
    assert second.is_warning
    assert second.sentence.endswith(
        "has lost 6 of its 8 coming events, as two fetches found; the change is taken"
    )
    assert gate.days == [1, 2]


async def test_two_fetches_soon_after_each_other_are_one(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    gate.server.answer = calendar()
    await gate.later()
    calendars = gate.calendars._followed  # due at once, as after a clock that jumped
    for seconds in (1, AGREES_AFTER - 2):
        calendars[URL].next_at = 0
        await gate.later(seconds)
        assert len(gate.days) == 8
    calendars[URL].next_at = 0
    await gate.later(1)
    assert gate.days == []


async def test_a_second_loss_must_be_seen_twice_as_well(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    for answer in (calendar(1, 2, 3), calendar(1), calendar()):
        gate.server.answer = answer
        await gate.later()
        assert len(gate.days) == 8
    await gate.later()
    assert gate.days == []


async def test_a_small_loss_and_events_that_are_over_are_taken_at_once(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    gate.server.answer = calendar(*range(1, 6))
    await gate.later()
    assert gate.days == [1, 2, 3, 4, 5]
    gate.clock.at = parse_instant("2026-12-04T00:00:00Z")
    gate.server.answer = calendar(4, 5)
    await gate.later()
    assert gate.days == [4, 5]


async def test_a_server_back_with_half_of_its_events_waits_for_a_second_look(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    gate.server.answer = calendar(*range(1, 5))
    await gate.later()
    assert gate.days == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_server_that_is_down_for_days_freezes_as_it_said_last_and_over_restarts(
    tmp_path: Path,
) -> None:
    gate = await running(tmp_path)
    gate.server.answer = CalendarFetchError("the server can't be reached")
    news = [await gate.later() for _ in range(8)]
    assert [[each.sentence for each in some] for some in news] == [
        ["the calendar Releases could not be fetched: the server can't be reached"],
        *[[]] * 7,
    ]
    again = await Replica(tmp_path, gate.server).start()
    assert again.days == [1, 2, 3, 4, 5, 6, 7, 8]
    (state,) = again.calendars.states()
    assert state.kept is not None
    assert state.kept.checked_at == NOW


async def test_a_damaged_file_counts_as_never_loaded(tmp_path: Path) -> None:
    gate = await running(tmp_path, POLICIES.replace("title: Releases", "required: true"))
    (file,) = gate.folder.iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    gate.server.answer = CalendarFetchError("the server can't be reached")
    again = await Replica(tmp_path, gate.server).start()
    assert len(again.days) == 28


async def test_a_folder_that_can_not_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "calendars").write_text("a file")
    gate = await running(tmp_path)
    assert len(gate.days) == 8
    (state,) = gate.calendars.states()
    assert state.disk_failure == "file exists"
    gate.server.answer = calendar(*range(1, 10))
    assert [each.is_warning for each in await gate.later()] == [False]
    (tmp_path / "calendars").unlink()
    await gate.later()
    assert gate.calendars.states()[0].disk_failure is None


# Never loaded


@pytest.mark.parametrize(("options", "days"), [("required: true", 28), ("title: Releases", 0)])
async def test_a_start_without_a_calendar_waits_and_then_goes_on(
    tmp_path: Path, options: str, days: int
) -> None:
    gate = Replica(tmp_path, text=POLICIES.replace("title: Releases", options))
    gate.server.answer = CalendarFetchError("the host can't be found")
    await gate.start()
    assert len(gate.days) == days
    gate.server.answer = WHOLE
    await gate.later(2 * MINUTE)
    assert gate.days == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_calendar_that_never_came_is_tried_more_often_at_first(tmp_path: Path) -> None:
    gate = Replica(tmp_path)
    gate.server.answer = CalendarFetchError("the host can't be found")
    await gate.start()
    tries = []
    for minute in range(1, 61):
        before = len(gate.server.conditions)
        await gate.later(MINUTE)
        if len(gate.server.conditions) > before:
            tries.append(minute)
    assert tries == [2, 6, 14, 29, 44, 59]


async def test_a_start_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Server):
        async def fetch(self, url: str, validators: Validators = NO_VALIDATORS) -> Fetch:
            await asyncio.Event().wait()
            return await super().fetch(url, validators)

    monkeypatch.setattr("app.gate.calendars.FIRST_WITHIN", 0.01)
    gate = await Replica(tmp_path, Silent()).start()
    assert "longer than 0.01 seconds at the start" in (gate.calendars.states()[0].failure or "")


async def test_a_changed_file_waits_for_the_first_fetch_of_its_calendar(tmp_path: Path) -> None:
    always = "version: 1\npolicies: [{id: a, title: A, reason: x, when: [{always: true}]}]\n"
    gate = await running(tmp_path, always)
    assert len(gate.days) == 28
    gate.file.write_text(POLICIES)
    for _ in range(5):
        assert gate.policies.poll(gate.clock.at) is None
    assert len(gate.days) == 28
    await gate.later(1)
    gate.policies.poll(gate.clock.at)
    assert gate.days == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_calendar_that_no_policy_names_any_more_is_not_fetched(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    gate.file.write_text("version: 1\npolicies: []\n")
    await gate.later(1)
    asked = len(gate.server.conditions)
    await gate.later(HOUR)
    assert len(gate.server.conditions) == asked
    assert gate.calendars.states() == []


async def test_no_sentence_names_a_private_url(tmp_path: Path) -> None:
    gate = Replica(tmp_path, text=POLICIES.replace(", title: Releases", ""))
    told: list[News] = []
    await gate.start()
    for answer in (*BROKEN.values(), WHOLE, calendar(1)):
        gate.server.answer = answer
        told += await gate.later()
    assert len(told) > 10
    for each in told:
        assert "private-1" not in each.sentence
        assert "the calendar calendar.example (" in each.sentence


# Shown


def shown(gate: Replica) -> dict[str, Any]:
    now, states = gate.clock.at, gate.policies.calendar_states
    return status(gate.policies.in_force, None, None, now, now, states)


async def test_the_status_shows_each_calendar_and_its_age(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    gate.server.answer = CalendarFetchError("the server can't be reached")
    await gate.later()
    assert shown(gate)["calendars"] == [
        {
            "name": "Releases",
            "address": "calendar.example (e216ffcb)",
            "loaded": True,
            "fetched_at": "2026-11-29T12:00:00Z",
            "checked_at": "2026-11-29T12:00:00Z",
            "age_s": PERIOD,
            "failure": "the server can't be reached",
            "failing_since": "2026-11-29T12:15:00Z",
            "held_back": None,
        }
    ]
    assert shown(gate)["warnings"] == []
    await gate.later(2 * HOUR)
    (warning,) = shown(gate)["warnings"]
    assert warning.startswith(
        "The calendar Releases was last checked 2 h 15 min ago: the server can't be reached."
    )


async def test_the_status_warns_of_calendars_that_were_never_loaded(tmp_path: Path) -> None:
    gate = Replica(tmp_path)
    gate.server.answer = CalendarFetchError("the host can't be found")
    await gate.start()
    (warning,) = shown(gate)["warnings"]
    assert warning.startswith("The calendar Releases was never loaded: the host can't be found.")
    assert shown(gate)["calendars"][0]["loaded"] is False


async def test_a_large_loss_is_shown_before_and_for_a_day_after_it_is_taken(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    gate.server.answer = calendar(1)
    await gate.later()
    (warning,) = shown(gate)["warnings"]
    assert warning == (
        "The calendar Releases has lost 7 of its 8 coming events at 2026-11-29T12:15:00Z. They stay in force "
        "until a second fetch agrees."
    )
    assert shown(gate)["calendars"][0]["held_back"] == {"seen_at": "2026-11-29T12:15:00Z", "lost": 7, "of": 8}
    await gate.later()
    (warning,) = shown(gate)["warnings"]
    assert warning.startswith(
        "A calendar has lost coming events at 2026-11-29T12:30:00Z, as two fetches found"
    )
    (removed,) = shown(gate)["policies"]["removed"]
    assert (removed["kind"], removed["name"]) == ("calendar", "Releases: 7 of its 8 coming events")
    for _ in range(96):
        await gate.later()
    assert shown(gate)["warnings"] == []


async def test_a_folder_that_can_not_be_written_is_shown(tmp_path: Path) -> None:
    (tmp_path / "calendars").write_text("a file")
    (warning,) = shown(await running(tmp_path))["warnings"]
    assert "can't be kept on disk: file exists" in warning


async def test_metrics_tell_the_age_of_calendars_and_no_url(tmp_path: Path) -> None:
    gate = await running(tmp_path)
    gate.server.answer = calendar()
    await gate.later()
    page = Metrics(gate.policies, gate.clock).page().decode()
    labels = '{address="calendar.example (e216ffcb)",calendar="Releases"}'
    for name, value in (("age_seconds", PERIOD), ("loaded", 1), ("failing", 0), ("held_back", 1)):
        assert f"freezegate_calendar_{name}{labels} {float(value)}" in page
    assert "private-1" not in page


async def test_a_gate_is_opened_with_its_calendars(tmp_path: Path) -> None:
    async with CalendarServer() as server:
        server.replies["/private-1.ics"] = reply(WHOLE)
        address = f"http://127.0.0.1:{server.port}/private-1.ics"
        (tmp_path / "policies.yaml").write_text(POLICIES.replace(URL, address))
        settings = Settings(
            policies=tmp_path / "policies.yaml",
            data=tmp_path / "data",
            calendar_http="allow",
            calendar_networks="127.0.0.0/8",
            calendar_ports=str(server.port),
        )
        (tmp_path / "data").mkdir()
        opened = await asyncio.to_thread(open_resources, settings, FakeClock(NOW))
        try:
            assert [each.failure for each in opened.policies.calendar_states] == [None]
            assert len(list((tmp_path / "data" / "calendars").iterdir())) == 1
        finally:
            await opened.gate.close()
