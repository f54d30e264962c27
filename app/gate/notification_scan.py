"""What there is to tell: found in the record, and by walking through the time since the last look.

`read` reads one state of the store; `find` works out, from that alone, what to tell and how far it
was told then. Nothing is written here.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from app.core import freeze_notification
from app.core import notification as told
from app.core.audit import Link
from app.core.decision import Question
from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.instant import DAY, HOUR, LATEST, parse_instant
from app.core.notification import Denied, Notification
from app.core.override import Override
from app.core.policy import Selector
from app.core.scope import ScopeTimeline
from app.core.wallclock import Zone
from app.gate.audit_events import Kind
from app.gate.denied_requests import DeniedQueue, Openings, Waiting, read_waiting
from app.gate.in_force import FREEZES_KEPT_FOR
from app.store.records import Backlog, Denial, Lease

if TYPE_CHECKING:
    from app.store.view import View

Record = TypeVar("Record")

NOTICE: Final = HOUR
"""Seconds before a policy freeze at which it is announced."""

OLDEST_NEWS: Final = DAY
"""Seconds after which nobody wants to know any more: where nothing sent for that long."""

_TOGETHER: Final = 2_000
"""Places of the record that one look goes along."""

_FREEZES: Final = frozenset(
    {Kind.FREEZE_STARTED, Kind.FREEZE_EXTENDED, Kind.FREEZE_CHANGED, Kind.FREEZE_LIFTED}
)
_OVERRIDES: Final = frozenset({Kind.OVERRIDE_GRANTED, Kind.OVERRIDE_SPENT, Kind.OVERRIDE_REVOKED})


class Snapshot(NamedTuple):
    """What was read of one state of the store."""

    lease: Lease
    last: int
    """The place in the record up to which events were read."""
    caught_up: bool
    """Whether the record ends there."""
    links: Sequence[Link]
    """The events, but for decisions."""
    denials: Sequence[Denial]
    freezes: dict[str, Freeze]
    """Those that events tell of, by id."""
    overrides: dict[str, Override]
    answers: dict[str, dict[str, Any]]
    """What the claims were told that overrides were spent on, by the ids of the decisions."""
    freezes_version: int
    lasting: Sequence[Freeze] | None
    """The freezes of this state, as `Policies.use_freezes` takes them; None if they are in force."""
    backlog: dict[str, Backlog] | None
    """What waits for each receiver; None where it was not counted."""


class Environment(NamedTuple):
    """What the sender knows of an environment."""

    by_policy: bool
    """Whether the policies freeze it."""
    waiting: tuple[Waiting, ...] = ()
    """Who was denied."""


State = dict[str, Environment]


class Found(NamedTuple):
    """What is to be told, in order, and how far everything was told then."""

    notifications: list[Notification]
    after: Lease


class _Told(NamedTuple):
    """A notification in its place: by time, and what somebody did before what that led to."""

    at: int
    rank: int
    notification: Notification


def read(view: "View", known_version: int, own_name: str, now: int, *, counting: bool) -> Snapshot:
    """Read what may be new since the last scan, if this replica holds the lease or can take it.

    Args:
        view: of the store.
        known_version: of the freezes that are known already.
        own_name: of this replica.
        now: the present instant.
        counting: whether to count the backlog, even without the lease.
    """
    lease, head, backlog = view.lease(), view.head(), view.backlog() if counting else None
    if lease.is_held_by_another(own_name, now):
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


def find(seen: Snapshot, openings: Openings, home: Zone, now: int, *, changed: bool) -> Found:
    """Return the notifications to send, and how far everything is covered by them.

    Args:
        seen: the snapshot that was read.
        openings: of the policies in force, with the freezes of that state.
        home: the zone in which sentences tell the time.
        now: the present instant.
        changed: whether the policies may be others than at the last look.
    """
    before, engine = seen.lease, openings.engine
    # Not beyond what was read: who was denied must be known when an environment opens.
    latest = now if seen.caught_up else _latest(seen)
    until = max(latest, before.looked_until)
    state = _read_state(before.environments)
    if not before.looked_until:
        return Found([], _after(before, seen.last, until, _present(state, engine, until)))
    ahead = before.looked_until + NOTICE
    if changed:
        # They may freeze within the hour, and nothing has said so; keys keep out what was said.
        ahead = min(ahead, now)
    found = [
        *_recorded(seen, home),
        *_of_freezes(seen, engine.freezes, home, until, now),
        *_of_policies(state, engine, home, before.looked_until, until),
        *_announced(engine, home, ahead, until + NOTICE, now),
        *_opened(state, seen, openings, home, until),
    ]
    found.sort(key=lambda each: (each.at, each.rank))
    fresh = [each.notification for each in found if each.at >= now - OLDEST_NEWS]
    return Found(fresh, _after(before, seen.last, until, _present(state, engine, until)))


def _recorded(seen: Snapshot, home: Zone) -> Iterator[_Told]:
    """What somebody did."""
    latest = 0
    for link in seen.links:
        # In the order of the record, also where the clocks of replicas differ.
        latest = max(latest, link.at // 1_000_000)
        notification = _of_link(seen, link, home)
        if notification is not None:
            yield _Told(latest, 0, notification)


def _of_link(seen: Snapshot, link: Link, home: Zone) -> Notification | None:
    if link.kind in _FREEZES:
        data = json.loads(link.data)
        freeze = seen.freezes.get(_id(data["freeze"]))
        return None if freeze is None else _of_freeze(link, data, freeze, home)
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
        return told.override_granted(override, at, home, key)
    if link.kind == Kind.OVERRIDE_REVOKED:
        return told.override_revoked(override, at, key, link.actor)
    claim = seen.answers.get(data["decision"])
    if claim is None:
        return None
    who = claim["actor"] or link.actor
    return told.override_spent(override, at, key, claim["answer"], who, data["uses_left"])


def _of_freeze(link: Link, data: dict[str, Any], freeze: Freeze, home: Zone) -> Notification:
    """As it was then: it may have been changed and lifted since."""
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
    """A freeze as an event tells it; events of before freezes had exemptions know of none."""
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
    seen: Snapshot, lasting: Iterable[Freeze], home: Zone, until: int, now: int
) -> Iterator[_Told]:
    """Freezes that are about to begin and begin as they were scheduled, and that end by themselves."""
    since = seen.lease.looked_until
    known = {freeze.id: freeze for freeze in lasting} | seen.freezes
    for freeze in known.values():
        # What was recorded only now may lie before the last look: the key keeps it from being told twice.
        earliest = 0 if freeze.id in seen.freezes else since
        lifted = LATEST if freeze.lifted_at is None else freeze.lifted_at
        start, end = freeze.starts_at, freeze.ends_at
        announced = start - NOTICE
        # What was scheduled within the last hour was told then; what has begun needs no announcement.
        if freeze.created_at < announced and now < start < lifted and earliest < announced <= until:
            yield _Told(announced, 1, freeze_notification.freeze_soon(freeze, home, now))
        if freeze.created_at < start < lifted and earliest < start <= until:
            yield _Told(start, 1, freeze_notification.freeze_begins(freeze, home))
        if end is not None and end <= lifted and earliest < end <= until:
            yield _Told(end, 1, freeze_notification.freeze_ended(freeze, end))


def _of_policies(state: State, engine: Engine, home: Zone, since: int, until: int) -> Iterator[_Told]:
    """Stretches in which the policies alone freeze an environment: begun, over."""
    alone = engine.without_freezes
    for name, known in state.items():
        if name not in engine.policy_set.environments:
            continue
        for at, frozen in _flips(alone.environment(name), known.by_policy, since, until):
            if frozen:
                begun = told.policy_freeze_begins(alone.decide_environment(name, at), home)
                yield _Told(at, 1, begun)
            else:
                yield _Told(at, 1, told.policy_freeze_ends(engine.decide_environment(name, at), home))


def _announced(engine: Engine, home: Zone, after: int, until: int, now: int) -> Iterator[_Told]:
    """Stretches in which the policies alone freeze an environment, that begin after an instant."""
    alone = engine.without_freezes
    for name in engine.policy_set.environments:
        policies = alone.environment(name)
        for at, frozen in _flips(policies, bool(policies.segment(after).blocking), after, until):
            # What has begun already needs no announcement.
            if frozen and at > now:
                soon = told.policy_freeze_soon(name, alone.decide_environment(name, at), home, now)
                yield _Told(at - NOTICE, 1, soon)


def _opened(state: State, seen: Snapshot, openings: Openings, home: Zone, until: int) -> Iterator[_Told]:
    """What opens again to those who were denied; brings `state` up to `until`."""
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
) -> Iterator[_Told]:
    """Who may go ahead before an instant."""
    while (at := queue.opens_at) < before:
        # Someone else may be found later to have waited for the same instant: a claim that took its time.
        key = f"{told.Occasion.GATE_OPEN}:{environment}:{at}:{seen.lease.seq}"
        yield _Told(at, 2, _gate_open(engine, environment, at, home, queue.pop_open(), key))


def _gate_open(
    engine: Engine, environment: str, at: int, home: Zone, waited: Sequence[Waiting], key: str
) -> Notification:
    """Tell it of the environment, if that opens, and of the services alone otherwise."""
    usual = engine.policy_set.usual_change
    denied = [
        Denied(each.service, name, "" if each.change == usual else each.change)
        for each in waited
        for name in each.who
    ]
    more = sum(each.more for each in waited)
    timeline = engine.environment(environment)
    opens = not timeline.segment(at).blocking and timeline.segment(at - 1).blocking
    if opens or not denied:
        return told.gate_open(engine.decide_environment(environment, at), home, denied, more, key)
    question = Question(denied[0].service, environment, denied[0].change or usual)
    return told.services_open(engine.decide(question, at), home, denied, more, key)


def _when(denial: Denial) -> int:
    return denial.at


def _flips(timeline: ScopeTimeline, frozen: bool, start: int, end: int) -> Iterator[tuple[int, bool]]:  # noqa: FBT001 - a state, not a switch
    """When the answer changes from `start` on, `end` included; `frozen` is what it was up to there."""
    cursor = start
    while cursor <= end:
        segment = timeline.segment(cursor)
        if bool(segment.blocking) != frozen:
            frozen = not frozen
            yield cursor, frozen
        cursor = segment.flips_at or LATEST


def _present(state: State, engine: Engine, at: int) -> State:
    """What holds at an instant; who was denied is kept, and when it froze."""
    alone = engine.without_freezes
    present: State = {}
    for name in engine.policy_set.environments:
        by_policy = bool(alone.environment(name).segment(at).blocking)
        known = state.get(name) or Environment(by_policy)
        present[name] = known._replace(by_policy=by_policy)
    return present


def _after(before: Lease, seq: int, until: int, state: State) -> Lease:
    # As plain lists: JSON knows no names within them, and it is read back by position.
    text = json.dumps({name: list(known) for name, known in state.items()})
    return before._replace(seq=seq, looked_until=until, environments=text)


def _read_state(text: str) -> State:
    return {
        name: Environment(by_policy, tuple(map(read_waiting, waiting)))
        for name, (by_policy, waiting) in json.loads(text).items()
    }


def _latest(seen: Snapshot) -> int:
    """When the last of what was read happened."""
    recorded = (link.at // 1_000_000 for link in seen.links)
    return max([seen.lease.looked_until, *recorded, *map(_when, seen.denials)])


def _id(about: Any) -> str:
    """An event carries the whole of what it made, and the id of what it changed."""
    return str(about["id"] if isinstance(about, dict) else about)


def _instant(text: str | None) -> int | None:
    return None if text is None else parse_instant(text)
