"""The notifications to send: found in the record, and in the time that passed since the last scan.

`read` takes a snapshot of the store. From that alone, `find` derives the notifications, and the place and
instant that they reach to. Nothing is written here.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from app.core import freeze_notification, notification
from app.core.audit import Link
from app.core.decision import Question
from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.freeze_notice import freeze_notice
from app.core.instant import DAY, HOUR, LATEST, parse_instant
from app.core.notification import Denied, Notification
from app.core.override import Override
from app.core.policy import Selector
from app.core.scope import ScopeTimeline
from app.core.wallclock import Zone
from app.gate.audit_events import Kind
from app.gate.denied_requests import DeniedQueue, Openings, Waiting, read_waiting
from app.gate.in_force import FREEZES_KEPT_FOR
from app.gate.lease import DURATION
from app.gate.policy_notices import PolicyNotices
from app.store.records import Backlog, Denial, Lease

if TYPE_CHECKING:
    from app.store.view import View

Record = TypeVar("Record")

NOTICE: Final = HOUR
"""Seconds before a policy freeze at which it is announced."""

OLDEST_NEWS: Final = DAY
"""Seconds after which an event is no longer news; matters after an outage of all senders."""

_TOGETHER: Final = 2_000
"""Places of the record that one scan covers."""

_FREEZES: Final = frozenset(
    {Kind.FREEZE_STARTED, Kind.FREEZE_EXTENDED, Kind.FREEZE_CHANGED, Kind.FREEZE_LIFTED}
)
_OVERRIDES: Final = frozenset({Kind.OVERRIDE_GRANTED, Kind.OVERRIDE_SPENT, Kind.OVERRIDE_REVOKED})


class Snapshot(NamedTuple):
    """A snapshot of one state of the store."""

    lease: Lease
    last: int
    """The place in the record up to which events were read."""
    caught_up: bool
    """Whether the record ends there."""
    links: Sequence[Link]
    """The events, without decisions."""
    denials: Sequence[Denial]
    freezes: dict[str, Freeze]
    """The freezes that the events are about, by id."""
    overrides: dict[str, Override]
    answers: dict[str, dict[str, Any]]
    """The recorded claims that overrides were spent on, by the ids of their decisions."""
    freezes_version: int
    lasting: Sequence[Freeze] | None
    """The freezes of this state, as `Policies.use_freezes` takes them; None if they are in force."""
    backlog: dict[str, Backlog] | None
    """The messages that wait for each receiver; None if they were not counted."""


class Environment(NamedTuple):
    """The state of an environment as of the last scan."""

    by_policy: bool
    """Whether the policies freeze it."""
    waiting: tuple[Waiting, ...] = ()
    """The denied requests."""


State = dict[str, Environment]


class Found(NamedTuple):
    """The notifications to send, in order, and the lease with the place and instant that they reach to."""

    notifications: list[Notification]
    after: Lease


class _Timed(NamedTuple):
    """A notification with its place in the order."""

    at: int
    rank: int
    """At the same instant, recorded events (0) precede their consequences (1 and 2)."""
    notification: Notification


def read(view: "View", known_version: int, own_name: str, now: int, *, counting: bool) -> Snapshot:
    """Read what may be new since the last scan, if this replica holds the lease or can take it.

    Args:
        view: the state of the store.
        known_version: the version of the freezes that are known already.
        own_name: the name of this replica.
        now: the present instant.
        counting: whether to count the backlog, even without the lease.
    """
    lease, head, backlog = view.lease(), view.head(), view.backlog() if counting else None
    if lease.is_held_by_another(own_name, now, DURATION):
        return Snapshot(lease, lease.seq, True, (), (), {}, {}, {}, head.freezes_version, None, backlog)
    # The first scan starts from the present.
    before = lease.seq if lease.looked_until else head.seq
    last = min(head.seq, before + _TOGETHER)
    links = view.news(before, last)
    about = _subjects(links)
    return Snapshot(
        lease,
        last,
        last == head.seq,
        links,
        view.denials(before, last),
        _known(view.freeze, about.freezes),
        _known(view.override, about.overrides),
        {each: json.loads(claim.data) for each, claim in _known(view.decision, about.claims).items()},
        head.freezes_version,
        None if head.freezes_version == known_version else view.freezes_after(now - FREEZES_KEPT_FOR),
        backlog,
    )


class _Subjects(NamedTuple):
    """The ids of the records that events are about."""

    freezes: set[str]
    overrides: set[str]
    claims: set[str]
    """The decisions that overrides were spent on."""


def _subjects(links: Iterable[Link]) -> _Subjects:
    about = _Subjects(set(), set(), set())
    for link in links:
        if link.kind in _FREEZES:
            about.freezes.add(_id(json.loads(link.data)["freeze"]))
        elif link.kind in _OVERRIDES:
            data = json.loads(link.data)
            about.overrides.add(_id(data["override"]))
            if link.kind == Kind.OVERRIDE_SPENT:
                about.claims.add(data["decision"])
    return about


def _known(query: Callable[[str], Record | None], own_ids: Iterable[str]) -> dict[str, Record]:
    """Query records by their ids; ids without a record are left out."""
    found = ((own_id, query(own_id)) for own_id in own_ids)
    return {own_id: record for own_id, record in found if record is not None}


def find(
    seen: Snapshot, openings: Openings, notices: PolicyNotices, home: Zone, now: int, *, changed: bool
) -> Found:
    """Return the notifications to send, and how far they cover the record and the time.

    Args:
        seen: the snapshot that was read.
        openings: the openings by the policies in force, with the freezes of that state.
        notices: the notices ahead of their freezes.
        home: the time zone of the texts.
        now: the present instant.
        changed: whether the policies may have changed since the last scan.
    """
    before, engine = seen.lease, openings.engine
    # Not beyond the snapshot: all denials must be known when an environment opens.
    latest = now if seen.caught_up else _latest(seen)
    until = max(latest, before.looked_until)
    state = _read_state(before.environments)
    if not before.looked_until:
        return Found([], _after(before, seen.last, until, _present(state, engine, until)))
    ahead = before.looked_until + NOTICE
    if changed:
        # New policies may freeze within the hour, unannounced; keys prevent a second announcement.
        ahead = min(ahead, now)
    found = [
        *_recorded(seen, home),
        *_of_freezes(seen, engine.freezes, home, until, now),
        *_of_policies(state, engine, home, before.looked_until, until),
        *_announced(engine, home, ahead, until + NOTICE, now),
        *(
            _Timed(max(each.start - each.lead, now), 1, freeze_notice(each, home, now))
            for each in notices.due(before.looked_until, until, now, changed=changed)
        ),
        *_opened(state, seen, openings, home, until),
    ]
    found.sort(key=lambda each: (each.at, each.rank))
    fresh = [each.notification for each in found if each.at >= now - OLDEST_NEWS]
    return Found(fresh, _after(before, seen.last, until, _present(state, engine, until)))


def _recorded(seen: Snapshot, home: Zone) -> Iterator[_Timed]:
    """Yield the notifications of recorded events."""
    latest = 0
    for link in seen.links:
        # In the order of the record, even if the clocks of replicas differ.
        latest = max(latest, link.at // 1_000_000)
        found = _of_link(seen, link, home)
        if found is not None:
            yield _Timed(latest, 0, found)


def _of_link(seen: Snapshot, link: Link, home: Zone) -> Notification | None:
    if link.kind in _FREEZES:
        data = json.loads(link.data)
        freeze = seen.freezes.get(_id(data["freeze"]))
        # Reports of an incident renew its freeze, for as long as it lasts.
        return None if freeze is None or data.get("renewed") else _of_freeze(link, data, freeze, home)
    if link.kind in _OVERRIDES:
        data = json.loads(link.data)
        override = seen.overrides.get(_id(data["override"]))
        return None if override is None else _of_override(seen, link, data, override, home)
    return None


def _of_override(
    seen: Snapshot, link: Link, data: dict[str, Any], override: Override, home: Zone
) -> Notification | None:
    at, key = link.at // 1_000_000, f"event:{link.seq}"
    if link.kind == Kind.OVERRIDE_GRANTED:
        return notification.override_granted(override, at, home, key)
    if link.kind == Kind.OVERRIDE_REVOKED:
        return notification.override_revoked(override, at, key, link.actor)
    claim = seen.answers.get(data["decision"])
    if claim is None:
        return None
    who = claim["actor"] or link.actor
    return notification.override_spent(override, at, key, claim["answer"], who, data["uses_left"])


def _of_freeze(link: Link, data: dict[str, Any], freeze: Freeze, home: Zone) -> Notification:
    """Return the notification of a freeze as it was then: it may have been changed or lifted since."""
    at, key = link.at // 1_000_000, f"event:{link.seq}"
    if link.kind == Kind.FREEZE_LIFTED:
        return freeze_notification.freeze_lifted(freeze, at, home, key, link.actor)
    if link.kind == Kind.FREEZE_STARTED:
        return freeze_notification.freeze_started(_then(freeze, data["freeze"]), at, home, key)
    if link.kind == Kind.FREEZE_CHANGED:
        return freeze_notification.freeze_changed(_then(freeze, data["freeze"]), at, home, key, link.actor)
    then = freeze._replace(ends_at=_instant(data["ends_at"]), lifted_by=None, lifted_at=None)
    return freeze_notification.freeze_extended(then, at, home, key, link.actor)


def _then(freeze: Freeze, written: dict[str, Any]) -> Freeze:
    """Return the freeze of an event; events from before freezes had exemptions have none."""
    scope = {name: written[name] for name in ("environments", "services", "tags")}
    return freeze._replace(
        **{name: written[name] for name in ("title", "reason", "contact", "link", "override")},
        selector=Selector.model_validate(scope),
        exempt=tuple(map(Selector.model_validate, written.get("exempt", ()))),
        starts_at=parse_instant(written["starts_at"]),
        ends_at=_instant(written["ends_at"]),
        lifted_by=None,
        lifted_at=None,
        lift_reason=None,
    )


def _of_freezes(
    seen: Snapshot, active: Iterable[Freeze], home: Zone, until: int, now: int
) -> Iterator[_Timed]:
    """Yield the notifications of freezes that begin as scheduled, soon or now, or end by themselves."""
    since = seen.lease.looked_until
    known = {freeze.id: freeze for freeze in active} | seen.freezes
    for freeze in known.values():
        # A freeze recorded only now may begin before the last scan; its key prevents a second notification.
        earliest = 0 if freeze.id in seen.freezes else since
        yield from _of_schedule(freeze, range(earliest + 1, until + 1), home, now)


def _of_schedule(freeze: Freeze, due: range, home: Zone, now: int) -> Iterator[_Timed]:
    """Yield the notifications that the schedule of a freeze places into the instants of `due`."""
    lifted = _lifted_at(freeze)
    start, end = freeze.starts_at, freeze.ends_at
    if freeze.created_at < start < lifted:
        # One scheduled less than an hour ahead was announced then; one that has begun needs no announcement.
        if max(freeze.created_at + NOTICE, now) < start and start - NOTICE in due:
            yield _Timed(start - NOTICE, 1, freeze_notification.freeze_soon(freeze, home, now))
        if start in due:
            yield _Timed(start, 1, freeze_notification.freeze_begins(freeze, home))
    if end is not None and end <= lifted and end in due:
        yield _Timed(end, 1, freeze_notification.freeze_ended(freeze, end))


def _lifted_at(freeze: Freeze) -> int:
    return LATEST if freeze.lifted_at is None else freeze.lifted_at


def _of_policies(state: State, engine: Engine, home: Zone, since: int, until: int) -> Iterator[_Timed]:
    """Yield the begin and the end of each stretch in which the policies alone freeze an environment."""
    alone = engine.without_freezes
    for name, known in state.items():
        if name not in engine.policy_set.environments:
            continue
        for at, frozen in _flips(alone.environment(name), known.by_policy, since, until):
            if frozen:
                begun = notification.policy_freeze_begins(alone.decide_environment(name, at), home)
                yield _Timed(at, 1, begun)
            else:
                yield _Timed(
                    at, 1, notification.policy_freeze_ends(engine.decide_environment(name, at), home)
                )


def _announced(engine: Engine, home: Zone, after: int, until: int, now: int) -> Iterator[_Timed]:
    """Yield the announcements of stretches in which the policies alone freeze, from an instant on."""
    alone = engine.without_freezes
    for name in engine.policy_set.environments:
        policies = alone.environment(name)
        for at, frozen in _flips(policies, bool(policies.segment(after).blocking), after, until):
            # What has begun already needs no announcement.
            if frozen and at > now:
                soon = notification.policy_freeze_soon(name, alone.decide_environment(name, at), home, now)
                yield _Timed(at - NOTICE, 1, soon)


def _opened(state: State, seen: Snapshot, openings: Openings, home: Zone, until: int) -> Iterator[_Timed]:
    """Yield the notifications of denied requests that are allowed again; bring `state` up to `until`."""
    since, engine = seen.lease.looked_until, openings.engine
    for name, known in list(state.items()):
        if name not in engine.policy_set.environments:
            continue
        queue = DeniedQueue(openings, name, known.waiting, since)
        for denial in sorted((each for each in seen.denials if each.environment == name), key=_when):
            yield from _leaving(queue, seen, engine, name, home, min(denial.at, until + 1))
            queue.enter(denial)
        yield from _leaving(queue, seen, engine, name, home, until + 1)
        state[name] = known._replace(waiting=queue.remaining(until))


def _leaving(
    queue: DeniedQueue, seen: Snapshot, engine: Engine, environment: str, home: Zone, before: int
) -> Iterator[_Timed]:
    """Yield the notifications of denied requests that are allowed before an instant."""
    while (at := queue.opens_at) < before:
        # A slow claim may be found later to have waited for the same instant; the place keeps keys distinct.
        key = f"{notification.Occasion.GATE_OPEN}:{environment}:{at}:{seen.lease.seq}"
        yield _Timed(at, 2, _gate_open(engine, environment, at, home, queue.pop_open(), key))


def _gate_open(
    engine: Engine, environment: str, at: int, home: Zone, waited: Sequence[Waiting], key: str
) -> Notification:
    """Return the notification about the environment if that opens, or about the services alone."""
    usual = engine.policy_set.usual_change
    denied = _denied(waited, usual)
    more = sum(each.more for each in waited)
    timeline = engine.environment(environment)
    opens = not timeline.segment(at).blocking and timeline.segment(at - 1).blocking
    if opens or not denied:
        return notification.gate_open(engine.decide_environment(environment, at), home, denied, more, key)
    named = next(each for each in waited if each.who)
    question = Question(named.service, environment, named.change, services=named.services)
    return notification.services_open(engine.decide(question, at), home, denied, more, key)


def _denied(waited: Sequence[Waiting], usual: str) -> list[Denied]:
    """Return the named callers with their services; the usual kind of change goes without saying."""
    return [
        Denied(each.service, name, "" if each.change == usual else each.change)
        for each in waited
        for name in each.who
    ]


def _when(denial: Denial) -> int:
    return denial.at


def _flips(timeline: ScopeTimeline, frozen: bool, start: int, end: int) -> Iterator[tuple[int, bool]]:  # noqa: FBT001 - a state, not a switch
    """Yield the changes of the answer from `start` to `end`, inclusive; `frozen` is the state before."""
    cursor = start
    while cursor <= end:
        segment = timeline.segment(cursor)
        if bool(segment.blocking) != frozen:
            frozen = not frozen
            yield cursor, frozen
        cursor = segment.flips_at or LATEST


def _present(state: State, engine: Engine, at: int) -> State:
    """Return the state at an instant, with the denied requests that are known."""
    alone = engine.without_freezes
    present: State = {}
    for name in engine.policy_set.environments:
        by_policy = bool(alone.environment(name).segment(at).blocking)
        known = state.get(name) or Environment(by_policy)
        present[name] = known._replace(by_policy=by_policy)
    return present


def _after(before: Lease, seq: int, until: int, state: State) -> Lease:
    # As plain lists: JSON has no named tuples; `_read_state` reads them by position.
    text = json.dumps({name: list(known) for name, known in state.items()})
    return before._replace(seq=seq, looked_until=until, environments=text)


def _read_state(text: str) -> State:
    return {
        name: Environment(by_policy, tuple(map(read_waiting, waiting)))
        for name, (by_policy, waiting) in json.loads(text).items()
    }


def _latest(seen: Snapshot) -> int:
    """Return the latest instant in the snapshot."""
    recorded = (link.at // 1_000_000 for link in seen.links)
    return max([seen.lease.looked_until, *recorded, *map(_when, seen.denials)])


def _id(about: Any) -> str:
    """Return the id in an event: it carries the whole record that it made, or the id of one it changed."""
    return str(about["id"] if isinstance(about, dict) else about)


def _instant(text: str | None) -> int | None:
    return None if text is None else parse_instant(text)
