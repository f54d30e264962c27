"""The projector: one replica at a time, bounded, and not ended by any failure."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from app.core.instant import MINUTE
from app.core.policy import Selector
from app.gate.errors import StoreUnavailableError
from app.gate.lease import DURATION
from app.gate.projection_state import INTERVAL, ProjectionNews, ProjectionPlace, ProjectionState, Written
from app.integrations import projector as module
from app.integrations.argocd.vendor import VENDOR as ARGOCD
from app.integrations.integrations import IntegrationsFileError
from app.integrations.octopus.vendor import VENDOR as OCTOPUS
from app.integrations.vendor import Surroundings
from app.outbound import Outbound
from app.policies.projections.projection import Projected, ProjectionScope
from app.server.metrics.projections import ProjectionStates
from tests.api.fakes import FakeClock
from tests.integrations.projected import NOW, POLICIES, incident, running, section
from tests.live.gate import ROOT

pytestmark = pytest.mark.anyio


class FakePlace:
    """A place that notes what is wanted of it."""

    def __init__(self, name: str = "shop", failure: Exception | None = None) -> None:
        self.place = ProjectionPlace("argocd", name, [ProjectionScope()], 90)
        self.wanted: list[Projected] = []
        self.failure = failure
        self.written = Written()
        self.together: tuple[list[int], list[int]] = [], []

    async def sync(self, http: httpx.AsyncClient, wanted: Projected) -> Written:
        assert http is not None
        if self.failure is not None:
            raise self.failure
        self.wanted.append(wanted)
        now, most = self.together
        now.append(1)
        most.append(len(now))
        await asyncio.sleep(0)
        now.pop()
        return self.written


@pytest.fixture
def http() -> httpx.AsyncClient:
    return httpx.AsyncClient()


async def test_one_replica_keeps_a_target_in_step_and_another_takes_over(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    clock = FakeClock(NOW)
    async with running(tmp_path, clock) as gate, running(tmp_path, clock) as other:
        one, two = FakePlace(), FakePlace()
        first, second = gate.projector("argocd", [one]), other.projector("argocd", [two], "two")
        for _ in range(4):
            await first.look(http)
            await second.look(http)
            clock.at += INTERVAL // 3
        assert (len(one.wanted), len(two.wanted)) == (2, 0)
        assert other.gate.projections.states == {}
        clock.at += DURATION
        await second.look(http)
        await first.look(http)
        assert (len(one.wanted), len(two.wanted)) == (2, 1)
        assert gate.gate.projections.states == {}


async def test_a_lease_that_was_lost_meanwhile_stops_the_rest(
    tmp_path: Path, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        place = FakePlace()
        made = gate.projector("argocd", [place])
        answers = [True, False]

        async def take() -> bool:
            return answers.pop(0)

        monkeypatch.setattr(made._lease, "take", take)
        await made.look(http)
        assert place.wanted == []


async def test_few_places_are_looked_at_together(tmp_path: Path, http: httpx.AsyncClient) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        places = [FakePlace(f"shop-{number}") for number in range(20)]
        for each in places:
            each.together = places[0].together
        await gate.projector("argocd", places).look(http)
        assert all(len(each.wanted) == 1 for each in places)
        assert max(places[0].together[1]) <= 4


async def test_windows_are_computed_once_an_hour_unless_something_changes(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        place = FakePlace()
        made = gate.projector("argocd", [place])
        for _ in range(10):
            await made.look(http)
            gate.clock.at += INTERVAL
        gate.change(POLICIES.replace("fri 14:00", "thu 14:00"))
        await made.look(http)
        gate.clock.at += 3_600
        await made.look(http)
        assert len({id(each) for each in place.wanted}) == 3


async def test_no_failure_holds_up_other_places(
    tmp_path: Path, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with running(tmp_path, FakeClock(NOW)) as gate:
        bad, good = FakePlace("bad", RuntimeError("https://secret")), FakePlace("good")
        made = gate.projector("argocd", [bad, good])
        for _ in range(3):
            await made.look(http)
            gate.clock.at += INTERVAL
        assert len(good.wanted) == 3
        assert gate.state("argocd", "bad").error == "the call failed: RuntimeError"
        bad.failure = None
        gate.clock.at += 10 * MINUTE
        await made.look(http)
        assert gate.state("argocd", "bad").error == ""
        assert "projection works again" in caplog.text
        assert "secret" not in caplog.text


async def test_a_look_that_lasts_too_long_is_given_up(
    tmp_path: Path, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST_LOOK", 0.01)

    class Slow(FakePlace):
        async def sync(self, http: httpx.AsyncClient, wanted: Projected) -> Written:
            await asyncio.sleep(3_600)
            return await super().sync(http, wanted)

    async with running(tmp_path, FakeClock(NOW)) as gate:
        await gate.projector("argocd", [Slow()]).look(http)
        assert gate.state("argocd", "shop").error == "the call failed: TimeoutError"


async def test_refused_policies_are_named_once(
    tmp_path: Path, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "policies.yaml").write_text(
        POLICIES + "    applies_to: {changes: [hotfix]}\n"
        "  - {id: warns, title: T, reason: R, effect: warn, when: [{always: true}]}\n"
    )
    caplog.set_level("INFO")
    async with running(tmp_path, FakeClock(NOW)) as gate:
        made = gate.projector("argocd", [FakePlace()])
        for _ in range(3):
            await made.look(http)
            gate.clock.at += INTERVAL
        assert gate.state("argocd", "shop").refused == 1
    assert caplog.text.count("projection refused: it freezes only hotfix") == 1
    assert caplog.text.count("projection differs: left out: it only warns") == 1


async def test_a_freeze_of_a_service_counts_as_refused_unless_another_place_is_about_it(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        of_all, of_api = FakePlace(), FakePlace("api")
        gate.gate.projections.add([of_all.place])
        of_a_service = incident(NOW - 60)._replace(selector=Selector.model_validate({"services": ["api"]}))
        gate.freeze(of_a_service)
        made = gate.projector("argocd", [of_all])
        await made.look(http)
        assert gate.state("argocd", "shop").refused == 1
        of_api.place = of_api.place._replace(scopes=[ProjectionScope("production", "api")])
        gate.gate.projections.add([of_api.place])
        gate.freeze(of_a_service)
        await made.look(http)
        assert gate.state("argocd", "shop").refused == 0


async def test_the_loop_goes_on_while_the_store_is_away_and_releases_its_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "TICK", 0)
    async with running(tmp_path, FakeClock(NOW)) as gate:
        made = gate.projector("argocd", [FakePlace()])
        calls = 0
        done = asyncio.Event()

        async def look(http: httpx.AsyncClient) -> None:
            nonlocal calls
            calls += 1
            if calls < 4:
                raise StoreUnavailableError("the database is away")
            await type(made).look(made, http)
            done.set()

        monkeypatch.setattr(made, "look", look)
        task = asyncio.create_task(made.run(Outbound()))
        await done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert caplog.text.count("projections wait: the database is away") == 1
        assert await gate.gate.projections.lease("argocd", "two").take()


def test_a_place_is_looked_at_again_after_the_clock_was_set_back() -> None:
    state = ProjectionState(ProjectionPlace("argocd", "shop", [], 90), NOW)
    state.succeed(Projected([]), Written(), NOW)
    assert not state.is_due(NOW + INTERVAL - 1)
    assert state.is_due(NOW + INTERVAL)
    assert state.is_due(NOW - 86_400)


def test_pauses_grow_to_five_minutes_unless_the_target_asks_for_more() -> None:
    state = ProjectionState(ProjectionPlace("argocd", "shop", [], 90), NOW)
    pauses, now = [], NOW
    for _ in range(8):
        state.fail("down", 0, now)
        start = now
        while not state.is_due(now):
            now += 1
        pauses.append(now - start)
    assert pauses == [15, 30, 60, 120, 240, 300, 300, 300]
    state.fail("down", 10_000_000, now)
    assert not state.is_due(now + 899)
    assert state.is_due(now + 900)


def test_a_first_look_and_a_change_of_wishes_are_no_drift() -> None:
    state = ProjectionState(ProjectionPlace("argocd", "shop", [], 90), NOW)
    one, two = Projected([{"a": 1}]), Projected([{"a": 2}])
    written = Written(1, 0)
    assert state.succeed(one, written, NOW) is ProjectionNews.CHANGED
    assert state.succeed(two, written, NOW) is ProjectionNews.CHANGED
    assert state.succeed(two, Written(), NOW) is None
    assert state.succeed(two, written, NOW) is ProjectionNews.DRIFTED
    assert state.drifts == 1


async def test_the_metrics_tell_age_drift_and_refused_policies(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    async with running(tmp_path, FakeClock(NOW)) as gate:
        place = FakePlace()
        made = gate.projector("argocd", [place])
        await made.look(http)
        gate.clock.at += INTERVAL
        place.written = Written(1)
        await made.look(http)
        gate.clock.at += 40
        registry = CollectorRegistry()
        registry.register(ProjectionStates(gate.gate.projections, gate.clock))
        page = generate_latest(registry).decode()
        labels = '{place="shop",target="argocd"}'
        for name, value in (
            ("age_seconds", 40),
            ("drift_total", 1),
            ("reverted", 0),
            ("refused_policies", 0),
        ):
            assert f"freezegate_projection_{name}{labels} {value}.0" in page


SECTIONS: Mapping[str, tuple[Any, dict[str, Any]]] = {
    "argocd": (ARGOCD, {"sync_windows": [{"project": "shop"}]}),
    "octopus": (
        OCTOPUS,
        {
            "url": "https://octopus.example",
            "deployment_freezes": [{"projects": ["Projects-1"], "environments": ["Environments-1"]}],
        },
    ),
}


@pytest.mark.parametrize("name", SECTIONS)
async def test_a_section_is_work_for_one_projector(tmp_path: Path, name: str) -> None:
    vendor, content = SECTIONS[name]
    read = section(tmp_path, name, content)
    async with running(tmp_path, FakeClock(NOW)) as gate:
        [work] = vendor.work(read, Surroundings(gate.gate, gate.clock, Outbound(), "one"))
        work.close()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("argocd", {}),
        ("argocd", {"sync_windows": []}),
        ("argocd", {"sync_windows": [{"project": "Shop"}]}),
        ("argocd", {"sync_windows": [{"project": "shop", "environment": "A b"}]}),
        ("argocd", {"sync_windows": [{"project": "shop"}], "url": "http://cluster.example"}),
        ("argocd", {"sync_windows": [{"project": "shop"}], "days": 361}),
        ("argocd", {"sync_windows": [{"project": "shop"}], "owner": "a: b"}),
        ("gitlab", {"freeze_periods": {"token": "t", "projects": [{"project": "a b"}]}}),
        ("octopus", {"deployment_freezes": [{"projects": ["shop"], "environments": ["Environments-1"]}]}),
    ],
)
def test_a_wrong_section_is_refused(tmp_path: Path, name: str, content: dict[str, Any]) -> None:
    with pytest.raises(IntegrationsFileError):
        section(tmp_path, name, content)


@pytest.mark.parametrize("name", ["argocd", "gitlab", "octopus"])
def test_the_section_of_a_page_loads(tmp_path: Path, name: str) -> None:
    page = (ROOT / "docs" / "how-to" / "project" / f"{name}.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    [content] = [yaml.safe_load(each)[name] for each in blocks if each.startswith(f"{name}:")]
    part = content["freeze_periods"] if name == "gitlab" else content
    assert part["token_file"].startswith("/")
    part.update({"token_file": "token"})
    read = section(tmp_path, name, content)
    assert (read.freeze_periods if name == "gitlab" else read).days == 90
