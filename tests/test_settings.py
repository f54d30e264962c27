"""Every setting that makes no sense ends the start with a sentence; nothing of a secret is in it."""

from pathlib import Path

import pytest
from uvicorn.middleware.proxy_headers import _TrustedHosts

from app.settings import Settings, SettingsError, read_settings


def refused(**variables: str) -> str:
    with pytest.raises(SettingsError) as raised:
        read_settings({f"FREEZEGATE_{name}": value for name, value in variables.items()})
    return str(raised.value)


NO_NETWORK = "is neither an address nor a network such as 10.0.0.0/8; names are not looked up"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "http", "must be a whole number, not 'http'"),
        ("PORT", "14.5", "must be a whole number, not '14.5'"),
        ("PORT", "70000", "must be at most 65535, not '70000'"),
        ("PORT", "-1", "must be at least 0, not '-1'"),
        ("ANONYMOUS_ROLE", "view", "must be one of ci, viewer, none, not 'view'; did you mean viewer?"),
        ("LOG_LEVEL", "INFO", "must be one of debug, info, warning, error, not 'INFO'; did you mean info?"),
        ("ANONYMOUS_CLAIMS", "10/day", "must be like 600/minute or 10/second, not '10/day'"),
        ("KEEP_DECISIONS", "400", "must be like 400d, not '400'"),
        ("KEEP_DECISIONS", "30d", "must be 90d at least, not '30d'"),
        ("TRUSTED_PROXIES", "nginx", f'"nginx" {NO_NETWORK}'),
        (
            "TRUSTED_PROXIES",
            "10.1.2.3, 10.0.0.1/8",
            '"10.0.0.1/8" has bits behind its prefix; write 10.0.0.0/8',
        ),
        ("TRUSTED_PROXIES", "10.0.0.0/8,", f'"" {NO_NETWORK}'),
        (
            "CALENDAR_NETWORKS",
            "*",
            '"*" is no network; write those that calendars are in, such as 10.0.0.0/8',
        ),
        ("CALENDAR_PORTS", "443;8443", "must be like 443,8443, not '443;8443'"),
        ("CALENDAR_HTTP", "yes", "must be one of refuse, allow, not 'yes'"),
        ("TRUSTED_PROXIES", "*,10.0.0.0/8", '"*" believes everybody, so it stands alone'),
    ],
)
def test_a_value_that_makes_no_sense_is_told_in_a_sentence(name: str, value: str, said: str) -> None:
    assert refused(**{name: value}) == f"FREEZEGATE_{name}: {said}"


def test_a_misspelt_setting_gets_a_suggestion() -> None:
    assert refused(POLICY="x") == "FREEZEGATE_POLICY is no setting; did you mean FREEZEGATE_POLICIES?"


def test_all_of_them_are_told_at_once() -> None:
    said = refused(PORT="x", LOG_LEVEL="loud").splitlines()
    assert [line.partition(":")[0] for line in said] == ["FREEZEGATE_PORT", "FREEZEGATE_LOG_LEVEL"]


@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
@pytest.mark.parametrize("value", ["", "  "])
def test_one_that_is_empty_does_not_pass_for_a_value(name: str, value: str) -> None:
    # An empty host would listen on every address.
    said = f"FREEZEGATE_{name} is set, but empty; give it a value, or leave it out"
    assert refused(**{name: value}) == said


@pytest.mark.parametrize("name", ["ADMIN_KEY", "DATABASE_URL"])
def test_a_file_without_a_secret_in_it_is_told(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    variable, start = f"{name}_FILE", f"FREEZEGATE_{name}_FILE: the file "
    assert refused(**{variable: str(file)}) == f"{start}'{file}' can't be read: No such file or directory"
    assert refused(**{variable: str(tmp_path)}) == f"{start}'{tmp_path}' can't be read: Is a directory"
    assert refused(**{variable: "a\0b"}).startswith(start)
    for content, said in ((b"", "is empty"), (b" \n\n", "is empty"), (b"\xff\xfe", "is no text")):
        file.write_bytes(content)
        assert refused(**{variable: str(file)}) == f"{start}{file} {said}"
    file.write_text("fzk_SECRET\nSECRET\n")
    assert refused(**{variable: str(file)}) == f"{start}{file} holds more than one line"
    assert refused(**{variable: ""}).startswith(f"FREEZEGATE_{variable} is set, but empty")


@pytest.mark.parametrize(
    ("given", "sees", "not_seen"),
    [
        ("10.0.0.0/8", ["10.1.2.3", "::ffff:10.1.2.3"], ["11.0.0.1", "::ffff:11.0.0.1"]),
        ("192.0.2.7, fd00::/8", ["192.0.2.7", "::ffff:192.0.2.7", "fd12::1"], ["192.0.2.8", "fe80::1"]),
        ("*", ["192.0.2.7", "::1"], []),
    ],
)
def test_a_proxy_is_believed_also_on_a_socket_for_both_versions_of_ip(
    given: str, sees: list[str], not_seen: list[str]
) -> None:
    proxies = read_settings({"FREEZEGATE_TRUSTED_PROXIES": given}).proxies
    assert proxies is not None
    trusted = _TrustedHosts(proxies)
    assert all(address in trusted for address in sees)
    assert not any(address in trusted for address in not_seen)


def test_without_the_setting_no_proxy_is_believed() -> None:
    assert read_settings({}).proxies is None
