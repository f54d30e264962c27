"""ConfigMaps are kept in step: written at each flip, mended, and cleared of what others add."""

import json
import logging
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.core.instant import DAY, HOUR, parse_instant
from app.integrations.integrations import IntegrationsFileError, read_integrations_file
from app.integrations.kubernetes.config_maps import ConfigMap
from app.integrations.kubernetes.vendor import VENDOR, places
from app.integrations.vendor import Surroundings
from app.outbound import Outbound
from tests.api.fakes import FakeClock
from tests.integrations.faulty import error
from tests.integrations.kubernetes.fake import FakeCluster
from tests.integrations.projected import NOW, POLICIES, TOKEN, Running, incident, running
from tests.live.gate import ROOT

pytestmark = pytest.mark.anyio

NAME = "freezegate-production"
FRIDAY = parse_instant("2026-11-27T14:30:00Z")


def of(folder: Path, project: dict[str, Any]) -> Any:
    """The section with a part `project`, whose token is that of the fakes."""
    content = {"project": {"token_file": "token", "url": "https://cluster.example", **project}}
    (folder / "token").write_text(TOKEN)
    file = folder / "integrations.yaml"
    file.write_text(json.dumps({"kubernetes": content}))
    return read_integrations_file(file, {})["kubernetes"]


class Setting:
    """A gate, a cluster, and the projector between them."""

    def __init__(self, gate: Running, folder: Path, own_name: str = "one", **project: Any) -> None:
        self.cluster = FakeCluster(TOKEN)
        self.section = of(folder, {"config_maps": [{"environment": "production"}], **project})
        self.gate = gate
        self.http = self.cluster.client()
        made = [ConfigMap(self.section.project, place) for place in places(self.section.project)]
        self.projector = gate.projector("kubernetes", made, own_name)

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
        return self.gate.state("kubernetes", NAME).error

    @property
    def data(self) -> dict[str, str]:
        found: dict[str, str] = self.cluster.maps[NAME]["data"]
        return found


