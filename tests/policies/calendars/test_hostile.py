"""Sixty hostile URLs and twenty hostile calendars: none is followed, none hangs, each gets a clear reason."""

from collections.abc import Sequence

import pytest

from app.core.errors import MalformedValueError
from app.core.windows.icalendar import check_calendar
from app.outbound import Outbound
from app.policies.calendars.addresses import Reach
from app.policies.calendars.fetch import CalendarFetchError, Fetcher, calendar_text
from tests.core.test_calendar_url import MALFORMED

pytestmark = pytest.mark.anyio

NAMES = {
    "this-machine": ["127.0.0.1"],
    "this-machine-6": ["::1"],
    "mapped": ["::ffff:127.0.0.1"],
    "private": ["10.0.0.5"],
    "home": ["192.168.1.1"],
    "half": ["93.184.215.14", "172.16.3.4"],
    "metadata": ["169.254.169.254"],
    "carrier": ["100.64.0.1"],
    "unique-local": ["fd00::5"],
    "site-local": ["fec0::5"],
    "link-local": ["fe80::5"],
    "multicast": ["224.0.0.251"],
    "multicast-6": ["ff02::fb"],
    "unspecified": ["0.0.0.0"],  # noqa: S104 - nothing is bound
    "broadcast": ["255.255.255.255"],
    "six-to-four": ["2002:a00:5::1"],
    "nat64": ["64:ff9b::a00:5"],
    "teredo": ["2001:0:4136:e378:8000:63bf:f5ff:fffa"],
    "nothing": [],
}
URLS = [
    *MALFORMED,
    *(f"https://{name}.example/x.ics" for name in NAMES),
    "https://unknown.example/x.ics",
    "https://localhost/x.ics",
    "https://127.0.0.1/x.ics",
    "https://10.0.0.5/x.ics",
    "https://[::1]/x.ics",
    "https://[::ffff:7f00:1]/x.ics",
    "https://169.254.169.254/latest/meta-data",
    "https://half.example:22/x.ics",
    "http://half.example/x.ics",
]


class Unreachable(Outbound):
    """Makes no client: the test fails if a connection is tried."""

    def direct(self, timeout: float, proxy: str | None = None) -> object:  # type: ignore[override]
        raise AssertionError("a client was asked for")

    def proxy_for(self, scheme: str, host: str) -> str | None:
        return None


async def resolve(host: str, port: int) -> Sequence[str]:
    found = ["127.0.0.1"] if host == "localhost" else NAMES.get(host.partition(".")[0])
    if found is None:
        raise OSError
    return found


async def test_no_hostile_url_is_followed_and_each_gets_a_reason() -> None:
    assert len(URLS) >= 60
    one = Fetcher(Unreachable(), Reach(), resolve=resolve)
    for url in URLS:
        with pytest.raises(CalendarFetchError) as caught:
            await one.fetch(url)
        reason = str(caught.value)
        assert any(word in reason for word in ("the URL", "the host", "port", "encrypted")), (url, reason)
        assert "x.ics" not in reason


def calendar(*lines: str, head: str = "") -> str:
    start = "" if any("DTSTART" in line for line in lines) else "DTSTART:20261224T080000Z\r\n"
    event = "".join(f"{line}\r\n" for line in ("BEGIN:VEVENT", "UID:1", "SUMMARY:x", *lines))
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\n{head}{event}{start}END:VEVENT\r\n"
        "END:VCALENDAR\r\n"
    )


ZONE = "BEGIN:VTIMEZONE\r\nTZID:Own\r\nBEGIN:STANDARD\r\n{}END:STANDARD\r\nEND:VTIMEZONE\r\n"
OWN = "DTSTART;TZID=Own:20261224T080000"
OFFSETS = "TZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\n"
CALENDARS = {
    "every second": calendar("RRULE:FREQ=SECONDLY"),
    "every minute": calendar("RRULE:FREQ=MINUTELY;COUNT=100000000"),
    "every minute of an hour": calendar("RRULE:FREQ=HOURLY;BYMINUTE=" + ",".join(map(str, range(60)))),
    "never": calendar("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
    "no step": calendar("RRULE:FREQ=DAILY;INTERVAL=0"),
    "no frequency": calendar("RRULE:COUNT=3"),
    "a rule of the old standard": calendar("EXRULE:FREQ=DAILY"),
    "a thousand years": calendar("DURATION:P400000D"),
    "many events": "BEGIN:VCALENDAR\r\n"
    + "BEGIN:VEVENT\r\nDTSTART:20261224\r\nEND:VEVENT\r\n" * 10_001
    + "END:VCALENDAR\r\n",
    "many that recur": "BEGIN:VCALENDAR\r\n"
    + "BEGIN:VEVENT\r\nDTSTART:20261224T080000Z\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n" * 501
    + "END:VCALENDAR\r\n",
    "larger than a MiB": calendar("DESCRIPTION:" + "x" * 1_048_576),
    "two calendars": calendar() + calendar(),
    "events in events": "BEGIN:VCALENDAR\r\n" + "BEGIN:VEVENT\r\n" * 100 + "END:VCALENDAR\r\n",
    "an end that isn't there": "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR\r\n",
    "an unknown zone": calendar("DTSTART;TZID=Nowhere/Land:20261224T080000"),
    "a zone that changes daily": calendar(
        OWN, head=ZONE.format(f"DTSTART:19700101T000000\r\n{OFFSETS}RRULE:FREQ=DAILY\r\n")
    ),
    "a zone without an offset": calendar(OWN, head=ZONE.format("DTSTART:19700101T000000\r\n")),
    "a zone that changes monthly by each day": calendar(
        OWN,
        head=ZONE.format(
            f"DTSTART:19700101T000000\r\n{OFFSETS}RRULE:FREQ=MONTHLY;BYMONTHDAY="
            + ",".join(map(str, range(1, 29)))
            + "\r\n"
        ),
    ),
    "no start": "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    "both end and length": calendar("DTEND:20261225T080000Z", "DURATION:PT1H"),
    "a length that is none": calendar("DURATION:forever"),
    "a year that is none": calendar("DTSTART:99999999T999999Z"),
    "a page": "<!DOCTYPE html><html><body>Sign in</body></html>",
    "nothing": "",
}


@pytest.mark.parametrize("text", CALENDARS.values(), ids=CALENDARS)
def test_no_hostile_calendar_is_taken_and_each_gets_a_reason(text: str) -> None:
    assert len(CALENDARS) >= 20
    with pytest.raises((CalendarFetchError, MalformedValueError)) as caught:
        check_calendar(calendar_text(text.encode(), "text/calendar"))
    assert len(str(caught.value)) > 20
