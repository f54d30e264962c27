"""AppProjects are kept in step, over conflicts, old versions and self-heal; windows of people stay."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.instant import DAY, HOUR, MINUTE, format_instant
from app.integrations.argocd.projects import AppProject
from app.integrations.argocd.vendor import places
from tests.api.fakes import FakeClock
from tests.integrations.argocd.fake import FIELDS, FakeCluster
from tests.integrations.faulty import error
from tests.integrations.projected import NOW, POLICIES, TOKEN, Running, incident, running, section

pytestmark = pytest.mark.anyio

THEIRS = {
    "kind": "allow",
    "schedule": "0 6 * * *",
    "duration": "12h",
    "applications": ["*"],
    "manualSync": True,
}
OURS = {
    "kind": "deny",
    "schedule": "0 14 * * 5",
    "duration": "66h",
    "timeZone": "UTC",
    "applications": ["shop-*"],
    "description": "freezegate: No deploys on Friday (friday)",
}


class Setting:
    """A gate, a cluster with the project `shop`, and the projector between them."""

    def __init__(self, gate: Running, folder: Path, **options: Any) -> None:
        self.cluster = FakeCluster(TOKEN)
        self.cluster.add("shop", [THEIRS])
        entries = [{"project": "shop", "applications": ["shop-*"]}]
        content = {"url": "https://cluster.example", "sync_windows": entries, **options}
        self.section = section(folder, "argocd", content)
        self.gate = gate
        self.http = self.cluster.client()
        made = [AppProject(self.section, place) for place in places(self.section)]
        self.projector = gate.projector("argocd", made)

    async def look(self, seconds: int = 0) -> None:
        """Look after some seconds, as often as the projector would."""
        until = self.gate.clock.at + seconds
        while True:
            await self.projector.look(self.http)
            if self.gate.clock.at >= until:
                return
            self.gate.clock.at += 5

    @property
    def error(self) -> str:
        return self.gate.state("argocd", "shop").error

    @property
    def descriptions(self) -> list[Any]:
        return [each.get("description") for each in self.cluster.windows("shop")]


async def test_windows_are_written_once_and_those_of_people_stay(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look(MINUTE)
        assert here.cluster.windows("shop") == [THEIRS, OURS]
        assert here.cluster.writes() == ["PATCH"]
        assert here.gate.state("argocd", "shop").drifts == 0


async def test_an_ad_hoc_freeze_and_a_change_of_policies_appear_within_a_minute(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        gate.freeze(incident(NOW - 30, NOW + HOUR))
        await here.look(20)
        assert here.descriptions == [None, OURS["description"], "freezegate: Database is down (frz_1)"]
        assert here.cluster.windows("shop")[2]["schedule"] == "59 11 25 11 *"
        assert here.cluster.windows("shop")[2]["duration"] == "1h1m"
        gate.freeze()
        gate.change(POLICIES.replace("fri 14:00", "thu 14:00"))
        await here.look(20)
        assert [each["schedule"] for each in here.cluster.windows("shop")] == ["0 6 * * *", "0 14 * * 4"]
        assert gate.state("argocd", "shop").drifts == 0


async def test_drift_is_mended_within_a_minute_counted_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        here.cluster.windows("shop")[1]["duration"] = "1h"
        with caplog.at_level(logging.INFO):
            await here.look(20)
        assert here.cluster.windows("shop") == [THEIRS, OURS]
        assert gate.state("argocd", "shop").drifts == 1
        assert "windows were changed by others; mended" in caplog.text


async def test_what_reverts_the_windows_again_and_again_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        for _ in range(4):
            await here.look(20)
            here.cluster.heal("shop", [THEIRS])
        state = gate.state("argocd", "shop")
        assert (state.drifts, state.is_reverted(gate.clock.at)) == (3, True)
        assert "reverted again and again" in caplog.text
        await here.look(20)
        assert OURS in here.cluster.windows("shop")
        assert not state.is_reverted(gate.clock.at + HOUR)


async def test_a_conflict_is_resolved_by_reading_again(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.cluster.meddling = 2
        await here.look()
        assert here.cluster.windows("shop") == [THEIRS, OURS]
        assert here.cluster.writes() == ["PATCH"] * 3
        here.cluster.windows("shop").pop()
        here.cluster.meddling = 3
        await here.look(15)
        assert here.error == "the AppProject was changed by others at each attempt"
        await here.look(20)
        assert here.error == ""
        assert here.cluster.windows("shop") == [THEIRS, OURS]


@pytest.mark.parametrize("field", ["description", "syncOverrun"])
async def test_nothing_is_written_to_an_argo_cd_that_would_drop_a_field(tmp_path: Path, field: str) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path, sync_overrun=True)
        here.cluster.fields = FIELDS - {field}
        await here.look(5 * MINUTE)
        assert here.cluster.windows("shop") == [THEIRS]
        assert here.error.startswith("this Argo CD is too old")


async def test_windows_that_were_not_kept_as_sent_are_an_error(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.cluster.forgetful = True
        await here.look()
        assert "does not hold the windows" in here.error


async def test_failures_are_tried_again_after_a_growing_pause_and_the_last_state_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        here.cluster.requests.clear()
        here.cluster.answers.extend([error(503)] * 4 + [error(500)] * 2 + [httpx.ConnectTimeout("x")] * 2)
        gate.freeze(incident(NOW))
        await here.look(10 * MINUTE)
        assert here.cluster.windows("shop") == [THEIRS, OURS]
        assert 5 <= len(here.cluster.requests) <= 8
        assert gate.clock.at - gate.state("argocd", "shop").in_step_at >= 10 * MINUTE
        await here.look(20 * MINUTE)
        assert "freezegate: Database is down (frz_1)" in here.descriptions
        assert gate.clock.at - gate.state("argocd", "shop").in_step_at < MINUTE
        logged = [each.getMessage() for each in caplog.records if "projection failed" in each.getMessage()]
        assert len(logged) == 3


async def test_a_rate_limit_is_obeyed(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.cluster.answers.append(error(429, **{"Retry-After": "120"}))
        await here.look(115)
        assert len(here.cluster.requests) == 1
        await here.look(10)
        assert here.cluster.windows("shop") == [THEIRS, OURS]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"kind": "Status"}, "there is no AppProject in it: an object with `spec`"),
        ([], "there is no AppProject in it: an object with `spec`"),
        ({"spec": {}}, "the AppProject has no resourceVersion"),
        ({"spec": {}, "metadata": []}, "the AppProject has no resourceVersion"),
    ],
)
async def test_an_answer_that_is_no_project_changes_nothing(tmp_path: Path, body: Any, why: str) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.cluster.answers.append(httpx.Response(200, json=body))
        await here.look()
        assert here.error == why
        assert here.cluster.writes() == []


async def test_a_project_that_is_not_there_or_not_ours_to_write_is_an_error(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        del here.cluster.projects["shop"]
        await here.look()
        assert here.error == "reading the AppProject: the API answered 404"
        here.cluster.add("shop")
        here.cluster.answers.extend([httpx.Response(200, json=here.cluster.projects["shop"]), error(403)])
        await here.look(15)
        assert here.error == "writing the AppProject: the API answered 403"
        await here.look(MINUTE)
        assert here.cluster.windows("shop") == [OURS]


async def test_the_token_is_read_anew_after_its_file_was_replaced(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.cluster.token = "rotated"  # noqa: S105 - of the fake
        await here.look()
        assert here.error == "reading the AppProject: the API answered 401"
        (tmp_path / "token").write_text("rotated\n")
        await here.look(20)
        assert here.error == ""
        (tmp_path / "token").unlink()
        await here.look(20)
        assert here.error == ""


async def test_an_environment_that_the_policies_lost_keeps_its_windows(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        gate.change(POLICIES.replace("[production, staging]", "[staging]"))
        await here.look(20)
        assert here.error == 'the policies list no environment "production"'
        assert here.cluster.windows("shop") == [THEIRS, OURS]


async def test_dates_move_on_with_the_days(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        gate.change(
            POLICIES
            + "  - {id: always, title: T, reason: R, when: [{dates: {from: 2026-11-01, to: 2028-01-01}}]}\n"
        )
        here = Setting(gate, tmp_path, days=30)
        await here.look()
        first = here.cluster.windows("shop")[2]
        assert (first["schedule"], first["duration"]) == ("0 0 24 11 *", f"{31 * 24}h")
        gate.clock.at += DAY
        await here.look()
        assert here.cluster.windows("shop")[2]["schedule"] == "0 0 25 11 *"
        assert format_instant(gate.clock.at).startswith("2026-11-26")
        assert gate.state("argocd", "shop").drifts == 0


async def test_entries_of_one_project_are_written_together(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        entries = [
            {"project": "shop", "service": "api", "applications": ["api-*"], "clusters": ["live"]},
            {"project": "shop", "environment": "staging", "namespaces": ["test"]},
        ]
        here = Setting(gate, tmp_path, sync_windows=entries, owner="gate-eu")
        await here.look()
        written = json.loads(here.cluster.requests[-1].content)["spec"]["syncWindows"]
        assert [each.get("andOperator") for each in written] == [None, True, None]
        assert [each.get("namespaces") for each in written] == [None, None, ["test"]]
        assert here.descriptions[1:] == ["gate-eu: No deploys on Friday (friday)"] * 2
