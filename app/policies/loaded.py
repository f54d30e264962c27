"""A loaded policy set and its engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.engine import Engine
from app.core.policy import PolicySet, SelfTest
from app.core.wallclock import Zone
from app.yaml.problem import Problem


class PlacedTest(NamedTuple):
    """A self-test and its position; line and column count from 1."""

    test: SelfTest
    file: str
    line: int
    column: int
    path: str
    zone: Zone
    """The zone of its local times."""


@dataclass(frozen=True)
class LoadedPolicies:
    """Policies that may be put in force, and their engine."""

    policy_set: PolicySet
    engine: Engine
    revision: str
    tests: tuple[PlacedTest, ...]
    warnings: tuple[Problem, ...]
    """The warnings about the files."""
    tested: Engine
    """The engine that self-tests ask; there, calendars by URL have no events."""
    team_engines: Mapping[str, Engine] = field(default_factory=dict)
    """The engines with the policies of one team's file each, by its name; the tests of that file ask it."""

    def tested_by(self, file: str) -> Engine:
        """Return the engine that the self-tests of a file ask."""
        return self.team_engines.get(file, self.tested)
