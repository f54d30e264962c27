"""Read a YAML file into a model."""

from pathlib import Path as FilePath
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from app.yaml.compose import read_document
from app.yaml.document import Document
from app.yaml.problem import Problem, YamlFileError, quoted
from app.yaml.syntax import LARGEST
from app.yaml.translate import NOTHING, translate

Model = TypeVar("Model", bound=BaseModel)


def read_file(
    path: FilePath, model: type[Model], error: type[YamlFileError], *, private: bool = False
) -> tuple[Model, Document]:
    """Return the content of a file as a model, and the document for reporting later problems.

    A key with nothing behind it is an error, as in policies; otherwise an optional key would fall back to
    its default, and ``services:`` would mean every service.

    Args:
        path: of the file.
        model: the model of the whole file.
        error: the error class to raise, with every problem of the file.
        private: whether the file may hold secrets; then no problem repeats a value.

    Raises:
        YamlFileError: the file can't be read, or something in it is wrong; of the class `error`.
    """
    document = read_document(str(path), _text(path, error))
    if document.problems:
        raise error(document.problems)
    silent = (document.problem(keys, NOTHING) for keys in document.nulls())
    problems = {problem.path: problem for problem in silent}
    read = None
    try:
        read = model.model_validate(document.data)
    except ValidationError as found:
        details = found.errors(include_url=False, include_input=False)
        for problem in translate(document, details, model, private=private):
            problems.setdefault(problem.path, problem)
    if read is None or problems:
        raise error(sorted(problems.values(), key=lambda problem: (problem.line, problem.column)))
    return read, document


def _text(path: FilePath, error: type[YamlFileError]) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        return content.decode("utf-8")
    except UnicodeDecodeError as found:
        line = content.count(b"\n", 0, found.start) + 1
        raise error([Problem(str(path), line, 1, "", "the file is not UTF-8 from here on")]) from None
    except (OSError, ValueError) as found:  # a NUL in the name is a ValueError
        why = getattr(found, "strerror", None) or f"{quoted(str(path))} is not the name of a file"
        raise error([Problem(str(path), 1, 1, "", f"the file can't be read: {why}")]) from None
