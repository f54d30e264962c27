"""The meaning of plain scalars: the core schema of YAML 1.2 (section 10.3).

So ``14:00``, ``NO`` and ``on`` are texts; only ``true``, ``false``, ``null``, their capitalised forms and
numbers are not. Infinity and not-a-number have no meaning in a policy file and are refused.
"""

import math
import re
from typing import Final

from app.core.errors import MalformedValueError

Scalar = str | int | float | bool | None

_WORDS: Final[dict[str, Scalar]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DECIMAL: Final = re.compile(r"[-+]?\d+", re.ASCII)
_OCTAL: Final = re.compile(r"0o[0-7]+", re.ASCII)
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_BASES: Final = ((_OCTAL, 8), (_HEXADECIMAL, 16))
_FLOAT: Final = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?", re.ASCII)
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_NUMBERS_BEGIN: Final = frozenset("0123456789+-.")
_LONGEST: Final = 30


def plain_scalar(text: str) -> Scalar:
    """Return the value of a plain scalar.

    Raises:
        MalformedValueError: a number that is infinite, not a number, or absurdly long.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBERS_BEGIN:
        return text
    return _number(text)


def _number(text: str) -> Scalar:
    if _NOT_FINITE.fullmatch(text):
        raise MalformedValueError("infinity and not-a-number are no values here")
    if not _FLOAT.fullmatch(text):
        return next((int(text[2:], base) for form, base in _BASES if form.fullmatch(text)), text)
    if len(text) > _LONGEST:
        raise MalformedValueError("this number is too long; is it a text that wants quotes?")
    if _DECIMAL.fullmatch(text):
        return int(text)
    value = float(text)
    if math.isinf(value):
        raise MalformedValueError("this number is too large")
    return value
