"""The client of the API: authentication, tokens, rate limits, pages, redirections."""

import httpx
import pytest

from app.core.errors import FaultyValuesError
from app.core.instant import HOUR, MINUTE
from app.integrations.github.client import App, Call
from tests.api.fakes import FakeClock
from tests.integrations.github.conftest import section_for
from tests.integrations.github.fake import (
    BAD_GATEWAY,
    INSTALLATION,
    LOST_ANSWER,
    Answer,
    FakeGitHub,
    Fault,
    primary_limit,
    secondary_limit,
)

pytestmark = pytest.mark.anyio

READ = Call("GET", "/repos/acme/checkout/actions/runs/7", INSTALLATION, {"actions": "read"})
LIST = Call("GET", "/app/hook/deliveries?per_page=2")


@pytest.fixture
def app(github: FakeGitHub, clock: FakeClock) -> App:
    return App(section_for(github.url), clock)


def grants(github: FakeGitHub) -> int:
    return sum(path.endswith("/access_tokens") for _, path, _ in github.requests)


async def test_the_app_proves_itself_and_reads_its_deliveries(
    app: App, github: FakeGitHub, http: httpx.AsyncClient
) -> None:
    for _ in range(3):
        github.send("ping", {"zen": "Keep it logically awesome."})
    first = await app.call(http, LIST)
    assert (first.status, len(first.content)) == (200, 2)
    assert first.next is not None
    second = await app.call(http, LIST._replace(path=first.next))
    assert (len(second.content), second.next) == (1, None)
    assert github.requests[0] == ("GET", "/app/hook/deliveries", 200)


async def test_a_token_is_narrowed_and_kept_until_shortly_before_it_expires(
    app: App, github: FakeGitHub, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    assert (await app.call(http, READ)).status == 404
    assert next(iter(github.tokens.values()))[0] == {"actions": "read"}
    clock.at += 55 * MINUTE - 1
    await app.call(http, READ)
    assert grants(github) == 1
    clock.at += 1
    await app.call(http, READ)
    await app.call(http, READ._replace(permissions={"deployments": "write"}))
    assert grants(github) == 3


async def test_a_token_that_was_revoked_is_replaced_once(
    app: App, github: FakeGitHub, http: httpx.AsyncClient
) -> None:
    github.request_deploy(run_id=7)
    assert (await app.call(http, READ)).content["status"] == "waiting"
    github.tokens.clear()
    assert (await app.call(http, READ)).is_good
    github.fault = lambda _method, path: None if path.endswith("tokens") else Fault(401)
    assert (await app.call(http, READ)).status == 401
    assert grants(github) == 3


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (READ._replace(installation=1), 404),
        (READ._replace(permissions={"actions": "write"}), 422),
        (READ._replace(permissions={"checks": "write"}), 403),
    ],
)
async def test_a_refused_token_is_the_answer(
    app: App, http: httpx.AsyncClient, call: Call, status: int
) -> None:
    reply = await app.call(http, call)
    assert (reply.status, reply.is_good, reply.retry_after) == (status, False, 0)
    assert reply.is_sent is (status == 403), "only the last one is about the call"


async def test_nothing_is_sent_until_the_primary_limit_is_over(
    app: App, github: FakeGitHub, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    github.request_deploy(run_id=7)
    await app.call(http, READ)
    github.faults.append(primary_limit(clock.at + 20 * MINUTE))
    assert (await app.call(http, READ)).retry_after == 20 * MINUTE
    sent = len(github.requests)
    clock.at += 19 * MINUTE
    reply = await app.call(http, READ)
    assert (reply.status, reply.retry_after, len(github.requests)) == (429, MINUTE, sent)
    assert (await app.call(http, LIST)).is_good, "another limit counts for the App itself"
    clock.at += MINUTE
    assert (await app.call(http, READ)).is_good


async def test_a_secondary_limit_says_how_long_or_lasts_longer_each_time(
    app: App, github: FakeGitHub, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    github.faults.append(secondary_limit(7))
    assert (await app.call(http, LIST)).retry_after == 7
    clock.at += 7
    pauses = []
    for _ in range(6):
        github.faults.append(secondary_limit())
        pauses.append((await app.call(http, LIST)).retry_after)
        clock.at += pauses[-1]
    assert pauses == [120, 240, 480, 900, 900, 900]
    assert (await app.call(http, LIST)).is_good
    github.faults.append(Fault(429))
    assert (await app.call(http, LIST)).retry_after == 60


@pytest.mark.parametrize("header", ["soon", "-1", "\uff19", "9" * 40])
async def test_a_limit_is_never_longer_than_an_hour_whatever_it_says(
    app: App, github: FakeGitHub, http: httpx.AsyncClient, header: str
) -> None:
    github.faults.append(Fault(429, {"Retry-After": header.encode().decode("latin-1")}))
    assert 1 <= (await app.call(http, LIST)).retry_after <= HOUR


async def test_a_failure_is_an_answer_and_a_broken_connection_is_an_error(
    app: App, github: FakeGitHub, http: httpx.AsyncClient
) -> None:
    github.faults.append(BAD_GATEWAY)
    assert (await app.call(http, LIST)).status == 502
    github.faults.append(LOST_ANSWER)
    with pytest.raises(httpx.HTTPError):
        await app.call(http, LIST)


async def test_a_renamed_repository_is_followed_within_the_api_only(
    app: App, github: FakeGitHub, http: httpx.AsyncClient
) -> None:
    github.request_deploy("acme/new", run_id=7)
    github.route("GET", "/repositories/1/run", ("actions", "read"), lambda _: Answer(200, {"id": 7}))
    away = {"Location": f"{github.url}/repositories/1/run"}
    github.fault = lambda _method, path: Fault(307, away) if path == READ.path else None
    assert (await app.call(http, READ)).content == {"id": 7}
    away["Location"] = "https://attacker.example/repositories/1/run"
    assert (await app.call(http, READ)).status == 307
    away["Location"] = f"{github.url}/../secrets"
    assert (await app.call(http, READ)).status == 307


async def test_an_answer_without_json_or_without_a_token_is_no_crash(
    app: App, github: FakeGitHub, http: httpx.AsyncClient
) -> None:
    github.route("GET", "/text", None, lambda _: Answer(200, None))
    assert (await app.call(http, Call("GET", "/text"))).content is None
    github.fault = lambda _method, path: Fault(201) if path.endswith("tokens") else None
    with pytest.raises(ValueError, match="no token"):
        await app.call(http, READ)


async def test_an_answer_without_an_end_is_an_error(
    app: App, github: FakeGitHub, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.integrations.github.client._LARGEST_ANSWER", 1)
    with pytest.raises(ValueError, match="no end"):
        await app.call(http, LIST)


async def test_a_thousand_tokens_are_enough(
    app: App, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.integrations.github.client._MOST_TOKENS", 1)
    for level in ("deployments", "actions", "checks"):
        await app.call(http, READ._replace(permissions={level: "read"}))
    assert len(app._tokens) == 1


def test_a_key_that_is_none_is_refused_without_repeating_it(github: FakeGitHub, clock: FakeClock) -> None:
    with pytest.raises(FaultyValuesError, match="no RSA private key") as error:
        App(section_for(github.url, private_key="hunter2"), clock)
    assert "hunter2" not in str(error.value)


async def test_an_app_of_another_id_or_clock_is_refused_by_github(
    github: FakeGitHub, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    assert (await App(section_for(github.url, app_id=1), clock).call(http, LIST)).status == 404
    assert (await App(section_for(github.url), FakeClock(clock.at + 62)).call(http, LIST)).status == 401
