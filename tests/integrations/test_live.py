"""The gate as it is started, with a receiver beside it."""

import logging
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from app.core.instant import HOUR
from app.core.policy import Selector
from app.gate.freezes import StartRequest
from app.integrations.kubernetes.section import Kubernetes
from app.main import create_app
from app.settings import Settings
from app.store.store import Store
from tests.api.fakes import FakeClock
from tests.gate.conftest import BEFORE, OPS
from tests.integrations.gates import gate_with
from tests.integrations.receiver import LocalReceiver
from tests.integrations.sections import SECTIONS
from tests.live.gate import ROOT, clean_environment
from tests.store.records import PATIENT

KEY = "fzk_"


def receivers(folder: Path, local: LocalReceiver, more: str = "") -> Path:
    file = folder / "receivers.yaml"
    file.write_text(
        f"receivers:\n  - {{name: ops, kind: slack, url: {local.url}}}\n"
        f"  - {{name: bot, kind: webhook, url: {local.url}, secret: {'SECRET' * 6}{more}}}\n"
    )
    return file


def serve(folder: Path, file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.patient", "serve", "--port", "0"),
            *("--policies", str(ROOT / "policies.yaml"), "--database-url", f"sqlite:///{folder / 'gate.db'}"),
        ],
        env=clean_environment(FREEZEGATE_NOTIFICATIONS=str(file), FREEZEGATE_LOG_LEVEL="debug"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def cli(*arguments: str, **environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ran.stdout.strip()


def wait_for_the_first_look(database: str) -> None:
    """What happens before it is told to nobody."""
    store = Store.open(database, deadline=PATIENT)
    for _ in range(3_000):
        if store.query(lambda view: view.lease()).looked_until:
            break
        time.sleep(0.02)
    store.let_go()


def test_a_gate_that_runs_tells_and_logs_nothing_secret(tmp_path: Path, local: LocalReceiver) -> None:
    local.answers += [(500, {}), (400, {})]
    process = serve(tmp_path, receivers(tmp_path, local))
    try:
        assert process.stderr is not None
        line = ""
        while "listens on" not in line:
            line = process.stderr.readline()
            assert line
        server = next(word.rstrip(";") for word in line.split() if word.startswith("http"))
        database = f"sqlite:///{tmp_path / 'gate.db'}"
        made = cli("keys", "create", "--name", "Alice", "--role", "ops", "--database-url", database)
        key = next(word for word in made.split() if word.startswith(KEY))
        wait_for_the_first_look(database)
        cli("freeze", "start", "--title", "First", "--reason", "r", "--ttl", "1h",
            FREEZEGATE_URL=server, FREEZEGATE_API_KEY=key)  # fmt: skip
        local.wait_for(2)
        assert "First" in local.got[0].body.decode()
        assert httpx.get(f"{server}/healthz").status_code == 200
        metrics = httpx.get(f"{server}/metrics").text
        for name in ("ops", "bot"):
            assert f'freezegate_notifications_waiting{{receiver="{name}"}}' in metrics
    finally:
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert "a notification could not be sent" in out
    for secret in ("SECRET", f":{local.port}", "/services/"):
        assert secret not in out + err + metrics


def test_a_gate_with_a_wrong_file_does_not_start(tmp_path: Path, local: LocalReceiver) -> None:
    process = serve(tmp_path, receivers(tmp_path, local, ", event: [gate-open]"))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert 'unknown key "event"; did you mean "events"?' in err
    assert "SECRET" not in out + err


def test_the_application_warns_of_unknown_environments_of_each_section(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rule = {"service": "checkout", "environment": "production"}
    sections = {
        "kubernetes": {"environments": {"shop": "production", "shop-*": "kube"}},
        "flagger": SECTIONS["flagger"] | {"deployments": [rule, rule | {"environment": "canaries"}]},
        "github": SECTIONS["github"]
        | {
            "deployments": [{"repository": "acme/*", "environment": "hub"}],
            "merges": {"branches": [{"repository": "acme/*", "branch": "main", "environment": "trunk"}]},
        },
        "buildkite": SECTIONS["buildkite"],
    }
    with caplog.at_level(logging.WARNING), gate_with(tmp_path, FakeClock(BEFORE), sections):
        pass
    found = [each.__dict__["fields"] for each in caplog.records if "do not exist" in each.message]
    assert {each["section"]: each["environments"] for each in found} == {
        "kubernetes": ["kube"],
        "flagger": ["canaries"],
        "github": ["hub", "trunk"],
    }


def test_reviews_of_kubernetes_ask_for_production_unless_a_table_says_otherwise() -> None:
    assert Kubernetes.model_validate({}).named_environments() == {"production"}
    maps = {"config_maps": [{"environment": "staging"}], "token": "t"}
    assert Kubernetes.model_validate({"project": maps}).named_environments() == {"staging"}


@pytest.mark.anyio
async def test_the_application_warns_of_environments_that_do_not_exist(
    tmp_path: Path, local: LocalReceiver, caplog: pytest.LogCaptureFixture, policy_file: Path
) -> None:
    file = receivers(tmp_path, local, ", environments: [produktion]")
    settings = Settings(policies=policy_file, notifications=file)
    with caplog.at_level(logging.WARNING):
        application = create_app(settings, clock=FakeClock(BEFORE - 4 * HOUR))
        async with application.router.lifespan_context(application):
            context = application.state.context
            wanted = StartRequest("Incident", "r", Selector.model_validate({}), None, None)
            await context.freezes.start(OPS, wanted, context.policies.in_force)
    assert "receivers name environments that do not exist" in caplog.text
    assert "SECRET" not in caplog.text
