"""Notifications of ad-hoc freezes: started, changed, ahead, begun, ended and lifted."""

from collections.abc import Sequence

from app.core import explain
from app.core.decision_json import instant_or_none
from app.core.freeze import Freeze, FreezeState
from app.core.instant import format_instant
from app.core.notation import waiting_time
from app.core.notification import Notification, Occasion, full_stop, joined, one_line, person
from app.core.reason import own_reason
from app.core.wallclock import Zone


def freeze_started(freeze: Freeze, at: int, home: Zone, key: str) -> Notification:
    """Build the notification of a freeze that was started or scheduled."""
    who, title = person(freeze.started_by), one_line(freeze.title)
    if freeze.starts_at > freeze.created_at:
        said = f"{who} scheduled a freeze of {_where(freeze)}: {full_stop(title)}"
        when = f"It begins {explain.local_time(freeze.starts_at, home, at)}. {_until(freeze, at, home)}"
        text = (said, *_reason(freeze), when, *_whom_to_ask(freeze))
        return _of_freeze(Occasion.FREEZE_STARTED, freeze, at, f"Freeze scheduled: {title}", text, key)
    said = f"{who} froze {_where(freeze)}: {full_stop(title)}"
    text = (said, *_reason(freeze), _until(freeze, at, home), *_whom_to_ask(freeze))
    return _of_freeze(Occasion.FREEZE_STARTED, freeze, at, f"Deploys are frozen: {title}", text, key)


def freeze_extended(freeze: Freeze, at: int, home: Zone, key: str, who: str) -> Notification:
    """Build the notification of a freeze whose end was moved, in either direction."""
    title = one_line(freeze.title)
    said = f"{person(who)} moved the end of the freeze {full_stop(title)}"
    text = (said, _until(freeze, at, home), _started(freeze, at, home), *_whom_to_ask(freeze))
    return _of_freeze(Occasion.FREEZE_EXTENDED, freeze, at, f"Freeze extended: {title}", text, key)


def freeze_changed(freeze: Freeze, at: int, home: Zone, key: str, who: str) -> Notification:
    """Build the notification of a freeze changed in more than its end; `freeze` is its state after that."""
    title = one_line(freeze.title)
    starts = explain.local_time(freeze.starts_at, home, at)
    begins = f"It begins {starts}. " if freeze.starts_at > at else ""
    text = (
        f"{person(who)} changed the freeze of {_where(freeze)}: {full_stop(title)}",
        *_reason(freeze),
        f"{begins}{_until(freeze, at, home)}",
        _started(freeze, at, home),
        *_whom_to_ask(freeze),
    )
    return _of_freeze(Occasion.FREEZE_CHANGED, freeze, at, f"Freeze changed: {title}", text, key)


def freeze_lifted(freeze: Freeze, at: int, home: Zone, key: str, who: str) -> Notification:
    """Build the notification of a lifted freeze."""
    title = one_line(freeze.title)
    why = (full_stop(one_line(freeze.lift_reason)),) if freeze.lift_reason else ()
    said = f"{person(who)} lifted the freeze of {_where(freeze)}: {full_stop(title)}"
    text = (said, *why, _started(freeze, at, home))
    return _of_freeze(Occasion.FREEZE_LIFTED, freeze, at, f"Freeze lifted: {title}", text, key)


def freeze_soon(freeze: Freeze, home: Zone, now: int) -> Notification:
    """Build the warning ahead of a scheduled freeze."""
    start, title = freeze.starts_at, one_line(freeze.title)
    when = explain.local_time(start, home, now)
    said = f"{_where(freeze)} will be frozen from {when} on: {full_stop(title)}"
    text = (
        said[0].upper() + said[1:],
        *_reason(freeze),
        _started(freeze, now, home),
        *_whom_to_ask(freeze),
    )
    key = f"{Occasion.FREEZE_SOON}:{freeze.id}:{start}"
    within = waiting_time(start - now)
    return _of_freeze(Occasion.FREEZE_SOON, freeze, now, f"Deploys freeze in {within}: {title}", text, key)


