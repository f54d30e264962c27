"""Remarks on services that several policies together never open, and on services that ``*`` doesn't match."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

from app.core.engine import Engine
from app.core.errors import UnknownNameError
from app.core.instant import DAY, LATEST
from app.core.interval import Interval, clip, complement, normalise
from app.core.notation import waiting_time
from app.core.policy import Effect, Policy, PolicySet, Selector
from app.core.scope import ScopeTimeline
from app.core.timeline import BLOCK_BITS, RuleTimeline
from app.policies.lint.reach import Reach
from app.yaml.problem import quoted

_MOST_SCOPES: Final = 200
"""Scopes that are checked; those that the same policies match count once."""

_FOUR_WEEKS: Final = 28 * DAY
_LITTLE: Final = 10
"""Joint openings this many times shorter than the shortest single one count as little."""

_FEW: Final = 3


class Scopes:
    """The scopes of a set; those that the same policies match count as one."""

    def __init__(self, policy_set: PolicySet, engine: Engine, reach: Reach, now: int) -> None:
        self._set = policy_set
        self._engine = engine
        self._reach = reach
        self._now = now
        self._told: set[tuple[str, ...]] = set()
        """The allow-only policies that a remark already names."""

    def never_open(self) -> Iterator[tuple[str, str]]:
        """Yield the services of the catalogue that several policies together never open, with a sentence."""
        if self._now >= LATEST:
            return
        for environment in self._set.environments:
            services = self._services_by_scope(environment)
            closed = {scope: names for scope, names in services.items() if self._is_closed_by_several(scope)}
            if len(closed) == len(services) and not self._takes_others(environment):
                continue  # an environment that never opens has its own remark
            for scope, names in closed.items():
                yield names[0], self._on_never(names, environment, scope)

    def _services_by_scope(self, environment: str) -> dict[ScopeTimeline, list[str]]:
        services: dict[ScopeTimeline, list[str]] = {}
        for name in self._reach.catalogue:
            scope = self._engine.scope(name, environment, self._set.usual_change)
            if scope in services or len(services) < _MOST_SCOPES:
                services.setdefault(scope, []).append(name)
        return services

    def open_for_little(self) -> Iterator[tuple[Sequence[str], str]]:
        """Yield the ids of allow-only policies that together leave little open, with a sentence."""
        until = self._now + _FOUR_WEEKS
        if until >= LATEST:
            return
        for scope in self._with_openings():
            lines = [line for line in scope.vetoers if line.rule.effect is Effect.ALLOW_ONLY]
            ids = tuple(line.rule.id for line in lines)
            if len(ids) < 2 or ids in self._told:  # noqa: PLR2004 - it takes two
                continue
            self._told.add(ids)
            together, narrowest = self._open_together(lines, until)
            if together * _LITTLE < narrowest:
                yield ids, _on_little(ids, together, narrowest)

    def _open_together(self, lines: Sequence[RuleTimeline], until: int) -> tuple[int, int]:
        """Return the seconds that all of these policies leave open, and those of the narrowest alone."""
        span = self._now, until
        openings = [self._open(line, until) for line in lines]
        together = complement(normalise(_closed(openings, span)), span)
        return _total(together), min(map(_total, openings))

    def _is_closed_by_several(self, scope: ScopeTimeline) -> bool:
        segment = scope.segment(self._now)
        if not segment.blocking or segment.flips_at is not None:
            return False
        # A scope that one policy alone closes for ever is meant to be closed.
        return all(stretch.end is not None for stretch in segment.blocking)

    def _takes_others(self, environment: str) -> bool:
        """Return whether anything opens for services outside the catalogue."""
        segment = self._engine.environment(environment).segment(self._now)
        return self._reach.takes_unknown and (not segment.blocking or segment.flips_at is not None)

    def _on_never(self, names: Sequence[str], environment: str, scope: ScopeTimeline) -> str:
        openings = [line.rule.id for line in scope.vetoers if line.rule.effect is Effect.ALLOW_ONLY]
        self._told.add(tuple(openings))
        ids = openings if len(openings) > 1 else [line.rule.id for line in scope.vetoers]
        advice = (
            "to open in either, put their windows into one policy"
            if len(openings) > 1
            else "exempt the service from one of them"
        )
        return (
            f"nothing ever opens for {_and(names)} in {quoted(environment)}: {_and(ids)} leave nothing open "
            f"together; {advice}"
        )

    def _with_openings(self) -> Iterator[ScopeTimeline]:
        """Yield the scopes of some request for each allow-only policy."""
        policies = [each for each in self._set.policies if each.effect is Effect.ALLOW_ONLY]
        if len(policies) < 2:  # noqa: PLR2004 - it takes two
            return
        for policy in policies[:_MOST_SCOPES]:
            service = self._reach.some_service(policy) or _some_name(policy)
            for scope in self._scopes_of(service):
                if any(line.rule is policy for line in scope.vetoers):
                    yield scope

    def _scopes_of(self, service: str) -> Iterator[ScopeTimeline]:
        for environment, change in self._reach.scopes:
            with contextlib.suppress(UnknownNameError):
                yield self._engine.scope(service, environment, change)

    def _open(self, line: RuleTimeline, until: int) -> list[Interval]:
        blocks = range(self._now >> BLOCK_BITS, ((until - 1) >> BLOCK_BITS) + 1)
        edges = [edge for block in blocks for edge in line.edges(block)]
        closed = zip(edges[::2], edges[1::2], strict=True)
        return complement(normalise(clip(normalise(closed), (self._now, until))), (self._now, until))


def not_reached(policy: Policy, reach: Reach) -> Iterator[tuple[int, int, str]]:
    """Yield globs that don't match names with a slash: the numbers of selector and glob, and a sentence."""
    for number, selector in enumerate(policy.applies_to or ()):
        for index, glob in enumerate(selector.services or ()):
            if "*" in glob and (sentence := _on_glob(glob, policy, selector, reach)):
                yield number, index, sentence


