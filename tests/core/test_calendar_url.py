"""URLs of calendars: what is refused, and what is shown of them."""

import pytest

from app.core.calendar_url import LONGEST, CalendarUrl, is_masked, label, masked, parse
from app.core.errors import MalformedValueError

PRIVATE = "https://calendar.example.com/private-8f3a/basic.ics?key=0123"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (PRIVATE, CalendarUrl("https", "calendar.example.com", 443, "/private-8f3a/basic.ics?key=0123")),
        ("https://Calendar.Example.COM", CalendarUrl("https", "calendar.example.com", 443, "/")),
        ("http://example.com:8080?a", CalendarUrl("http", "example.com", 8080, "/?a")),
        ("https://[2001:DB8::0:7]:8443/x", CalendarUrl("https", "2001:db8::7", 8443, "/x")),
        ("https://192.0.2.7/x", CalendarUrl("https", "192.0.2.7", 443, "/x")),
    ],
)
def test_a_url_is_taken_apart(url: str, parts: CalendarUrl) -> None:
    assert parse(url) == parts


MALFORMED = {
    "": "must begin with https://",
    "calendar.ics": "must begin with https://",
    "//example.com/x": "must begin with https://",
    "https:example.com": "must begin with https://",
    "https:/example.com": "must begin with https://",
    "HTTPS://example.com/x": "must begin with https://",
    "ftp://example.com/x.ics": "must begin with https://",
    "file:///etc/calendar.ics": "must begin with https://",
    "data:text/calendar,BEGIN:VCALENDAR": "must begin with https://",
    "webcal://example.com/x.ics": "begins with webcal://; write https://",
    "webcals://example.com/x.ics": "begins with webcals://; write https://",
    "https://": "names no host",
    "https:///x.ics": "names no host",
    "https://:443/x.ics": "names no host",
    "https://?x": "names no host",
    "https://ann@example.com/x": "name or password",
    "https://ann:secret@example.com/x": "name or password",
    "https://good.example@bad.example/x": "name or password",
    "https://@example.com/x": "name or password",
    "https://example.com/x#part": "no server sees",
    "https://example.com#@bad.example/": "no server sees",
    "https://example.com\\@bad.example/": "which no URL has",
    "https:\\\\example.com/x": "which no URL has",
    "https://example.com/<x>": "which no URL has",
    "https://example.com/x y": "percent-encoded",
    "https://example.com/x\n": "percent-encoded",
    "https://exa\tmple.com/x": "percent-encoded",
    "https://bücher.example/x": "percent-encoded",
    "https://example\u3002com/x": "percent-encoded",
    "https://example.com:0/x": "a port that is no number",
    "https://example.com:65536/x": "a port that is no number",
    "https://example.com:/x": "a port that is no number",
    "https://example.com:443:80/x": "a port that is no number",
    "https://example.com:+443/x": "a port that is no number",
    "https://127.1/x": "programs read differently",
    "https://2130706433/x": "programs read differently",
    "https://0x7f000001/x": "programs read differently",
    "https://0x7f.0.0.1/x": "programs read differently",
    "https://0177.0.0.1/x": "programs read differently",
    "https://127.0.0.1.1/x": "programs read differently",
    "https://example.1/x": "programs read differently",
    "https://[::1/x": "a host that can't be read",
    "https://::1/x": "a port that is no number",
    "https://[fe80::1%25eth0]/x": "no IPv6 address",
    "https://[v1.x]/x": "no IPv6 address",
    "https://[]/x": "no IPv6 address",
    "https://[::1]a/x": "a host that can't be read",
    "https://example.com./x": "no host name",
    "https://.example.com/x": "no host name",
    "https://exam_ple.com/x": "no host name",
    "https://-example.com/x": "no host name",
    "https://example..com/x": "no host name",
    "https://%65xample.com/x": "no host name",
    "https://exa*mple.com/x": "no host name",
    f"https://{'a' * 64}.example/x": "no host name",
    f"https://{'a.' * 130}example/x": "no host name",
    f"https://example.com/{'x' * LONGEST}": "longer than 2,048",
}


@pytest.mark.parametrize(("url", "sentence"), MALFORMED.items())
def test_a_malformed_url_is_refused_without_repeating_it(url: str, sentence: str) -> None:
    with pytest.raises(MalformedValueError, match=sentence) as caught:
        parse(url)
    assert "secret" not in str(caught.value)
    assert "example" not in str(caught.value)


def test_a_url_is_shown_by_its_host_and_a_hash() -> None:
    assert label(PRIVATE) == "calendar.example.com (99f07007)"
    assert label("https://example.com:8443/x").startswith("example.com:8443 (")


def test_a_masked_url_holds_no_secret_and_stays_as_it_is() -> None:
    hidden = masked(PRIVATE)
    assert hidden == "https://calendar.example.com/#99f07007a055acca"
    assert masked(hidden) == hidden
    assert label(hidden) == label(PRIVATE)
    assert is_masked(hidden)
    assert not is_masked(PRIVATE)
    assert masked(f"{PRIVATE}4") != hidden