def freeze_begins(freeze: Freeze, home: Zone) -> Notification:
    """Build the notification of a scheduled freeze that begins."""
    at, title = freeze.starts_at, one_line(freeze.title)
    said = f"{_where(freeze)} is frozen, as {person(freeze.started_by)} scheduled it: {full_stop(title)}"
    text = (
        said[0].upper() + said[1:],
        *_reason(freeze),
        _until(freeze, at, home),
        *_whom_to_ask(freeze),
    )
    key = f"{Occasion.FREEZE_BEGINS}:{freeze.id}:{at}"
    return _of_freeze(Occasion.FREEZE_BEGINS, freeze, at, f"Deploys are frozen: {title}", text, key)


def freeze_ended(freeze: Freeze, at: int) -> Notification:
    """Build the notification of a freeze that ended as planned."""
    title = one_line(freeze.title)
    text = (f"The freeze of {_where(freeze)} has ended: {full_stop(title)}",)
    key = f"{Occasion.FREEZE_ENDED}:{freeze.id}:{at}"
    return _of_freeze(Occasion.FREEZE_ENDED, freeze, at, f"Freeze ended: {title}", text, key)


def _of_freeze(
    event: Occasion, freeze: Freeze, at: int, title: str, text: Sequence[str], key: str
) -> Notification:
    selector = freeze.selector
    data = {
        "id": freeze.id,
        "title": freeze.title,
        "reason": freeze.reason,
        "environments": selector.environments,
        "services": selector.services,
        "tags": selector.tags,
        "exempt": [each.model_dump(exclude_none=True) for each in freeze.exempt],
        "override": freeze.override,
        "contact": freeze.contact,
        "link": freeze.link,
        "starts_at": format_instant(freeze.starts_at),
        "ends_at": instant_or_none(freeze.ends_at),
        "started_by": freeze.started_by,
        "lifted_by": freeze.lifted_by if freeze.state(at) is FreezeState.LIFTED else None,
        "lift_reason": freeze.lift_reason if freeze.state(at) is FreezeState.LIFTED else None,
    }
    return Notification(
        key, event, at, title, tuple(text), tuple(selector.environments or ()), freeze.id, data
    )


def _reason(freeze: Freeze) -> tuple[str, ...]:
    """Return a sentence with the reason of a freeze; none if the title, which is said before it, says it."""
    own = own_reason(freeze.title, freeze.reason)
    return (full_stop(one_line(own)),) if own else ()


def _where(freeze: Freeze) -> str:
    """Return the scope of a freeze: ``checkout in production``."""
    selector = freeze.selector
    place = joined(selector.environments) if selector.environments else "every environment"
    what = [*(selector.services or ()), *(f"services tagged {tag}" for tag in selector.tags or ())]
    stopped = f"{joined(what)} in {place}" if what else place
    exempt = [each.model_dump(exclude_none=True) for each in freeze.exempt]
    return f"{stopped}, except {one_line(explain.scope_in_words(exempt))}" if exempt else stopped


def _until(freeze: Freeze, at: int, home: Zone) -> str:
    if freeze.ends_at is None:
        return "It lasts until it is lifted."
    return f"It ends {explain.local_time(freeze.ends_at, home, at)}."


def _started(freeze: Freeze, at: int, home: Zone) -> str:
    who = person(freeze.started_by)
    if freeze.created_at < freeze.starts_at and at < freeze.starts_at:
        return f"Scheduled by {who}."
    return f"Started by {who} {explain.local_time(freeze.starts_at, home, at)}."


def _whom_to_ask(freeze: Freeze) -> tuple[str, ...]:
    """Return a sentence with the contact of a freeze; without a contact, none: the starter is named."""
    return (f"Ask {full_stop(one_line(freeze.contact))}",) if freeze.contact else ()
