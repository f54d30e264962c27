"""The files of a set, read and checked as far as they let themselves: the work behind load and lint."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from app.core.policy import PolicySet
from app.policies.check import check_set, entries
from app.policies.limits import too_large, too_much_work
from app.policies.source import Snapshot
from app.policies.validate import MOST_DETAILS, validate
from app.yaml.compose import read_document
from app.yaml.document import Document
from app.yaml.problem import Path, Problem, Severity, bounded, format_path
from app.yaml.translate import NOTHING, translate

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
        return list(filter(_is_error, self.problems))

    def having(self, key: str) -> Iterator[Document]:
        """The documents with this key at their top."""
        return (each for each in self.documents if isinstance(each.data, dict) and key in each.data)

    def places(self, key: str) -> Iterator[tuple[Document, Path]]:
        """Where the entries of a top-level list stand, those of all files in their order."""
        for document in self.documents:
            for index in range(len(entries(document, key))):
                yield document, (key, index)


def read_draft(snapshot: Snapshot) -> Draft:
    """Read all files of a set; what is wrong with them is in the draft, nothing is raised."""
    documents = [read_document(name, text) for name, text in snapshot.policies.items()]
    if excess := list(too_large(documents)):
        return Draft(documents, excess, None)
    found = _Found(snapshot, documents)
    sound = [document for document in documents if document.whole]
    somewhere = any("policies" in document.data for document in sound if isinstance(document.data, dict))
    parts = [_validate(document, snapshot, found, policies_needed=not somewhere) for document in sound]
    # With a file missing, the names that it defines would all seem unknown.
    if len(sound) == len(documents) and not any(map(_is_error, snapshot.problems)):
        found.add(check_set(documents))
    problems = bounded(in_order(found.problems, documents), found.more)
    good = [part for part in parts if part is not None]
    if not good or any(map(_is_error, problems)):
        return Draft(documents, problems, None)
    merged = _merge(good)
    draft = Draft(documents, problems, merged)
    if excess := list(too_much_work(merged, list(draft.places("policies")))):
        return Draft(documents, in_order([*problems, *excess], documents), None)
    if not any(part.policies for part in good):
        problems.append(_nothing_frozen(draft))
    return draft


def in_order(problems: Iterable[Problem], documents: Sequence[Document]) -> list[Problem]:
    """Sort problems as the files are, and by line within each."""
    rank = {document.name: index for index, document in enumerate(documents)}
    return sorted(problems, key=lambda each: (rank.get(each.file, -1), each.file, each.line, each.column))


class _Found:
    """Problems as they are found: of one place, only what is found first, which is nearest to the cause."""

    def __init__(self, snapshot: Snapshot, documents: Iterable[Document]) -> None:
        self.problems = [*snapshot.problems, *(each for document in documents for each in document.problems)]
        self.more = sum(document.more_problems for document in documents)
        """How many were found, at least, that are not among `problems`."""
        self._told = {
            (document.name, format_path(path)) for document in documents for path in document.spoilt
        }

    def add(self, problems: Iterable[Problem]) -> None:
        """Take what one way of looking at the files has found; stop looking after very many."""
        news = (each for each in problems if (each.file, each.path) not in self._told)
        fresh = list(islice(news, MOST_DETAILS))
        if next(news, None) is not None:
            self.more += 1
        self.problems += fresh
        self._told |= {(each.file, each.path) for each in fresh if each.path}


def _is_error(problem: Problem) -> bool:
    return problem.severity is Severity.ERROR


def _validate(
    document: Document, snapshot: Snapshot, found: _Found, *, policies_needed: bool
) -> PolicySet | None:
    """One file by itself, as the models see it; what is wrong goes to `found`."""
    data = document.data
    if not policies_needed and isinstance(data, dict) and "policies" not in data:
        data = {**data, "policies": []}
    validation = validate(data, snapshot.calendar)
    found.add(translate(document, validation.details))
    found.more += validation.more
    silent = (path for path in document.nulls() if path[-1:] != (_NULL_MEANS,))
    found.add(document.problem(path, NOTHING) for path in silent)
    return validation.part


def _nothing_frozen(draft: Draft) -> Problem:
    document = next(draft.having("policies"))
    return document.problem(("policies",), "nothing is ever frozen: there is no policy", Severity.WARNING)


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
