"""The systemd unit: every directive known to systemd, hardly any rights, and a start with what it sets."""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.identity.credentials import new_key
from app.settings import PREFIX, Settings
from tests.live.gate import ROOT, Gate

SYSTEMD = ROOT / "deploy" / "systemd"
UNIT = SYSTEMD / "freezegate.service"
DROP_IN = SYSTEMD / "freezegate.service.d" / "secrets.conf"
INSTALLED = Path(sys.executable).with_name("freezegate")
KEY = new_key()

# Denies memory that is both writable and executable, as MemoryDenyWriteExecute= does, and starts the command.
# 65 is PR_SET_MDWE (Linux 6.3); an older kernel refuses it, and the command starts without.
WITHOUT_WRITABLE_CODE = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def directives(*files: Path) -> list[tuple[str, str]]:
    """The directives of unit files, in order."""
    lines = [line.strip() for file in files for line in file.read_text().splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith(("#", "["))]
    return [(name, value) for name, _, value in pairs]


def environment(*files: Path) -> dict[str, str]:
    given = [value for name, value in directives(*files) if name == "Environment"]
    return dict(each.split("=", 1) for value in given for each in shlex.split(value))


def only(name: str) -> str:
    (found,) = [value for given, value in directives(UNIT) if given == name]
    return found


@pytest.fixture
def analyzed(tmp_path: Path) -> list[str]:
    """The command `systemd-analyze`, and the unit with its drop-in where this machine has the gate."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NOT TRIED: the systemd unit, for systemd-analyze is not installed")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/freezegate/bin/freezegate", str(INSTALLED)))
    shutil.copytree(DROP_IN.parent, tmp_path / DROP_IN.parent.name)
    return ["systemd-analyze", str(unit)]


def analyze(analyzed: list[str], *verb: str) -> "subprocess.CompletedProcess[str]":
    program, unit = analyzed
    return subprocess.run(
        [program, *verb, unit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )


def test_systemd_knows_every_directive(analyzed: list[str]) -> None:
    done = analyze(analyzed, "verify", "--man=no")
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_would_find_a_wrong_directive(analyzed: list[str]) -> None:
    unit = Path(analyzed[1])
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHomes=yes"))
    assert "ProtectHomes" in analyze(analyzed, "verify", "--man=no").stderr


def test_what_is_left_open_is_what_a_server_on_the_network_needs(analyzed: list[str]) -> None:
    done = analyze(analyzed, "security", "--offline=true", "--no-pager", "--threshold=12", "--json=short")
    assert done.returncode == 0, done.stdout
    exposed = {
        each["json_field"] for each in json.loads(done.stdout) if each["exposure"] not in (None, "0.0")
    }
    assert exposed <= {
        "RootDirectoryOrRootImage",  # the gate runs from the system's Python
        "RestrictAddressFamilies_AF_UNIX",  # PostgreSQL's socket
        "RestrictAddressFamilies_AF_INET_INET6",
        "PrivateNetwork",
        "IPAddressDeny",  # who may call it is for the proxy and the firewall to say
        "DeviceAllow",  # /dev/rtc, which ProtectClock= leaves readable
    }


def test_the_variables_are_settings_of_the_gate() -> None:
    given = environment(UNIT, DROP_IN)
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert {name.removesuffix("_FILE") for name in given} <= known
    assert given[f"{PREFIX}ANONYMOUS_ROLE"] == "viewer"


def test_secrets_are_credentials_and_the_gate_reads_each() -> None:
    credentials = [value.partition(":") for name, value in directives(DROP_IN) if name == "LoadCredential"]
    files = {value for name, value in environment(DROP_IN).items() if name.endswith("_FILE")}
    assert files == {f"%d/{name}" for name, _, _ in credentials}
    assert all(path == f"/etc/freezegate/secrets/{name}" for name, _, path in credentials)
    assert not any("KEY" in name or "URL" in name for name in environment(UNIT))


def test_the_state_is_kept_where_the_service_may_write_and_belongs_to_its_user() -> None:
    assert environment(UNIT)[f"{PREFIX}DATA"] == f"/var/lib/{only('StateDirectory')}"
    kind, user, number, _, home = shlex.split((SYSTEMD / "freezegate.sysusers").read_text().splitlines()[-1])
    assert (kind, user, number, home) == ("u", only("User"), "-", f"/var/lib/{only('StateDirectory')}")


@contextlib.contextmanager
def as_the_unit_starts_it(folder: Path, *files: Path, **more: str) -> Iterator[Gate]:
    """Run the gate with the command and the environment of the unit, its folders below `folder`."""
    given = {**environment(*files), **more, "PATH": "/usr/bin:/bin", f"{PREFIX}PORT": "0"}
    places = {
        "/etc/freezegate": folder / "etc",
        "/var/lib/freezegate": folder / "state",
        "%d": folder / "secrets",
    }
    for name, value in given.items():
        for place, here in places.items():
            if value.startswith(place):
                given[name] = value.replace(place, str(here), 1)
    program, *arguments = shlex.split(only("ExecStart"))
    assert program == "/opt/freezegate/bin/freezegate"
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_WRITABLE_CODE, str(INSTALLED), *arguments],
        cwd="/",
        env=given,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        said = ""
        while (found := re.search(r"http://\S+:\d+", said)) is None:
            line = process.stderr.readline()
            assert line, said
            said += line
        yield Gate(process, found[0])
    finally:
        process.terminate()
        process.wait(60)
        process.stderr.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folders of a machine on which the unit is installed."""
    for name in ("etc", "state", "secrets"):
        (tmp_path / name).mkdir()
    policies = tmp_path / "etc" / "policies.yaml"
    policies.write_text((ROOT / "policies.yaml").read_text())
    os.utime(policies, (0, 0))
    (tmp_path / "secrets" / "admin-key").write_text(f"{KEY}\n")
    return tmp_path


def status(url: str, path: str, claim: dict[str, str] | None = None, key: str = "") -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    method = "GET" if claim is None else "POST"
    reply = httpx.request(method, f"{url}{path}", json=claim, headers=headers, timeout=30, trust_env=False)
    return reply.status_code


CLAIM = {"service": "api", "environment": "staging"}


def test_it_starts_records_in_its_state_directory_and_stops_when_told_to(place: Path) -> None:
    with as_the_unit_starts_it(place, UNIT) as gate:
        assert status(gate.url, "/readyz") == 200
        assert status(gate.url, "/can-deploy?service=api&environment=staging") == 200
        assert status(gate.url, "/can-deploy", CLAIM) == 401
        gate.process.send_signal(signal.SIGTERM)
        # It ends by the signal itself, which systemd counts as success.
        assert gate.process.wait(int(only("TimeoutStopSec"))) == -signal.SIGTERM
    assert (place / "state" / "freezegate.db").exists()
    assert [each.name for each in (place / "etc").iterdir()] == ["policies.yaml"]


def test_the_credentials_are_the_first_key_and_the_database(place: Path) -> None:
    (place / "secrets" / "database-url").write_text(f"sqlite:///{place}/elsewhere.db\n")
    with as_the_unit_starts_it(place, UNIT, DROP_IN) as gate:
        assert status(gate.url, "/can-deploy", CLAIM, KEY) == 200
    assert (place / "elsewhere.db").exists()
    assert not list((place / "state").iterdir())
