"""Ids of records: they sort by time, and the next one can't be guessed."""

import os
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_LETTERS: Final = 26
_SHIFTS: Final = tuple(range(120, -10, -10))


def new_id(kind: str, microseconds: int) -> str:
    """Return a new id that sorts by time: 48 bits of milliseconds and 80 random bits, in base 32.

    Args:
        kind: three letters for the kind of record: ``dec``, ``ovr``, ``frz``, ``key``, ``ses``.
        microseconds: now, since the Unix epoch.
    """
    number = (microseconds // 1_000) << 80 | int.from_bytes(os.urandom(10))
    # Two letters at a time: each claim has an id.
    return f"{kind}_" + "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def made_at(own_id: str) -> int | None:
    """Return when an id was made, in microseconds since the Unix epoch; None if its form is another."""
    letters = own_id.partition("_")[2]
    if len(letters) != _LETTERS or not set(letters) <= set(_ALPHABET):
        return None
    number = 0
    for letter in letters:
        number = number << 5 | _ALPHABET.index(letter)
    return (number >> 80) * 1_000
