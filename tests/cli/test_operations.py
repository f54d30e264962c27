"""The commands of ops and of administrators, on a real gate and against misbehaving servers."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.cli import run
from app.clock import SystemClock
from app.core.instant import DAY, format_instant
from app.gate.audit_events import Kind, happened
from app.identity.credentials import is_key, is_token, new_key
from app.store.store import Store
from tests.cli.conftest import CannedServer
from tests.live.gate import running
from tests.store.older import TABLES, write_older_database

ADMIN = new_key()
FROZEN = """version: 1
timezone: Asia/Tokyo
overrides: {max_ttl: 24h, max_uses: 5, approvals: 0}
policies:
  - {id: always, title: Frozen, reason: A test., when: [{always: true}]}
  - id: audit
    title: Audit
    reason: Over, and still a reason to approve.
    override: {approvals: 1}
    when: [{dates: {from: 2020-01-01, to: 2020-01-01}}]
"""


class Shell:
    """Runs command lines and returns their output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.err = ""

    def __call__(self, command: str, *more: str, exits: int = 0) -> str:
        status = run([*command.split(), *more])
        out, self.err = self._capsys.readouterr()
        assert status == exits, out + self.err
        return out.strip()

    def json(self, command: str, *more: str, exits: int = 0) -> Any:
        return json.loads(self(command, *more, "--json", exits=exits))


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gate.db'}"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def gate(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    policies = tmp_path / "policies.yaml"
    policies.write_text(FROZEN)
    with running(policies, database, FREEZEGATE_ADMIN_KEY=ADMIN) as started:
        monkeypatch.setenv("FREEZEGATE_URL", started.url)
        monkeypatch.setenv("FREEZEGATE_DATABASE_URL", database)
        monkeypatch.setenv("FREEZEGATE_API_KEY", ADMIN)
        yield started.url


