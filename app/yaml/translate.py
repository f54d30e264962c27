"""Translate pydantic's validation errors into sentences about the file, each with its position."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from app.core.errors import FaultyValuesError
from app.core.policy import FILE_PATTERN, FORMS, Name, PolicySet
from app.core.windows import WindowEntry
from app.yaml.document import Document
from app.yaml.problem import MOST_GUESSES, Path, Problem, did_you_mean, in_quotes, nearest, quoted
from app.yaml.shape import keys_of, model_at, type_at
from app.yaml.suggest import better, does_as_list

NOTHING: Final = "nothing stands behind this key"

_FEW: Final = 12
_LONGEST_SENTENCE: Final = 300
_LONGEST_LIST: Final = 460
"""The most names that a sentence lists."""

_KINDS: Final[dict[type, str]] = {
    bool: "true or false",
    int: "a number",
    float: "a decimal number",
    str: "a text",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing",
}

_EMPTY: Final[Mapping[type, str]] = defaultdict(lambda: "list", {dict: "mapping"})

_FAULT: Final = "fault"
"""The type of an error that the core raises about one value of a mapping; not one of pydantic's."""

_RANK: Final = {_FAULT: 0, "value_error": 0, "literal_error": 1, "enum": 1}
_OTHER_RANK: Final = 2


class _File(NamedTuple):
    """The facts that all errors about a file share."""

    root: type[BaseModel]
    """The model of the whole file."""
    private: bool
    """Whether its values may be secrets; then no sentence repeats them."""


class _Error(NamedTuple):
    """A validation error of pydantic's, at its path in the file."""

    path: Path
    kind: str
    value: Any
    context: dict[str, Any]
    of_key: bool
    of_union: bool
    within: "_File"
    guess: bool = True


def translate(
    document: Document,
    details: Iterable[ErrorDetails],
    root: type[BaseModel] = PolicySet,
    *,
    private: bool = False,
) -> list[Problem]:
    """Return the problems of `details`, at most one for each path.

    Args:
        document: the file.
        details: pydantic's errors, without the input.
        root: the model that the file was validated against.
        private: whether the values may be secrets; then no sentence repeats them.
    """
    file = _File(root, private)
    errors = [error for detail in details for error in _taken_apart(_locate(document.data, detail, file))]
    around = _Around(errors)
    problems: list[Problem] = []
    for path, group in groupby(sorted(errors, key=_order), key=lambda error: error.path):
        error = min(group, key=lambda each: _RANK.get(each.kind, _OTHER_RANK))
        if around.explains(error):
            continue
        error = error._replace(guess=len(problems) < MOST_GUESSES)
        at_key = error.of_key or error.kind == "extra_forbidden"
        problem = document.problem_of_key if at_key else document.problem
        problems.append(problem(path, _sentence(error)))
    return problems


def kind_of(value: object) -> str:
    """Return the kind of a value with its article: ``a list``."""
    return _KINDS.get(type(value), "something else")


def _order(error: _Error) -> tuple[tuple[bool, str | int], ...]:
    return tuple((isinstance(part, str), part) for part in error.path)


def _locate(data: Any, detail: ErrorDetails, file: _File) -> _Error:
    """Follow pydantic's location through the data; skip the names that it gives to the arms of a union."""
    path: list[str | int] = []
    value, of_union = data, False
    location = detail["loc"]
    for depth, part in enumerate(location, start=1):
        if _leads_on(value, part):
            value = value[part]
            path.append(part)
        elif detail["type"] == "missing" and depth == len(location):
            path.append(part)
        else:
            of_union = of_union or part != "[key]"
    of_key = location[-1:] == ("[key]",)
    return _Error(tuple(path), detail["type"], value, detail.get("ctx", {}), of_key, of_union, file)


def _leads_on(value: Any, part: str | int) -> bool:
    """Return whether a part of a location is a key or position of the data."""
    if isinstance(value, dict):
        return isinstance(part, str) and part in value
    return isinstance(value, list) and isinstance(part, int)


