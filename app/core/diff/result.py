"""The difference of two policy sets, as plain values."""

from typing import NamedTuple

from app.core.interval import Interval
from app.core.policy import glob_pattern


class UnlistedNames(NamedTuple):
    """Unlisted services that the same globs match: exactly these, among the `globs` of the difference.

    A service is unlisted if it is in neither catalogue, and no policy names it without a star.
    """

    globs: tuple[str, ...]
    sample: str
    """A name that such a service may have."""


class ServiceGroup(NamedTuple):
    """Services with the same difference."""

    names: tuple[str, ...]
    """Services of a catalogue, or named by a policy without a star, sorted."""
    patterns: tuple[UnlistedNames, ...]
    others: bool
    """Whether every other service is among them: those neither named nor singled out by a pattern."""


class Hours(NamedTuple):
    """A stretch of time, half-open, in which the answers differ the same way."""

    start: int
    end: int
    opens: bool
    """True: denied before, allowed after. False: the other way round."""
    before: tuple[str, ...]
    """The ids of the policies that veto in the old set, at the first instant of the stretch."""
    after: tuple[str, ...]
    """The ids of those that veto in the new set."""

    @property
    def refused(self) -> bool:
        """Whether a catalogue denies: one of the sets refuses the service, which it doesn't know."""
        return not (self.before or self.after)


class Difference(NamedTuple):
    """The hours that open or close for some services, in some environments, for some kinds of change."""

    environments: tuple[str, ...]
    changes: tuple[str, ...]
    services: ServiceGroup
    hours: tuple[Hours, ...]


class PolicyChange(NamedTuple):
    """A change of a policy itself; the order of policies and comments are no change."""

    kind: str
    """``added``, ``removed``, ``renamed`` or ``changed``; a renamed policy may have changed `fields`, too."""
    id: str
    """The id in the old set; of an added policy, that in the new set."""
    new_id: str | None
    """The id in the new set, if the policy was renamed."""
    fields: tuple[str, ...]
    """The fields that changed, by their names in policies.yaml."""


class SetNames(NamedTuple):
    """Names that only one of the sets knows."""

    environments: tuple[str, ...]
    changes: tuple[str, ...]
    services: tuple[str, ...]


class SettingChange(NamedTuple):
    """A change of a setting: `timezone`, `unknown_services`, `overrides`, or one of an environment.

    The latter are called `environments.production.release`, for example.
    """

    name: str
    before: str
    after: str


class NameChanges(NamedTuple):
    """Changes of the lists and settings of the set, beside its policies."""

    added: SetNames
    removed: SetNames
    changed_services: tuple[str, ...]
    """Services of both catalogues whose tags or zone changed."""
    settings: tuple[SettingChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not (any(self.added) or any(self.removed) or self.changed_services or self.settings)


class Diff(NamedTuple):
    """The difference of two policy sets in a period."""

    period: Interval
    policies: tuple[PolicyChange, ...]
    names: NameChanges
    differences: tuple[Difference, ...]
    environments: tuple[str, ...]
    """The environments of both sets: those that were compared."""
    changes: tuple[str, ...]
    """The kinds of change of both sets."""
    services: tuple[str, ...]
    """All services that were compared by name."""
    globs: tuple[str, ...]
    """The globs that tell unlisted services apart."""
    singled_out: tuple[UnlistedNames, ...]
    """Unlisted services that something else happens to than to every other service."""
    limits: tuple[str, ...]
    """Sentences on what was not compared: names that one set alone has, or work that would take too long."""
    may_differ_later: bool = False
    """Whether policies veto otherwise, so that hours may differ after the period, too."""

    @property
    def opens(self) -> bool:
        """Whether any hours open."""
        return any(hours.opens for each in self.differences for hours in each.hours)

    @property
    def closes(self) -> bool:
        """Whether any hours close."""
        return any(not hours.opens for each in self.differences for hours in each.hours)

    @property
    def is_complete(self) -> bool:
        """Whether everything was compared; if not, `limits` says what wasn't."""
        return not self.limits

    @property
    def is_empty(self) -> bool:
        """Whether the sets have the same content and give the same answers."""
        return not (self.policies or self.differences) and self.names.is_empty

    def hours_of(self, service: str, environment: str, change: str) -> tuple[Hours, ...]:
        """Return the hours that open or close for any service, listed or not."""
        is_named = service in self.services
        alike = None if is_named else self._names_like(service)
        return tuple(
            hours
            for each in self.differences
            if environment in each.environments
            and change in each.changes
            and (service in each.services.names if is_named else _has(each.services, alike))
            for hours in each.hours
        )

    def _names_like(self, service: str) -> UnlistedNames | None:
        """Return the unlisted names that a service is one of; None for every other service."""
        matching = tuple(glob for glob in self.globs if glob_pattern([glob]).fullmatch(service))
        return next((each for each in self.singled_out if each.globs == matching), None)


def _has(group: ServiceGroup, alike: UnlistedNames | None) -> bool:
    """Return whether unlisted names are in a group; None stands for every other service."""
    return group.others if alike is None else alike in group.patterns
