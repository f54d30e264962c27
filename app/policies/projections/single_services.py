"""Remark on what stops deploys of single services, which the windows of an environment let through."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

from app.core.decision import Rule, in_words
from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.policy import SERVICE_ZONE, Effect, Policy, PolicySet, Selector, glob_pattern
from app.policies.exporters.export import Remark
from app.policies.projections.projection import ProjectionOptions, ProjectionScope

_ADVICE: Final = "project each of them, too"

Stopped = Callable[[Rule], Collection[str]]
"""Returns the kinds of change that the windows of the environment stop while a rule holds."""


def on_services(
    engine: Engine, options: ProjectionOptions, scope: ProjectionScope, stopped: Stopped
) -> Iterator[Remark]:
    """Yield a refused remark for each rule about services that have no scope of their own."""
    if scope.service is not None:
        return
    catalogue = _Catalogue.of(engine.policy_set)
    own = options.own_services(scope.environment)
    for rule in rules_of(engine, options):
        held = stopped(rule)
        left_out = set(engine.policy_set.changes).difference(held)
        names = _about(rule, catalogue, scope.environment, left_out)
        yield from _refused(rule, "left out: it is about {}", names, own)
        if held and isinstance(rule, Policy):
            zone = f"read in {engine.policy_set.timezone}, but in another time zone for {{}}"
            yield from _refused(rule, zone, _in_other_zones(rule, engine.policy_set, scope), own)


def _refused(rule: Rule, sentence: str, names: Iterable[str], own: Collection[str]) -> Iterator[Remark]:
    lacking = [name for name in names if name not in own]
    if lacking:
        yield Remark(rule.id, f"{sentence.format(in_words(lacking))}; {_ADVICE}", refused=True)


def rules_of(engine: Engine, options: ProjectionOptions) -> Iterator[Rule]:
    """Yield the policies that can stop a deploy, and the ad-hoc freezes that hold within the horizon."""
    yield from (each for each in engine.policy_set.policies if each.effect is not Effect.WARN)
    for freeze in engine.freezes:
        if freeze.starts_at < options.until and (freeze.until is None or freeze.until > options.now):
            yield freeze


def _selectors(rule: Rule) -> Sequence[Selector]:
    meant = [rule.selector] if isinstance(rule, Freeze) else rule.applies_to
    return [*(meant or ()), *(rule.exempt or ())]


class _Catalogue(NamedTuple):
    """The services that a deploy may name, as they are looked up."""

    tags: Mapping[str, frozenset[str]]
    tagged: Mapping[str, Sequence[str]]
    """The services with each tag: there may be thousands, and hundreds of policies about tags."""
    takes_unknown: bool

    @classmethod
    def of(cls, policy_set: PolicySet) -> "_Catalogue":
        """Look up the services of policies."""
        tags = {name: policy_set.tags_of(name) for name in policy_set.services or ()}
        tagged: dict[str, list[str]] = {}
        for name, of_service in tags.items():
            for tag in of_service:
                tagged.setdefault(tag, []).append(name)
        return cls(tags, tagged, not policy_set.refuses_unknown)

    def meant(self, selector: Selector) -> Iterator[str]:
        """Yield the services that a selector may single out.

        A glob is among them: it stands for the services outside the catalogue that it may match.
        """
        written = selector.services or []
        if any("*" in name for name in written):
            yield from self.tags
        elif selector.tags and not written:
            is_meant = glob_pattern(selector.tags).fullmatch
            yield from chain.from_iterable(names for tag, names in self.tagged.items() if is_meant(tag))
        yield from (name for name in written if self.takes_unknown or name in self.tags)


def _about(rule: Rule, catalogue: _Catalogue, environment: str, changes: Collection[str]) -> Iterator[str]:
    """Yield the services whose deploys a rule stops, for some of these kinds of change."""
    if not changes:
        return
    here = [each for each in _selectors(rule) if environment in (each.environments or [environment])]
    for name in dict.fromkeys(chain.from_iterable(map(catalogue.meant, here))):
        tags = catalogue.tags.get(name, frozenset())
        if any(rule.matches(name, tags, environment, change) for change in changes):
            yield name


def _in_other_zones(policy: Policy, policy_set: PolicySet, scope: ProjectionScope) -> Iterator[str]:
    """Yield the services for which a policy is read in another zone than the windows."""
    if policy.timezone != SERVICE_ZONE:
        return
    for name in policy_set.services or ():
        request = name, policy_set.tags_of(name), scope.environment
        if policy_set.service_zone(name) != policy_set.timezone and any(
            policy.matches(*request, change) for change in policy_set.changes
        ):
            yield name
