"""The files of a set, read and checked as far as they let themselves: the work behind load and lint."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from app.core.policy import PolicySet
from app.policies.check import check_set
from app.policies.compose import read_document
from app.policies.document import Document
from app.policies.problem import Path, Problem, Severity
from app.policies.source import Snapshot
from app.policies.translate import NOTHING, translate

_NULL_MEANS: Final = "next_change"
"""The one key behind which a written null says something."""


@dataclass(frozen=True)
class Draft:
    """What the files of a set say, and everything that is wrong with them."""

    documents: Sequence[Document]
    problems: Sequence[Problem]
    """Errors and warnings, in the order of the files."""
    policy_set: PolicySet | None
    """What they say together; None if there is any error."""

    @property
    def errors(self) -> list[Problem]:
        """The problems for which the files can't be used."""
        return [problem for problem in self.problems if problem.severity is Severity.ERROR]


def read_draft(snapshot: Snapshot) -> Draft:
    """Read all files of a set; what is wrong with them is in the draft, nothing is raised."""
    documents = [read_document(name, text) for name, text in snapshot.policies.items()]
    found = [*snapshot.problems, *(problem for document in documents for problem in document.problems)]
    sound = [document for document in documents if document.whole]
    elsewhere = sum("policies" in document.data for document in sound if isinstance(document.data, dict))
    parts = [_validate(document, snapshot, found, only_one=not elsewhere) for document in sound]
    # With a file missing, names that it defines would all seem unknown.
    if len(sound) == len(documents) and not snapshot.unreadable.keys() & _names_of(snapshot.problems):
        found += check_set(documents)
    problems = _in_order(_once_each(found), [document.name for document in documents])
    good = [part for part in parts if part is not None]
    if not good or any(problem.severity is Severity.ERROR for problem in problems):
        return Draft(documents, problems, None)
    merged = _merge(good)
    if not merged.policies:
        problems += [_nothing_frozen(documents)]
    return Draft(documents, problems, merged)


def _names_of(problems: Iterable[Problem]) -> set[str]:
    return {problem.file for problem in problems if problem.severity is Severity.ERROR}


def _validate(
    document: Document, snapshot: Snapshot, found: list[Problem], *, only_one: bool
) -> PolicySet | None:
    """One file by itself, as the models see it; what is wrong goes to `found`."""
    data = document.data
    if not only_one and isinstance(data, dict) and "policies" not in data:
        data = {**data, "policies": []}
    if document.holds_null:
        found += [document.problem(path, _nothing_behind(path)) for path in _nulls(data)]
    try:
        return PolicySet.model_validate(data, context={"read": snapshot.calendar})
    except ValidationError as error:
        found += translate(document, error.errors(include_url=False, include_input=False))
    return None


def _nothing_behind(path: Path) -> str:
    return f"{NOTHING}; write policies: [] if nothing is to be frozen" if path == ("policies",) else NOTHING


def _nulls(data: Any) -> Iterator[Path]:
    """The paths of all values that are null, but for the one key that may be."""
    stack: list[tuple[Path, Any]] = [((), data)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            stack.extend(((*path, key), inner) for key, inner in value.items())
        elif isinstance(value, list):
            stack.extend(((*path, index), inner) for index, inner in enumerate(value))
        elif value is None and path[-1:] != (_NULL_MEANS,):
            yield path


def _once_each(problems: Iterable[Problem]) -> list[Problem]:
    """Without what is said twice of the same place; what was found first is nearest to the cause."""
    kept: dict[tuple[str, str] | Problem, Problem] = {}
    for problem in problems:
        kept.setdefault((problem.file, problem.path) if problem.path else problem, problem)
    return list(kept.values())


def _in_order(problems: Iterable[Problem], names: Sequence[str]) -> list[Problem]:
    rank = {name: index for index, name in enumerate(names)}
    return sorted(problems, key=lambda each: (rank.get(each.file, -1), each.file, each.line, each.column))


def _nothing_frozen(documents: Iterable[Document]) -> Problem:
    document = next(each for each in documents if "policies" in each.data)
    path = ("policies",)
    return document.problem(path, "nothing is ever frozen: there is no policy", Severity.WARNING)


def _merge(parts: Sequence[PolicySet]) -> PolicySet:
    """One set of what the files say; that no two say the same key is checked before."""
    if len(parts) == 1:
        return parts[0]
    single = {name: getattr(part, name) for part in parts for name in part.model_fields_set}
    catalogues = [part.services for part in parts if part.services is not None]
    lists: dict[str, Any] = {
        "policies": [policy for part in parts for policy in part.policies],
        "tests": [test for part in parts for test in part.tests],
        "services": {name: each for part in catalogues for name, each in part.items()}
        if catalogues
        else None,
    }
    return parts[0].model_copy(update=single | lists)
