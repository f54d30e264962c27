"""GitLab's freeze periods are kept in step by their ids; those of people stay, whatever breaks off."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.instant import HOUR, MINUTE
from app.integrations.gitlab.freeze_periods import FreezePeriods
from app.integrations.gitlab.vendor import VENDOR, places
from app.integrations.vendor import Surroundings
from app.outbound import Outbound
from tests.api.fakes import FakeClock
from tests.integrations.faulty import error
from tests.integrations.gitlab.fake_freeze_periods import FakeGitLab
from tests.integrations.projected import NOW, POLICIES, TOKEN, Running, incident, running, section

pytestmark = pytest.mark.anyio

PROJECT = "group/shop"
THEIRS = ("0 23 * * 5", "0 7 * * 1", "UTC")
OURS = ("0 14 * * 5", "0 8 * * 1", "UTC")
INCIDENT = ("0 12 25 11 *", "0 13 25 11 *", "UTC")


class Setting:
    """A gate, a GitLab with a project, and the projector between them."""

    def __init__(self, gate: Running, folder: Path, gitlab: FakeGitLab | None = None) -> None:
        self.gitlab = gitlab or FakeGitLab(TOKEN, projects={PROJECT: []})
        if gitlab is None:
            self.gitlab.add(PROJECT, *THEIRS)
        part = {"token_file": "token", "projects": [{"project": PROJECT}]}
        found = section(folder, "gitlab", {"url": "https://gitlab.example/", "freeze_periods": part})
        self.gate = gate
        self.http = self.gitlab.client()
        [place] = places(found.freeze_periods)
        made = FreezePeriods(found.url, found.freeze_periods, place, gate.gate.projections)
        self.projector = gate.projector("gitlab", [made])

    async def look(self, seconds: int = 0) -> None:
        until = self.gate.clock.at + seconds
        while True:
            await self.projector.look(self.http)
            if self.gate.clock.at >= until:
                return
            self.gate.clock.at += 5

    @property
    def error(self) -> str:
        return self.gate.state("gitlab", PROJECT).error

    @property
    def said(self) -> list[tuple[str, str, str]]:
        return self.gitlab.said(PROJECT)


async def test_periods_are_created_once_and_those_of_people_stay(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look(MINUTE)
        assert here.said == [OURS, THEIRS]
        assert here.gitlab.writes() == ["POST"]


async def test_new_periods_are_created_before_old_ones_are_deleted(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        gate.freeze(incident(NOW, NOW + HOUR))
        await here.look()
        assert here.said == sorted([OURS, THEIRS, INCIDENT])
        gate.freeze()
        gate.change(POLICIES.replace("fri 14:00", "thu 14:00"))
        await here.look(20)
        assert here.said == [("0 14 * * 4", *OURS[1:]), THEIRS]
        assert here.gitlab.writes() == ["POST", "POST", "POST", "DELETE", "DELETE"]


async def test_an_equal_period_of_a_person_is_neither_taken_nor_deleted(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.gitlab.add(PROJECT, *OURS)
        await here.look(MINUTE)
        assert here.said == [OURS, OURS, THEIRS]
        gate.change("version: 1\nenvironments: [production]\npolicies: []\n")
        await here.look(20)
        assert here.said == [OURS, THEIRS]


async def test_a_deleted_and_a_changed_period_are_mended(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        here.gitlab.projects[PROJECT].pop()
        await here.look(20)
        assert here.said == [OURS, THEIRS]
        here.gitlab.projects[PROJECT][-1]["freeze_end"] = "0 15 * * 5"
        await here.look(20)
        assert here.said == [OURS, THEIRS]
        assert gate.state("gitlab", PROJECT).drifts == 2


async def test_a_period_whose_creation_was_not_answered_is_recognised(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.gitlab.lost = 1
        await here.look()
        assert here.error == "creating a freeze period: the API answered 502"
        await here.look(MINUTE)
        assert here.said == [OURS, THEIRS]
        assert here.gitlab.writes() == ["POST"]


async def test_a_period_is_recognised_after_a_crash_and_a_later_one_of_a_person_is_not(
    tmp_path: Path,
) -> None:
    clock = FakeClock(NOW)
    async with running(tmp_path, clock) as gate:
        here = Setting(gate, tmp_path)
        here.gitlab.lost = 1
        await here.look()
    clock.at += MINUTE
    async with running(tmp_path, clock) as gate:
        again = Setting(gate, tmp_path, here.gitlab)
        await again.look(20)
        here.gitlab.add(PROJECT, *OURS)
        await again.look(20)
        gate.change("version: 1\nenvironments: [production]\npolicies: []\n")
        await again.look(20)
    assert here.said == [OURS, THEIRS]
    assert here.gitlab.writes() == ["POST", "DELETE"]


async def test_a_deletion_that_was_not_answered_is_done(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        here.gitlab.lost = 1
        gate.change("version: 1\nenvironments: [production]\npolicies: []\n")
        await here.look(MINUTE)
        assert here.said == [THEIRS]
        assert here.error == ""


async def test_more_than_a_page_of_periods_is_read(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        for minute in range(150):
            here.gitlab.add(PROJECT, f"{minute % 60} 5 * * *", "0 7 * * *")
        await here.look(MINUTE)
        assert here.gitlab.writes() == ["POST"]
        assert here.said.count(OURS) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (error(404), "reading the freeze periods: there is no such project, or the token does not reach it"),
        (error(401), "reading the freeze periods: the API answered 401"),
        (httpx.Response(200, json={}), "the answer of GitLab is no list of freeze periods"),
        (httpx.Response(200, json=[{"freeze_start": "x"}]), "a freeze period of GitLab has no id"),
        (httpx.Response(200, text="<html>"), "the answer of GitLab is no list of freeze periods"),
        (httpx.ReadTimeout("slow"), "the call failed: ReadTimeout"),
    ],
)
async def test_an_answer_that_is_none_changes_nothing(tmp_path: Path, answer: Any, why: str) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.gitlab.answers.append(answer)
        await here.look()
        assert here.error == why
        assert here.gitlab.writes() == []


async def test_periods_without_end_are_not_read_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.integrations.gitlab.freeze_periods._MOST_PAGES", 1)
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        for _ in range(100):
            here.gitlab.add(PROJECT, "0 5 * * *", "0 7 * * *")
        await here.look()
        assert here.error == "the project has more than 100 freeze periods"


async def test_a_refused_deletion_is_an_error(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        gate.change("version: 1\nenvironments: [production]\npolicies: []\n")
        here.gitlab.answers.extend([httpx.Response(200, json=here.gitlab.projects[PROJECT]), error(403)])
        await here.look()
        assert here.error == "deleting a freeze period: the API answered 403"


@pytest.mark.parametrize("periods", [None, {"token_file": "token", "projects": [{"project": PROJECT}]}])
async def test_a_section_with_freeze_periods_has_work(tmp_path: Path, periods: Any) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        read = section(tmp_path, "gitlab", {"freeze_periods": periods} if periods else {})
        assert VENDOR.work is not None
        work = VENDOR.work(read, Surroundings(gate.gate, gate.clock, Outbound(), "one"))
        assert len(work) == bool(periods)
        for each in work:
            each.close()
