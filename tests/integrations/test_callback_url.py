"""Addresses that vendors send, and secrets that must not go elsewhere."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.core.errors import MalformedValueError
from app.integrations.callback_url import Host, callback_url

HOSTS = ["app.terraform.io", "*.visualstudio.com", "tfe.example:8443", "localhost:9999"]


@pytest.mark.parametrize(
    "url",
    [
        "https://app.terraform.io/api/v2/task-results/1/callback",
        "https://APP.Terraform.io:443/x",
        "https://acme.visualstudio.com/",
        "https://a.b.visualstudio.com/",
        "https://tfe.example:8443/x?y=z",
        "http://localhost:9999/x",
    ],
)
def test_an_address_on_a_listed_host_is_allowed(url: str) -> None:
    assert callback_url(url, HOSTS) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://app.terraform.io.evil.example/",
        "https://evil.example/app.terraform.io",
        "https://evil.example#app.terraform.io",
        "https://evil.example?app.terraform.io",
        "https://app.terraform.io@evil.example/",
        "https://user:word@app.terraform.io/",
        "https://evil.example\\@app.terraform.io/",
        "https://app.terraform.io\\.evil.example/",
        "https://app.terraform.io:8443/",
        "https://app.terraform.io:0/",
        "https://app.terraform.io:99999/",
        "https://app.terraform.io.:443/",
        "https://visualstudio.com/",
        "https://.visualstudio.com/",
        "https://evilvisualstudio.com/",
        "https://tfe.example/",
        "http://app.terraform.io/",
        "http://localhost/",
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://[::1",
        "ftp://app.terraform.io/",
        "file:///etc/passwd",
        "//app.terraform.io/",
        "app.terraform.io",
        "",
        "https://",
        "https://app.terraform.io/\r\nX: y",
        "https://app.terraform.io/a b",
        " https://app.terraform.io/",
        "https://app.terraform.io/" + "x" * 2_000,
        "https://\N{CYRILLIC SMALL LETTER A}pp.terraform.io/",
        "https://app\N{IDEOGRAPHIC FULL STOP}terraform.io/",
    ],
)
def test_any_other_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(MalformedValueError, match="callback address") as caught:
        callback_url(url, HOSTS)
    assert "evil" not in str(caught.value)


def test_without_hosts_nothing_is_called() -> None:
    with pytest.raises(MalformedValueError):
        callback_url("https://app.terraform.io/", [])


@pytest.mark.parametrize(
    "host", ["app.terraform.io", "*.example.com", "TFE.example:8443", "10.0.0.1", "[::1]:80"]
)
def test_a_host_is_a_name_with_an_optional_port(host: str) -> None:
    assert TypeAdapter(Host).validate_python(host) == host.lower()


@pytest.mark.parametrize(
    "host",
    [
        "",
        "*",
        "*.",
        "https://app.terraform.io",
        "a/b",
        "a@b",
        "a b",
        "a:b",
        "a:99999",
        "a:0",
        "*.*.b",
        "a?b",
        "a#b",
    ],
)
def test_a_host_that_is_none_is_an_error_of_the_file(host: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Host).validate_python(host)
