"""Render a feed as iCalendar (RFC 5545), for the calendar that people subscribe to and for exports."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from app.core.explain import local_time
from app.core.feed import Entry, Feed, Wanted
from app.core.freeze import Freeze
from app.core.policy import Policy
from app.core.reason import own_reason
from app.core.wallclock import Zone

if TYPE_CHECKING:
    from icalendar import Alarm, Event

_REFRESH: Final = timedelta(hours=1)

_NO_TEXT: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
"""Characters that are invalid in a line of a calendar, or end it for some readers."""


def rendered(shown: Feed, home: Zone) -> bytes:
    """Render the feed as iCalendar."""
    from icalendar import Calendar  # costs 105 ms to import

    calendar = Calendar()
    calendar.add("prodid", "-//freezegate//deploy freezes//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", _name(shown.wanted))  # the library escapes no text of X- properties
    if not shown.whole:
        calendar.add("x-wr-caldesc", f"Only the first {len(shown.entries)} freezes: there are too many.")
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for entry in shown.entries:
        calendar.add_component(_event(entry, shown, home))
    return bytes(calendar.to_ical())


def _event(entry: Entry, shown: Feed, home: Zone) -> "Event":
    from icalendar import Event

    event = Event()
    event.add("uid", entry.uid)
    event.add("dtstamp", _utc(entry.stamp))
    event.add("dtstart", _utc(shown.span.start if entry.start is None else entry.start))
    event.add("dtend", _utc(shown.span.end if entry.end is None else entry.end))
    event.add("summary", _clean(entry.rule.title).replace("\n", " "))
    event.add("description", "\n".join(map(_clean, _lines(entry, shown, home))))
    event.add("categories", ["Deploy freeze"])
    event.add("status", "CONFIRMED")
    event.add("transp", "TRANSPARENT")  # it informs; subscribers are not busy
    event.add("x-freezegate-rule", entry.rule.id)
    if isinstance(entry.rule, Policy) and entry.start is not None:
        for lead in entry.rule.notify_before or ():
            event.add_component(_alarm(event, lead))
    return event


def _alarm(event: "Event", lead: int) -> "Alarm":
    """Return a reminder of an event, some seconds ahead; many clients leave those of subscriptions out."""
    from icalendar import Alarm

    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", event["summary"])
    alarm.add("trigger", timedelta(seconds=-lead))
    return alarm


def _lines(entry: Entry, shown: Feed, home: Zone) -> list[str]:
    rule = entry.rule
    own = own_reason(rule.title, rule.reason)
    lines = [own] if own else []
    if isinstance(rule, Freeze):
        lines.append(f"Started by: {rule.started_by}")
    if rule.contact is not None:
        lines.append(f"Contact: {rule.contact}")
    if rule.link is not None:
        lines.append(f"Link: {rule.link}")
    lifts = "No override token lifts it." if rule.overridable == "never" else "An override token may lift it."
    lines.append(lifts)
    if entry.start is None:
        lines.append("It began more than two years ago.")
    if entry.end is None:
        shown_until = local_time(shown.span.end, home, shown.span.start)
        lines.append(f"No end is known; it is shown until {shown_until}, where this calendar ends.")
    return lines


def _clean(text: str) -> str:
    r"""Return a text without the characters that are invalid in a calendar; keep line breaks.

    The library takes ``\N`` for a line break; it becomes lower-case, so that the line doesn't break.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\\N", "\\n")
    return _NO_TEXT.sub(" ", lines)


def _name(wanted: Wanted) -> str:
    """Return the name of the calendar; validated names need no escaping."""
    whose = wanted.environment if wanted.service is None else f"{wanted.service} in {wanted.environment}"
    return f"Deploy freezes: {whose}{f' ({wanted.change})' if wanted.change else ''}"


def _utc(instant: int) -> datetime:
    return datetime.fromtimestamp(instant, UTC)