def _taken_apart(error: _Error) -> Iterator[_Error]:
    """Yield a complaint about a mapping, as those about its values if it says which they are."""
    cause = error.context.get("error")
    if not isinstance(cause, FaultyValuesError):
        yield error
        return
    for fault in cause.faults:
        value = error.value
        for part in fault.path:
            value = value[part]
        context = {"error": fault.sentence}
        yield error._replace(path=(*error.path, *fault.path), kind=_FAULT, value=value, context=context)


class _Around:
    """All errors about a file, to find those that only follow from others."""

    def __init__(self, errors: Iterable[_Error]) -> None:
        self._strangers: dict[Path, list[str]] = {}
        self._above: set[Path] = set()
        for error in errors:
            if error.kind == "extra_forbidden":
                self._strangers.setdefault(error.path[:-1], []).append(str(error.path[-1]))
            self._above.update(error.path[:depth] for depth in range(len(error.path)))

    def explains(self, error: _Error) -> bool:
        """Return whether another error explains this one: a misspelt key, or the other arm of a union."""
        if error.kind == "missing":
            strangers = self._strangers.get(error.path[:-1], [])
            return any(nearest(stranger.partition(":")[0], [str(error.path[-1])]) for stranger in strangers)
        if error.kind == "too_short" and error.value:
            return True  # it is not empty: each of its entries is reported
        return error.of_union and isinstance(error.value, dict) and error.path in self._above


def _sentence(error: _Error) -> str:
    if error.kind == "extra_forbidden":
        return _unknown_key(error)
    if error.kind == "missing":
        return f"{quoted(str(error.path[-1]))} is required"
    if error.value is None and not error.of_key:
        return (
            f"{NOTHING}; write policies: [] if nothing is to be frozen"
            if error.path == ("policies",)
            else NOTHING
        )
    write = _SENTENCES.get(error.kind)
    return write(error) if write else f"{_shown(error)} is not what is expected here"


def _unknown_key(error: _Error) -> str:
    model, key = model_at(error.within.root, error.path[:-1]), str(error.path[-1])
    known = keys_of(model) if model else []
    if model is WindowEntry and any(key in keys_of(kind) for kind in _kinds()):
        return f"{quoted(key)} stands outside of a window; name its kind first: {', '.join(known)}"
    word = "kind of window" if model is WindowEntry else "key"
    guess = did_you_mean(key, known) if error.guess else ""
    return f"unknown {word} {quoted(key)}{guess or _hint(key, known)}"


def _hint(key: str, known: Sequence[str]) -> str:
    """Return advice on an unknown key without a similar one."""
    if ":" in key:
        return '; is a space missing after the ":"?'
    return f"; known here: {', '.join(known)}" if len(known) <= _FEW else ""


def _shown(error: _Error) -> str:
    value = error.value
    if isinstance(value, str):
        return _quoted(error, value)
    return str(value) if type(value) in (int, float) and not error.within.private else kind_of(value)


def _quoted(error: _Error, text: str) -> str:
    """Return a text of the file in quotes, or its kind where it may be a secret."""
    return "this" if error.within.private else quoted(text)


def _told_by_us(error: _Error) -> str:
    """Return the core's own sentence; it begins "not a …" where it is about the form of a value."""
    sentence = _on_one_line(str(error.context.get("error", "not what is expected here")))
    if not isinstance(error.value, str):
        if sentence.startswith("expected a text"):
            return _expected("a text")(error)
        return sentence
    if sentence.startswith("not "):
        sentence = f"{_quoted(error, error.value)} is {sentence}"
    return sentence if "did you mean" in sentence else sentence + _guess(error, error.value)


def _told_of_value(error: _Error) -> str:
    """Return the core's own sentence about a well-formed value, with its suggestion."""
    sentence = _on_one_line(str(error.context["error"]), _LONGEST_LIST)
    return f"{_shown(error)} is {sentence}" if sentence.startswith("not ") else sentence


