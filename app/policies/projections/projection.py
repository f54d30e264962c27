"""The options and the result of a projection, which all targets share.

A projection is a pure function of the policies and ad-hoc freezes in force, a time, and a horizon. It returns
the windows that the target should have, and names what the target can't say.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from app.core.decision import Rule
from app.core.decision_text import one_line
from app.core.engine import Engine
from app.core.instant import DAY
from app.policies.exporters.export import Remark

MOST_DAYS: Final = 360
"""The longest horizon: expressions without a year must not be taken for those of the year before."""

_LONGEST_TITLE: Final = 100

Window = Mapping[str, Any]
"""A window as the target writes it, in JSON: only keys of ours, without defaults."""


class ProjectionScope(NamedTuple):
    """A service or environment, and what it is called at the target."""

    environment: str = "production"
    service: str | None = None
    """None: the environment itself, as for a service that no selector singles out."""
    names: Mapping[str, Sequence[str]] = {}
    """The target's own names, such as ``applications``, by the word in the integrations file."""


class ProjectionOptions(NamedTuple):
    """The scopes that are projected together, and how far explicit windows reach."""

    now: int
    days: int
    scopes: Sequence[ProjectionScope]
    owner: str = "freezegate"
    """The word by which the windows of this gate are recognised."""
    overrun: bool = False
    """Whether the target may be told that a running deploy finishes; only for `argocd`."""
    elsewhere: Sequence[ProjectionScope] = ()
    """The scopes of other places of the target."""

    def own_services(self, environment: str) -> Collection[str]:
        """Return the services that have a scope of their own in an environment."""
        scopes = [*self.scopes, *self.elsewhere]
        return {each.service for each in scopes if each.service and each.environment == environment}

    @property
    def start(self) -> int:
        """The start of the explicit windows: midnight in UTC, so that they stay the same for a day.

        A day back, so that no cut falls on the present.
        """
        return self.now - self.now % DAY - DAY

    @property
    def until(self) -> int:
        """The end of the explicit windows: midnight in UTC."""
        return self.now - self.now % DAY + self.days * DAY


class Projected(NamedTuple):
    """The windows that a target should have."""

    windows: Sequence[Window]
    remarks: Sequence[Remark] = ()
    until: int | None = None
    """The end of the windows with a date; None if all of them recur."""
    changes_at: int | None = None
    """When the windows change although the policies don't, because they say what holds now; None if never."""

    @property
    def refused(self) -> Sequence[Remark]:
        """The remarks on deploys that the target would let through."""
        return [remark for remark in self.remarks if remark.refused]


class ProjectionTarget(NamedTuple):
    """A system that freezes are projected to, as a table entry."""

    title: str
    project: Callable[[Engine, ProjectionOptions], Projected]
    body: Callable[[Projected], Any]
    """Returns what the target takes, JSON-compatible."""
    live: Callable[[Any, str], Sequence[Window]]
    """Returns the windows in what the target returned, that an owner may have written.

    Raises MalformedValueError if it is nothing of the target.
    """


class Differences(NamedTuple):
    """The differences between the windows that a target has and those that it should have."""

    missing: Sequence[Window]
    surplus: Sequence[Window]

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.missing or self.surplus)


def differences(wanted: Iterable[Window], live: Iterable[Window]) -> Differences:
    """Compare windows, whatever their order."""
    asked, found = Counter(map(_key, wanted)), Counter(map(_key, live))
    return Differences(_windows(asked - found), _windows(found - asked))


def mark(owner: str, rule: Rule) -> str:
    """Return the text by which a window of ours is recognised, and people know its rule."""
    return f"{owner}: {one_line(rule.title)[:_LONGEST_TITLE]} ({rule.id})"


def is_marked(text: Any, owner: str) -> bool:
    """Return whether a text is a mark of an owner."""
    return isinstance(text, str) and text.startswith(f"{owner}: ")


def merged(parts: Iterable[Projected]) -> Projected:
    """Return the projections of several scopes as one; equal windows and remarks are kept once."""
    found = list(parts)
    windows = {_key(window): window for part in found for window in part.windows}
    remarks = dict.fromkeys(chain.from_iterable(part.remarks for part in found))
    ends = [part.until for part in found if part.until is not None]
    return Projected(list(windows.values()), list(remarks), min(ends, default=None))


def _key(window: Window) -> str:
    return json.dumps(window, sort_keys=True)


def _windows(counted: Counter[str]) -> list[Window]:
    return [json.loads(key) for key in counted.elements()]