def test_the_story_of_the_friday_fix(
    gate: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("check api --claim", exits=1)
    monkeypatch.setenv("FREEZEGATE_API_KEY", shell("keys create --name alice --role ops"))
    token = shell("override grant --service api --ttl 1h --reason", "The fix")
    assert is_token(token)
    assert "granted by alice: The fix" in shell.err
    monkeypatch.setenv("FREEZEGATE_OVERRIDE_TOKEN", token)
    assert "by an override of alice" in shell("check api --claim")
    shell("check api --claim", exits=1)
    assert "No override is in force; --all shows the others." in shell("override list")
    (spent,) = shell.json("override list --all")
    assert (spent["state"], spent["uses"]) == ("used-up", 1)
    checkpoint = tmp_path / "export.jsonl"
    checkpoint.write_text(shell("audit export") + "\n")
    kinds = [json.loads(line).get("kind") for line in checkpoint.read_text().splitlines()]
    assert kinds[-6:] == [
        "key-created",
        "override-granted",
        "decision",
        "override-spent",
        "decision",
        None,
    ]
    assert "there is no decision dec_0." in shell("check web --claim --continues dec_0", exits=1)
    shell("check web --continues dec_0", exits=2)
    assert "The record is whole" in shell("audit verify --against", str(checkpoint))
    recorded = [json.loads(line) for line in shell("audit export").splitlines() if "override-spent" in line]
    decision = json.loads(recorded[0]["data"])["decision"]
    assert "the answer is the same" in shell(f"decisions replay {decision}")
    assert shell.json(f"decisions replay {decision}")["same"] is True


def test_a_decision_of_an_older_version_says_why_it_cannot_be_evaluated_again(
    database: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_older_database(database)
    monkeypatch.setenv("FREEZEGATE_DATABASE_URL", database)
    first, *_, refused = [row[1] for row in TABLES["decisions"]]
    assert "the answer is the same" in shell(f"decisions replay {first}")
    shell(f"decisions replay {refused}", exits=3)
    assert "can't be evaluated again: this version does not accept the policies of then" in shell.err
    assert "policies.yaml:19:13: policies[1].exempt: an empty selector" in shell.err
    told = shell.json(f"decisions replay {refused}", exits=3)
    assert told["same"] is None
    assert len(told["refused"]) == 1


def test_where_people_sign_in_a_new_key_of_another_person_is_warned_of(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"sqlite:///{tmp_path / 'gate.db'}"
    Store.open(database).let_go()
    monkeypatch.setenv("FREEZEGATE_DATABASE_URL", database)
    file = tmp_path / "identity.yaml"
    rules = "[{groups: [sre], role: ops}]"
    secret = "client_secret_env: NOT_SET_HERE"  # noqa: S105 - the name of a variable
    named = "id: a, name: A, issuer: 'https://id.example', client_id: c"
    file.write_text(f"sign_in:\n  - {{{named}, {secret}, rules: {rules}}}\n")
    warning = "People sign in as https://id.example#sub=ID"
    by_name = "keys create --name ada --person ada@example.com --role"
    shell(f"{by_name} ops")
    assert warning not in shell.err
    monkeypatch.setenv("FREEZEGATE_IDENTITY", str(file))
    assert is_key(shell(f"{by_name} ops"))
    assert warning in shell.err
    shell.json(f"{by_name} admin")
    assert warning in shell.err
    for other in (
        f"{by_name} ci",
        "keys create --name ada --role ops",
        "keys create --name ada --person https://ID.example#sub=7 --role ops",
    ):
        shell(other)
        assert warning not in shell.err
    for content in (file.read_text().replace("role: ops", "role: viewer"), "sign_in: []"):
        file.write_text(content)
        shell(f"{by_name} ops")
        assert warning not in shell.err


def test_after_a_record_of_years_ahead_new_keys_and_tokens_work(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Follow the steps of docs/how-to/clock.md for a clock that was ahead."""
    policies = tmp_path / "policies.yaml"
    policies.write_text(FROZEN)
    database = f"sqlite:///{tmp_path / 'gate.db'}"
    store = Store.open(database)
    store.let_go()
    monkeypatch.setenv("FREEZEGATE_DATABASE_URL", database)
    expiring = shell("keys create --name alice --role ops --expires 90d")
    lasting = shell("keys create --name bob --role ops")
    assert "Without --person it can neither approve nor grant" in shell.err
    store = Store.open(database)
    later = SystemClock().microseconds() + 400 * DAY * 1_000_000
    store.transact(lambda transaction: transaction.append(happened(later, Kind.REQUEST_REFUSED, "alice")))
    store.let_go()
    renewed = shell("keys create --name alice --role ops --expires 90d")
    with running(policies, tmp_path / "gate.db") as gate:
        monkeypatch.setenv("FREEZEGATE_URL", gate.url)
        for key, status in ((expiring, 3), (lasting, 0), (renewed, 0)):
            monkeypatch.setenv("FREEZEGATE_API_KEY", key)
            shell("override list", exits=status)
        token = shell("override grant --service web --environment production --ttl 1h --reason x")
        monkeypatch.setenv("FREEZEGATE_OVERRIDE_TOKEN", token)
        assert shell.json("check web --claim")["outcome"] == "override"


def test_an_incident_is_stopped_extended_and_lifted(gate: str, shell: Shell) -> None:
    started = shell.json(
        "freeze start --environment production --ttl 2h --override never --title",
        "Incident 42",
        "--reason",
        "x",
    )
    own_id = started["id"]
    assert "Incident 42" in shell("check api", exits=1)
    assert own_id in shell("freeze list")
    assert "until it is lifted" in shell(f"freeze extend {own_id} --open-ended")
    finishing = shell(f"freeze change {own_id} --running finish")
    assert finishing.splitlines()[1].endswith("until it is lifted; running deploys may finish")
    shell(f"freeze change {own_id} --running stop")
    changed = shell(f"freeze change {own_id} --contact #incidents --exempt changes=rollback,hotfix")
    assert "except changes=rollback,hotfix" in changed
    assert "ask #incidents" in changed
    stopped = [
        [each["kind"] for each in shell.json(f"check api --change {change}", exits=1)["blocking"]]
        for change in ("normal", "rollback")
    ]
    assert stopped == [["freeze", "policy"], ["policy"]]
    assert shell(f"freeze show {own_id}") == changed
    cleared = shell.json(f"freeze change {own_id} --clear exempt --clear contact --title", "Incident 43")
    assert (cleared["exempt"], cleared["contact"], cleared["title"]) == ([], None, "Incident 43")
    assert "lifted by admin: It is over" in shell(f"freeze lift {own_id} --reason", "It is over")
    assert shell("freeze list") == "There are no ad-hoc freezes."
    (lifted,) = shell.json("freeze list --all")
    assert lifted["state"] == "lifted"
    shell(f"freeze extend {own_id} --ttl 1h", exits=3)
    assert "this freeze is over: lifted" in shell.err


def test_a_title_is_enough_for_a_freeze_and_is_printed_once(gate: str, shell: Shell) -> None:
    started = shell("freeze start --ttl 2h --title", "Payments are down")
    assert started.count("Payments are down") == 1
    assert started.endswith("\n  started by admin")
    assert shell("status").count("Payments are down") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--exempt", "rollback"], "write it as changes=rollback,hotfix"),
        (["--exempt", "change=rollback"], "fields: changes, services, tags, environments"),
        (["--exempt", ""], "it is empty; write it as changes=rollback,hotfix"),
        (["--clear", "contact", "--contact", "x"], "contact: either set it or --clear it"),
        (["--ttl", "1h", "--open-ended"], "one of --ttl, --until and --open-ended"),
        ([], "nothing to change: name at least one option"),
    ],
)
def test_a_change_that_makes_no_sense_is_wrong_usage(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.setenv("FREEZEGATE_URL", "http://127.0.0.1:1")
    shell("freeze change frz_1", *options, exits=2)
    assert words in shell.err


def test_overrides_are_shown_approved_and_revoked(
    gate: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    admins = shell.json("override grant --service api --ttl 1h --reason x")["id"]
    # All before one of them is used: unknown keys are looked for once a second.
    keys = [
        shell(f"keys create --name {each} --role ops")
        for each in ("laptop --person Ada", "nobodys", "bob --person B")
    ]
    monkeypatch.setenv("FREEZEGATE_API_KEY", keys[0])
    granted = shell.json(
        "override grant --service api --uses 3 --ttl 1h --reason x --ticket https://x.example/1"
    )
    own_id = granted["id"]
    tomorrow = format_instant(int(time.time()) + DAY)
    later = shell.json(
        f"override grant --service api --starts-at {tomorrow} --ttl 1h --ref v1.4.2 --reason x"
    )
    assert (later["state"], later["starts_at"]) == ("scheduled", tomorrow)
    lines = shell(f"override show {later['id']}").splitlines()
    assert lines[1] == "  lets through: api to production, only the ref v1.4.2"
    assert lines[4].startswith("  uses left: 1 of 1, from 20")
    assert " until 20" in lines[4]
    shell(f"override approve {admins}", exits=3)
    assert "granted with credentials that belong to no person" in shell.err
    shown = shell(f"override show {own_id}")
    assert "uses left: 3 of 3" in shown
    assert "is active, some policies need 1 approval" in shown
    assert own_id in shell("override list")
    shell(f"override approve {own_id}", exits=3)
    assert "another person than the one who granted it" in shell.err
    monkeypatch.setenv("FREEZEGATE_API_KEY", keys[1])
    shell(f"override approve {own_id}", exits=3)
    assert "these credentials belong to no person: make a key with" in shell.err
    monkeypatch.setenv("FREEZEGATE_API_KEY", keys[2])
    assert "approved by bob" in shell(f"override approve {own_id}")
    assert "is revoked" in shell(f"override revoke {own_id}")
    shell("override show ovr_0", exits=3)
    assert "no override of that id" in shell.err


def test_keys_are_made_listed_and_revoked(gate: str, shell: Shell) -> None:
    made = shell.json("keys create --name pipeline --role ci --service api --expires 90d")
    assert is_key(made["key"])
    listed = shell("keys list")
    assert "pipeline" in listed
    assert made["key"] not in listed
    assert "is revoked" in shell(f"keys revoke {made['id']}")
    (record,) = [each for each in shell.json("keys list") if each["id"] == made["id"]]
    assert record["revoked_at"] is not None
    shell("keys revoke key_0", exits=1)
    scoped = shell.json("keys create --name alice --role ops --service api --person Alice")
    (record,) = [each for each in shell.json("keys list") if each["id"] == scoped["id"]]
    assert (record["role"], record["services"]) == ("ops", ["api"])
    shell("keys create --name dave --role viewer --service api", exits=2)
    assert "a viewer changes nothing" in shell.err


def test_a_record_that_was_tampered_with_is_told(
    gate: str, shell: Shell, database: str, tmp_path: Path
) -> None:
    for service in ("api", "web"):
        shell(f"check {service} --claim", exits=1)
    if database.startswith("sqlite"):
        import sqlite3

        with sqlite3.connect(tmp_path / "gate.db") as raw:
            raw.execute("UPDATE events SET data = data || ' ' WHERE seq = 3")
        raw.close()
    else:
        with psycopg.connect(database) as server:
            server.execute("UPDATE events SET data = data || ' ' WHERE seq = 3")
    shell("audit verify", exits=1)
    assert "event 3 was changed" in shell.err
    found = shell.json("audit verify", exits=1)
    assert found["fault"]["seq"] == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "there is no checkpoint"),
        ("nonsense\n", ":1: neither an event nor a checkpoint"),
        ('{"checkpoint": {"seq": "1", "hash": 5}}\n', ":1: neither an event"),
        (
            '{"seq": 2, "at": 1, "kind": "a", "actor": "", "data": "", "previous": "", "hash": ""}\n',
            "missing",
        ),
    ],
)
def test_what_is_no_checkpoint_is_refused(shell: Shell, tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "checkpoint"
    file.write_text(content)
    shell("audit verify --database-url", f"sqlite:///{tmp_path / 'gate.db'}", "--against", str(file), exits=2)
    assert said in shell.err


def test_a_store_is_copied_whole_into_an_empty_one(
    gate: str, shell: Shell, database: str, tmp_path: Path, postgresql_url: str
) -> None:
    for number in range(30):
        shell(f"check service-{number} --claim", exits=1)
    shell("override grant --service api --ttl 1h --reason x")
    shell("freeze start --title a --reason b --open-ended")
    target = f"sqlite:///{tmp_path / 'copy.db'}" if database.startswith("postgresql") else postgresql_url
    if target == database:
        pytest.skip("one database is not copied into itself")
    copied = shell.json("store copy", database, target)
    assert (copied["decisions"], copied["overrides"], copied["freezes"], copied["head"]) == (30, 1, 1, 1)
    assert "The record is whole" in shell("audit verify --database-url", target)
    assert shell("audit export --database-url", target) == shell("audit export")
    shell("store copy", database, target, exits=3)
    assert "not empty" in shell.err


def test_pages_of_a_copy_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.core.override import Approval
    from app.store.copy import copy
    from app.store.store import Store
    from tests.store.records import override

    monkeypatch.setattr("app.store.copy._TOGETHER", 2)
    urls = [f"sqlite:///{tmp_path / name}" for name in ("a.db", "b.db")]
    source = Store.open(urls[0])
    for number in range(5):
        made = override(number)
        source.transact(lambda transaction, m=made: transaction.add_override(m, m.id))  # type: ignore[misc]
        for who in ("x", "y", "z"):
            given = (made.id, Approval(who, number, who))
            source.transact(lambda transaction, g=given: transaction.approve(*g))  # type: ignore[misc]
    copied = copy(*urls)
    assert (copied["overrides"], copied["approvals"]) == (5, 15)
    target = Store.open(urls[1])
    for number in range(5):
        own_id = f"ovr_{number:06}"
        assert target.query(lambda view, i=own_id: view.override(i)) == source.query(  # type: ignore[misc]
            lambda view, i=own_id: view.override(i)  # type: ignore[misc]
        )
    source.let_go()
    target.let_go()


COMMANDS = [
    "override grant --service api --reason x --ttl 1h",
    "override list",
    "override show ovr_1",
    "freeze start --title a --reason b --ttl 1h",
    "freeze list",
    "freeze lift frz_1",
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("status", "body", "exits"),
    [
        (200, b"<html>", 3),
        (200, b"[]", 3),
        (302, {}, 3),
        (500, {"detail": "broken"}, 3),
        (503, {"detail": "the store is away"}, 3),
        (403, {"detail": "this needs the role ops"}, 3),
        (422, {"errors": [{"field": "reason", "message": "is \x1b[31mrequired"}]}, 3),
        (404, b"not ours", 3),
    ],
)
def test_only_what_was_done_exits_0(
    server: CannedServer, shell: Shell, command: str, status: int, body: Any, exits: int
) -> None:
    server.reply(status, body)
    shell(f"{command} --server {server.url}", exits=exits)
    assert "\x1b" not in shell.err


def test_the_key_is_sent_and_never_printed(
    server: CannedServer, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEZEGATE_API_KEY", ADMIN)
    server.reply(403, {"detail": "no"})
    out = shell(f"freeze lift frz_1 --server {server.url}", exits=3)
    assert server.received[0].headers["authorization"] == f"Bearer {ADMIN}"
    assert ADMIN not in out + shell.err


@pytest.mark.parametrize("command", ["freeze list", "check api --claim"])
@pytest.mark.parametrize(
    ("sent", "status", "hint"),
    [
        (False, 403, "no key was sent: set FREEZEGATE_API_KEY"),
        (True, 401, "the key in FREEZEGATE_API_KEY is not valid there"),
        (True, 403, "freezegate: this needs the role ops\n"),
    ],
)
def test_a_refusal_for_want_of_a_key_says_how_to_send_one(
    server: CannedServer,
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    *,
    sent: bool,
    status: int,
    hint: str,
) -> None:
    if sent:
        monkeypatch.setenv("FREEZEGATE_API_KEY", ADMIN)
    server.reply(status, {"detail": "this needs the role ops"})
    shell(f"{command} --server {server.url}", exits=3)
    assert "this needs the role ops" in shell.err
    assert hint in shell.err


def test_a_local_time_is_read_in_the_zone_of_the_gate(gate: str, shell: Shell) -> None:
    started = shell.json(
        "freeze start --title a --reason b --starts-at", "2030-07-01 18:00", "--until", "2030-07-02"
    )
    assert (started["starts_at"], started["ends_at"]) == ("2030-07-01T09:00:00Z", "2030-07-02T15:00:00Z")
    asked = shell.json("check api --at", "2030-07-01 18:00", exits=1)
    assert asked["at"] == "2030-07-01T09:00:00Z"


def test_times_are_printed_in_the_zone_of_the_gate_or_of_the_option(gate: str, shell: Shell) -> None:
    started = shell(
        "freeze start --title a --reason b --starts-at", "2030-07-01 18:00", "--until", "2030-07-02"
    )
    bounds = ("2030-07-01T18:00:00+09:00", "2030-07-03T00:00:00+09:00")
    assert f"from {bounds[0]} until {bounds[1]}" in started
    listed = shell("freeze list")
    assert all(bound in listed for bound in bounds)
    assert "2030-07-01T11:00:00+02:00" in shell("freeze list --timezone Europe/Amsterdam")
    assert shell.json("freeze list")[0]["starts_at"] == "2030-07-01T09:00:00Z"
    shell("override grant --service api --reason x --ttl 1h")
    assert "+09:00" in shell.err
    assert "+09:00" in shell("override list")
    assert "-04:00" in shell("override list --timezone America/Puerto_Rico")


def test_times_are_printed_in_utc_if_the_zone_is_not_known(server: CannedServer, shell: Shell) -> None:
    freeze = {"id": "frz_1", "state": "active", "starts_at": "2030-07-01T09:00:00Z", "ends_at": None}
    server.reply(200, {"freezes": [freeze, freeze]})
    listed = shell(f"freeze list --server {server.url}")
    assert listed.count("2030-07-01T09:00:00Z") == 2
    assert [each.path.partition("?")[0] for each in server.received] == ["/freezes", "/status"]


@pytest.mark.parametrize(
    "command",
    [
        "override grant --service api --reason x",
        "override grant --service api --reason x --ttl 1h --expires-at 2026-11-27T14:00:00Z",
        "override grant --service api --reason x --ttl soon",
        "override grant --service api --ttl 1h",
        "override show ../x",
        "freeze start --title a --reason b",
        "freeze start --title a --reason b --ttl 1h --open-ended",
        "freeze start --title a --reason b --until tomorrow",
        "freeze extend frz_1",
        "keys create --name a --role boss",
        "keys create --role ops",
    ],
)
def test_wrong_usage_asks_nobody(server: CannedServer, shell: Shell, command: str) -> None:
    shell(command, exits=2)
    assert server.received == []


def test_nobody_there_is_undecided(shell: Shell) -> None:
    shell("freeze list --server http://127.0.0.1:9", exits=3)