def _on_glob(glob: str, policy: Policy, selector: Selector, reach: Reach) -> str | None:
    if glob == "*" and reach.takes_unknown:
        return (
            '"*" leaves out services with a / in their names, for * does not cross it; leave services out to '
            "mean all of them"
        )
    wide = re.compile(".*".join(map(re.escape, glob.split("*"))))
    crossing = [name for name in reach.catalogue if "/" in name and wide.fullmatch(name)]
    left_out = next((name for name in crossing if _is_left_out(name, policy, selector, reach)), None)
    if left_out is None:
        return None
    sentence = f"{quoted(glob)} leaves out {quoted(left_out)}, for * does not cross a /"
    return f"{sentence}; name it as well if it is meant, the others one by one if not"


def _is_left_out(name: str, policy: Policy, selector: Selector, reach: Reach) -> bool:
    """Return whether only the name of a service keeps a policy from matching one of its requests."""
    anything = selector.model_copy(update={"services": None})
    unexempted = policy.model_copy(update={"exempt": None})
    requests = [(name, reach.catalogue[name], *scope) for scope in reach.scopes]
    return any(anything.matches(*each) and not unexempted.matches(*each) for each in requests)


def _some_name(policy: Policy) -> str:
    """Return a name that a policy may match."""
    globs = (glob for selector in policy.applies_to or () for glob in selector.services or ())
    return next(globs, "any").replace("*", "x")


def _on_little(ids: Sequence[str], together: int, narrowest: int) -> str:
    return (
        f"leaves {waiting_time(together) if together else 'nothing'} of the next four weeks open together "
        f"with {_and(ids[:-1])}, and {waiting_time(narrowest)} would be open by the narrowest alone; to "
        "open in either, put the windows into one policy"
    )


def _closed(openings: Sequence[Sequence[Interval]], span: Interval) -> Iterator[Interval]:
    for each in openings:
        yield from complement(each, span)


def _total(intervals: Sequence[Interval]) -> int:
    return sum(end - start for start, end in intervals)


def _and(names: Sequence[str]) -> str:
    shown = [quoted(name) for name in names[:_FEW]]
    if len(names) > _FEW:
        return f"{', '.join(shown)} and {len(names) - _FEW} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
