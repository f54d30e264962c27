"""A policy set that is good, as loading hands it over."""

from dataclasses import dataclass
from typing import NamedTuple

from app.core.engine import Engine
from app.core.policy import PolicySet, SelfTest
from app.yaml.problem import Problem


class PlacedTest(NamedTuple):
    """A self-test and where it stands; line and column count from 1."""

    test: SelfTest
    file: str
    line: int
    column: int
    path: str


@dataclass(frozen=True)
class LoadedPolicies:
    """Policies that may be put in force, and the engine that answers by them."""

    policy_set: PolicySet
    engine: Engine
    revision: str
    tests: tuple[PlacedTest, ...]
    warnings: tuple[Problem, ...]
    """What is suspicious in the files although they can be used."""