def _on_one_line(sentence: str, longest: int = _LONGEST_SENTENCE) -> str:
    """Make a sentence printable and short: a library may repeat parts of a file in it."""
    shown = sentence if len(sentence) <= longest else f"{sentence[:longest]}…"
    return "".join(letter if letter.isprintable() else " " for letter in shown)


def _guess(error: _Error, text: str) -> str:
    if not error.guess or error.within.private or error.context.get("pattern") == f"^{FILE_PATTERN}$":
        return ""
    candidate = better(text, Name if error.of_key else type_at(error.within.root, error.path))
    return f"; did you mean {in_quotes(candidate)}?" if candidate else ""


def _one_of(error: _Error) -> str:
    expected = str(error.context.get("expected", ""))
    known = re.findall(r"'([^']*)'", expected) or [expected]
    if len(known) == 1:
        return f"must be {known[0]}, not {_shown(error)}"
    if not isinstance(error.value, str):
        also = ", or a mapping" if error.of_union else ""
        return f"expected one of {', '.join(known)}{also}, not {_shown(error)}"
    guess = did_you_mean(error.value, known, cutoff=0.5)
    return f"{_quoted(error, error.value)} is not one of {', '.join(known)}{guess}"


def _wrong_form(error: _Error) -> str:
    text = str(error.path[-1]) if error.of_key else str(error.value)
    form = FORMS.get(str(error.context.get("pattern")), "this is not of the form that is expected here")
    advice = "; a long one is folded with >, not kept with |" if "\n" in text.strip() else ""
    return f"{_quoted(error, text)} can't be used: {form}{advice}{_guess(error, text)}"


def _expected(what: str) -> Callable[[_Error], str]:
    def write(error: _Error) -> str:
        advice = ""
        if what == "a text" and isinstance(error.value, bool | int | float):
            advice = "; write it in quotes"
        elif what == "a list" and isinstance(error.value, str):
            advice = f"; write [{error.value}]" if _may_be_in_list(error) else ""
        elif what == "a list" and isinstance(error.value, dict):
            advice = '; begin each entry with "- "'
        return f"expected {what}, not {kind_of(error.value)}{advice}"

    return write


def _may_be_in_list(error: _Error) -> bool:
    """Return whether a list of just this text would be valid, and may be shown."""
    if error.within.private or not error.guess:
        return False
    return does_as_list(str(error.value), type_at(error.within.root, error.path))


def _kinds() -> Iterable[type[BaseModel]]:
    """Return the models of the window kinds."""
    entry = ("policies", 0, "when", 0)
    return filter(None, (model_at(PolicySet, (*entry, kind)) for kind in keys_of(WindowEntry)))


def _limit(words: str, key: str) -> Callable[[_Error], str]:
    return lambda error: words.format(error.context.get(key, ""))


_SENTENCES: Final[dict[str, Callable[[_Error], str]]] = {
    _FAULT: _told_of_value,
    "value_error": _told_by_us,
    "literal_error": _one_of,
    "enum": _one_of,
    "is_instance_of": _one_of,
    "string_pattern_mismatch": _wrong_form,
    **dict.fromkeys(
        ("model_type", "model_attributes_type", "dict_type"), _expected("a mapping (key: value)")
    ),
    **dict.fromkeys(("list_type", "tuple_type", "set_type"), _expected("a list")),
    "string_type": _expected("a text"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _expected("a whole number")),
    **dict.fromkeys(("bool_type", "bool_parsing"), _expected("true or false")),
    "greater_than_equal": _limit("must be {} at least", "ge"),
    "greater_than": _limit("must be more than {}", "gt"),
    "less_than_equal": _limit("must be {} at most", "le"),
    "less_than": _limit("must be less than {}", "lt"),
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": _limit("longer than {} characters", "max_length"),
    "too_short": lambda error: f"an empty {_EMPTY[type(error.value)]}; at least one entry is needed",
    "too_long": _limit("more than {} entries", "max_length"),
}