async def test_a_config_map_is_made_once_and_left_alone_while_it_is_right(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look(60)
        assert here.cluster.writes() == ["POST"]
        assert here.data["state.normal"] == "open"
        assert here.data["horizon.normal"].count("\n") == 12
        assert here.cluster.maps[NAME]["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "freezegate"}


async def test_a_flip_and_an_ad_hoc_freeze_are_written_within_five_seconds(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES.replace("fri 14:00", "fri 14:30"))
    async with running(tmp_path, FakeClock(FRIDAY - 8)) as gate:
        here = Setting(gate, tmp_path)
        await here.look(5)
        assert here.data["state.normal"] == "open"
        await here.look(5)
        assert (gate.clock.at, here.data["state.normal"]) == (FRIDAY + 2, "frozen")
        gate.clock.at = NOW
        await here.look()
        gate.freeze(incident(NOW, NOW + HOUR))
        await here.look(5)
        assert here.data["message.normal"].startswith("production is frozen: Database is down. Opens ")
        gate.freeze()
        await here.look(5)
        assert here.data["state.normal"] == "open"
        assert gate.state("kubernetes", NAME).drifts == 0


async def test_what_others_put_into_it_is_removed_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        wanted = dict(here.data)
        here.cluster.change(NAME, {"horizon.hurry": "", "state.normal": "open", "horizon.normal": ""})
        with caplog.at_level(logging.INFO):
            await here.look(20)
        assert here.data == wanted
        assert gate.state("kubernetes", NAME).drifts == 1
        assert "windows were changed by others; mended" in caplog.text


async def test_one_that_was_deleted_or_emptied_is_there_again(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        wanted = dict(here.data)
        del here.cluster.maps[NAME]
        await here.look(20)
        assert here.data == wanted
        del here.cluster.maps[NAME]["data"]
        await here.look(20)
        assert here.data == wanted


async def test_the_horizon_moves_on_once_a_day(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path, days=7)
        await here.look()
        assert here.data["valid_until"] == "2026-12-02T00:00:00Z"
        gate.clock.at += DAY
        await here.look()
        assert here.data["valid_until"] == "2026-12-03T00:00:00Z"
        assert here.cluster.writes() == ["POST", "PATCH"]


async def test_conflicts_are_tried_again_a_few_times(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        here.cluster.change(NAME, {"state.normal": "frozen"})
        here.cluster.meddling = 2
        await here.look(20)
        assert here.data["state.normal"] == "open"
        here.cluster.change(NAME, {"state.normal": "frozen"})
        here.cluster.meddling = 3
        await here.look(15)
        assert "changed by others at each attempt" in here.error


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (error(403, "forbidden"), "reading the ConfigMap: the API answered 403"),
        (error(500), "reading the ConfigMap: the API answered 500"),
        (httpx.ConnectError("no"), "the call failed: ConnectError"),
        (httpx.Response(200, json=["x"]), "there is no ConfigMap in it"),
    ],
)
async def test_a_failed_look_is_told_and_repeated(
    tmp_path: Path, answer: httpx.Response | Exception, why: str
) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.cluster.answers.append(answer)
        await here.look()
        assert why in here.error
        await here.look(20)
        assert here.error == ""
        assert here.data["state.normal"] == "open"


async def test_a_refused_or_a_forgotten_write_is_told(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.cluster.answers.extend([httpx.Response(404, json={}), error(403)])
        await here.look()
        assert here.error == "writing the ConfigMap: the API answered 403"
        here.cluster.forgetful = True
        await here.look(20)
        assert here.error == "the ConfigMap was written, but does not hold what was sent"


async def test_an_answer_that_is_lost_does_no_harm(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        here.cluster.lost = 1
        await here.look(20)
        assert here.error == ""
        assert here.cluster.writes() == ["POST"]


async def test_the_token_is_read_anew_when_kubernetes_replaces_it(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path)
        await here.look()
        here.cluster.token = "token-2"  # noqa: S105 - of the fake
        (tmp_path / "token").write_text("token-2")
        await here.look(20)
        assert here.error == ""


async def test_one_replica_writes_at_a_time(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        first, second = Setting(gate, tmp_path), Setting(gate, tmp_path, "two")
        await first.look()
        await second.look(10)
        assert (len(first.cluster.requests), second.cluster.requests) == (2, [])


async def test_services_and_environments_have_config_maps_of_their_own(tmp_path: Path) -> None:
    scopes = [
        {"environment": "production"},
        {"environment": "staging", "name": "other"},
        {"environment": "production", "service": "checkout"},
    ]
    async with running(tmp_path, FakeClock(NOW)) as gate:
        here = Setting(gate, tmp_path, config_maps=scopes)
        await here.look()
        assert set(here.cluster.maps) == {NAME, "other", "freezegate-production-checkout"}
        assert here.cluster.maps["other"]["data"]["environment"] == "staging"
        gate.change(POLICIES.replace("staging", "testing"))
        await here.look(20)
        assert gate.state("kubernetes", "other").error.startswith("the policies list no environment")
        assert here.error == ""


async def test_the_section_is_work_for_one_projector_or_none(tmp_path: Path) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        surroundings = Surroundings(gate.gate, gate.clock, Outbound(), "one")
        assert VENDOR.work is not None
        assert VENDOR.work(of_none(tmp_path), surroundings) == []
        (work,) = VENDOR.work(of(tmp_path, {"config_maps": [{}]}), surroundings)
        work.close()


def of_none(folder: Path) -> Any:
    (folder / "none.yaml").write_text("kubernetes: {}\n")
    return read_integrations_file(folder / "none.yaml", {})["kubernetes"]


@pytest.mark.parametrize(
    ("project", "why"),
    [
        ({"config_maps": []}, "config_maps"),
        ({"config_maps": [{"name": "A"}]}, "name"),
        ({"config_maps": [{}], "url": "http://cluster.example"}, "url"),
        ({"config_maps": [{}], "days": 361}, "days"),
        ({"config_maps": [{}], "token_file": "nowhere"}, "token_file"),
        ({"config_maps": [{}], "namespace": "a/b"}, "namespace"),
    ],
)
def test_a_wrong_section_is_refused(tmp_path: Path, project: dict[str, Any], why: str) -> None:
    with pytest.raises(IntegrationsFileError, match=why):
        of(tmp_path, project)


def test_the_section_on_the_page_loads_and_its_names_are_those_that_the_gate_may_write(
    tmp_path: Path,
) -> None:
    page = (ROOT / "docs/how-to/project/kubernetes.md").read_text()
    block = textwrap.dedent(page.partition("   ```yaml\n")[2].partition("   ```")[0])
    project = yaml.safe_load(block)["kubernetes"]["project"]
    assert project.pop("token_file") == "/var/run/secrets/kubernetes.io/serviceaccount/token"
    found = of(tmp_path, {**project, "url": "https://kubernetes.default.svc"}).project
    assert (found.namespace, found.days) == ("freezegate", 90)
    rbac = yaml.safe_load_all((ROOT / "deploy/kubernetes/policies/rbac.yaml").read_text())
    [role] = [each for each in rbac if each["kind"] == "Role"]
    named = [name for rule in role["rules"] for name in rule.get("resourceNames", [])]
    assert [place.name for place in places(found)] == named
