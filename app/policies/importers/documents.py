"""Read YAML and JSON sources: plain values with the position of each."""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from app.core.errors import MalformedValueError
from app.policies.importers.imported import Imported, Origin, SourceText
from app.yaml.compose import read_document
from app.yaml.document import Document, Nodes
from app.yaml.problem import Path, Problem, did_you_mean, format_path, quoted
from app.yaml.syntax import Position

_DOCUMENT: Final = re.compile(r"^---(?=\s|$)|^\.\.\.(?=\s|$)", re.MULTILINE)
"""A marker between documents: at the start of a line, it is one everywhere, in block scalars too."""


def yaml_documents(source: SourceText) -> Iterator[Document]:
    """Yield the documents of a YAML text; the positions are those in the whole text.

    Empty documents are left out. Errors of YAML are in the documents' `problems`.
    """
    starts = [0, *(match.start() for match in _DOCUMENT.finditer(source.text))]
    line = 0
    for start, end in zip(starts, [*starts[1:], len(source.text)], strict=True):
        part = source.text[start:end]
        content = re.sub(r"^\.\.\.", "", part)
        if re.sub(r"^---|#.*$", "", content, flags=re.MULTILINE).strip():
            yield read_document(source.name, "\n" * line + content)
        line += part.count("\n")


def sound_documents(sources: Iterable[SourceText], imported: Imported) -> Iterator[Document]:
    """Yield the YAML documents of all sources; one with errors is refused instead, with its errors."""
    for source in sources:
        for document in yaml_documents(source):
            for problem in document.problems:
                imported.refuse(origin_of_problem(problem), problem.message)
            if not document.problems:
                yield document


def resources(data: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the Kubernetes resources of a document with their paths: itself, or the items of a list."""
    items = data.get("items") if isinstance(data, dict) else None
    found: Iterable[tuple[Path, Any]] = [((), data)]
    if isinstance(items, list):
        found = ((("items", index), item) for index, item in enumerate(items))
    yield from ((path, item) for path, item in found if isinstance(item, dict))


def json_document(source: SourceText) -> Document:
    """Read a JSON text; an error of JSON is in the document's `problems`.

    The positions come from the YAML reader: nearly all JSON is YAML. Where it isn't, they are missing.
    """
    text = source.text.removeprefix("\ufeff")
    try:
        data = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return _failed(source, Position(error.lineno, error.colno), f"this is not JSON: {error.msg.lower()}")
    except RecursionError:
        return _failed(source, Position(1, 1), "this JSON is nested too deeply")
    except MalformedValueError as error:
        return _failed(source, Position(1, 1), str(error))
    document = read_document(source.name, text)
    if not document.problems and document.data == data:
        return document
    return Document(source.name, data, Nodes())


def origin_of(document: Document, path: Path, name: str | None = None) -> Origin:
    """Return the place of the value at a path, named by its path if it has no name."""
    position = document.place(path).best
    return Origin(document.name, position.line, position.column, name or format_path(path))


def origin_of_problem(problem: Problem) -> Origin:
    """Return the place of an error of YAML or JSON."""
    return Origin(problem.file, problem.line, problem.column, problem.path or "the file")


def with_known_keys(entry: Any, known: Collection[str]) -> dict[str, Any]:
    """Return an entry that is a mapping without unknown keys.

    Raises:
        MalformedValueError: it is none, or has another key.
    """
    if not isinstance(entry, dict):
        raise MalformedValueError("expected a mapping")
    for key in entry:
        if key not in known:
            raise MalformedValueError(f"unknown key {quoted(key)}{did_you_mean(key, known)}")
    return entry


def mappings(value: Any) -> list[dict[str, Any]]:
    """Return the mappings of a list; none if it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise MalformedValueError(f"the key {quoted(key)} is twice in one object")
        found[key] = value
    return found


def _no_constant(text: str) -> Any:
    raise MalformedValueError(f"{text} is no value of JSON")


def _failed(source: SourceText, position: Position, sentence: str) -> Document:
    document = Document(source.name, None, Nodes())
    document.whole = False
    document.problems.append(Problem(source.name, position.line, position.column, "", sentence))
    return document
