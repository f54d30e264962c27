"""Octopus' freezes are kept in step by their names; those of people stay."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.instant import DAY, HOUR, MINUTE
from app.integrations.octopus.freezes import DeploymentFreezes
from app.integrations.octopus.vendor import place_of
from tests.api.fakes import FakeClock
from tests.integrations.faulty import error
from tests.integrations.octopus.fake import FakeOctopus
from tests.integrations.projected import NOW, TOKEN, Running, incident, running, section

pytestmark = pytest.mark.anyio

THEIRS = "Summer break"
FRIDAY = "freezegate: No deploys on Friday (friday) 2026-11-27"
NEXT = "freezegate: No deploys on Friday (friday) 2026-12-04"
SCOPE = {
    "Projects-1": ["Environments-1", "Environments-2"],
    "Projects-2": ["Environments-1", "Environments-2"],
}


class Setting:
    """A gate, an Octopus, and the projector between them."""

    def __init__(self, gate: Running, folder: Path, *entries: dict[str, Any]) -> None:
        self.octopus = FakeOctopus(TOKEN)
        self.octopus.add(THEIRS, "2027-07-01T00:00:00Z", "2027-08-01T00:00:00Z")
        both = {
            "projects": ["Projects-2", "Projects-1"],
            "environments": ["Environments-2", "Environments-1"],
        }
        content = {
            "url": "https://octopus.example",
            "days": 14,
            "deployment_freezes": list(entries) or [both],
        }
        self.section = section(folder, "octopus", content)
        self.gate = gate
        self.http = self.octopus.client()
        made = DeploymentFreezes(self.section, place_of(self.section))
        self.projector = gate.projector("octopus", [made])

    async def look(self, seconds: int = 0) -> None:
        until = self.gate.clock.at + seconds
        while True:
            await self.projector.look(self.http)
            if self.gate.clock.at >= until:
                return
            self.gate.clock.at += 5

    @property
    def error(self) -> str:
        return self.gate.state("octopus", "server").error

    @property
    def names(self) -> list[str]:
        return [each["Name"] for each in self.octopus.freezes]


async def test_freezes_are_created_once_and_those_of_people_stay(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look(MINUTE)
        assert here.names == [THEIRS, FRIDAY, NEXT]
        assert here.octopus.writes() == ["POST", "POST"]
        assert here.octopus.freezes[1]["Start"] == "2026-11-27T14:00:00.000+00:00"
        assert here.octopus.freezes[1]["ProjectEnvironmentScope"] == SCOPE


async def test_the_next_freeze_is_added_and_one_that_is_over_is_deleted(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        gate.clock.at += 6 * DAY
        await here.look()
        assert here.names == [THEIRS, NEXT, "freezegate: No deploys on Friday (friday) 2026-12-11"]
        assert gate.state("octopus", "server").drifts == 0


async def test_an_ad_hoc_freeze_appears_and_ends_within_a_minute(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        gate.freeze(incident(NOW + 7, NOW + HOUR))
        await here.look(20)
        assert here.names[-1] == "freezegate: Database is down (frz_1) 2026-11-25"
        assert here.octopus.freezes[-1]["Start"] == "2026-11-25T12:00:07.000+00:00"
        gate.freeze()
        await here.look(20)
        assert here.names == [THEIRS, FRIDAY, NEXT]


@pytest.mark.parametrize(
    "change",
    [
        {"End": "2026-11-28T00:00:00.000+00:00"},
        {"ProjectEnvironmentScope": {"Projects-1": ["Environments-1"]}},
        {"RecurringSchedule": {"Type": "Daily", "Unit": 1, "EndType": "Never"}},
        {"Start": None},
    ],
)
async def test_a_changed_freeze_is_replaced(tmp_path: Path, change: dict[str, Any]) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        before = dict(here.octopus.freezes[1])
        here.octopus.freezes[1].update(change)
        await here.look(20)
        assert here.names == [THEIRS, NEXT, FRIDAY]
        assert here.octopus.freezes[2] | {"Id": ""} == before | {"Id": ""}
        assert gate.state("octopus", "server").drifts == 1


async def test_what_was_done_but_not_answered_is_not_done_twice(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.octopus.lost = 1
        await here.look(MINUTE)
        assert here.names == [THEIRS, FRIDAY, NEXT]
        here.octopus.lost = 2
        gate.change("version: 1\nenvironments: [production]\npolicies: []\n")
        await here.look(5 * MINUTE)
        assert here.names == [THEIRS]
        assert here.error == ""


async def test_many_freezes_are_read_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        for number in range(150):
            here.octopus.add(f"Freeze {number}", "2027-07-01T00:00:00Z", "2027-08-01T00:00:00Z")
        await here.look(MINUTE)
        assert here.octopus.writes() == ["POST", "POST"]
        monkeypatch.setattr("app.integrations.octopus.freezes._MOST_PAGES", 1)
        await here.look(20)
        assert here.error == "Octopus has more than 100 freezes"


async def test_a_missing_permission_is_named(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.octopus.may_administer = False
        await here.look()
        assert here.error.startswith("creating a freeze: the API key needs the permission")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (error(500), "reading the freezes: the API answered 500"),
        (httpx.Response(200, json={}), "there are no deployment freezes in it"),
        (
            httpx.Response(200, json={"DeploymentFreezes": [{"Name": FRIDAY}]}),
            "a freeze of Octopus has no Id",
        ),
    ],
)
async def test_an_answer_that_is_none_changes_nothing(
    tmp_path: Path, answer: httpx.Response, why: str
) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.octopus.answers.append(answer)
        await here.look()
        assert here.error.startswith(why)
        assert here.octopus.writes() == []


async def test_entries_of_one_project_need_no_enterprise_licence(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        entries = [{"projects": [f"Projects-{each}"], "environments": ["Environments-1"]} for each in (1, 2)]
        here = Setting(gate, tmp_path, *entries)
        here.octopus.is_enterprise = False
        await here.look(MINUTE)
        assert here.names == [THEIRS, FRIDAY, NEXT, FRIDAY, NEXT]
        owners = [
            (each["OwnerId"], list(each["ProjectEnvironmentScope"])) for each in here.octopus.freezes[1:]
        ]
        assert owners == [("Projects-1", ["Projects-1"])] * 2 + [("Projects-2", ["Projects-2"])] * 2
        assert here.error == ""


async def test_freezes_that_are_not_listed_are_not_created_again_and_again(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        entry = {"projects": ["Projects-1"], "environments": ["Environments-1"]}
        here = Setting(gate, tmp_path, entry)
        here.octopus.unlisted = True
        await here.look(10 * MINUTE)
        assert here.octopus.writes() == ["POST", "POST"]
        assert here.error.startswith("Octopus does not list a freeze that was created")
        here.octopus.freezes = here.octopus.freezes[:1]
        here.octopus.unlisted = False
        await here.look(10 * MINUTE)
        assert here.names == [THEIRS, FRIDAY, NEXT]
