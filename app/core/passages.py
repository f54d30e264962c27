"""Cut texts that say nearly the same into shared passages and the values between them.

The answers to claims repeat titles, reasons and contacts a million times. A text is cut into passages, which
many texts share, and values, such as ids and instants. Joining them gives the text back, letter by letter,
wherever it was cut: so another version may cut elsewhere, and still reads what this one wrote.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

HOLE: Final = "\x1f"
"""Stands in a passage where a value was cut out. JSON has no control characters, so it can't be text."""

_CUT: Final = re.compile(
    '"(id|message|policy_revision|service|services|at|from|until|opens_at|closes_at|first|decision_id|ref'
    "|actor|run_url|request_id|idempotency_key|fingerprint|deploy_id|repeats"
    '|granted_at|expires_at|judged_at|uses|uses_left)": ("[^"]*|[0-9]+|\\[[^]]*)'
)
"""The members that are cut. It begins with a letter that is rare enough to be searched for fast."""

_BEGINNINGS: Final = frozenset({"id", "message", "policy_revision"})
"""The members that begin a passage: so each rule, each message and the rest are shared by themselves."""

_RULE: Final = "id"
_MESSAGE: Final = "message"
_SERVICE: Final = "service"
_RECORD_ID: Final = re.compile('"[a-z]{3}_[0-9a-z]{26}')

_NAMES_OF_TIME: Final = frozenset(
    {*("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), *("Jan", "Feb", "Mar", "Apr", "May", "Jun")}
    | {"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
)

_WORTH_SHARING: Final = 6
"""Letters of a value that is kept once if it fills several holes; shorter ones are equal by chance."""

_NO_VALUE: Final = '"{}\\[\\]'
"""The letters that no value of a mould holds, within the brackets of a pattern."""

_NAME_BYTES: Final = 9
"""Of the SHA-256 of a passage: two of a million passages are alike with a chance of one in ten billion."""


class Cut(NamedTuple):
    """A text in parts."""

    passages: tuple[str, ...]
    """The passages that it shares with others, with holes between them."""
    order: tuple[int, ...]
    """For each hole, the place of its value."""
    values: list[str]
    """The texts that fill the holes."""


Mould = Callable[[str], tuple[str, ...] | None]
"""Returns the values of a text that is cut as another one was, in a fifth of the time; None of any other."""


def cut(text: str) -> Cut:
    """Cut a JSON text without control characters; `filler` joins it again."""
    parts = _CUT.split(text)
    passages: list[str] = []
    values: list[str] = []
    current, service = [parts[0]], ""
    for member, value, between in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        quote, inner = ('"', value[1:]) if value[0] == '"' else ("", value)
        if member in _BEGINNINGS:
            passages.append("".join(current))
            current = []
            inner = _cut_beginning(member, value, service, values)
        else:
            if member == _SERVICE:
                service = inner
            values.append(inner)
            inner = HOLE
        current.append(f'"{member}": {quote}{inner}{between}')
    passages.append("".join(current))
    return Cut(tuple(passages), *_each_once(values))


def _each_once(values: list[str]) -> tuple[tuple[int, ...], list[str]]:
    """Return the place of each value among the distinct ones, and those."""
    places: dict[str, int] = {}
    distinct: list[str] = []
    order = []
    for value in values:
        place = places.get(value)
        if place is None:
            place = len(distinct)
            distinct.append(value)
            if len(value) >= _WORTH_SHARING:
                places[value] = place
        order.append(place)
    return tuple(order), distinct


def _cut_beginning(member: str, value: str, service: str, values: list[str]) -> str:
    """Return what a passage begins with; add the values that are cut out of it."""
    inner = value[1:] if value[0] == '"' else value
    if member == _MESSAGE:
        return _cut_sentence(inner, service, values)
    if member == _RULE and _RECORD_ID.fullmatch(value) and not value.startswith('"frz_'):
        values.append(inner)
        return HOLE
    return inner


def _cut_sentence(sentence: str, service: str, values: list[str]) -> str:
    """Cut the service, numbers and names of days out of a sentence."""
    words = sentence.split(" ")
    for place, word in enumerate(words):
        if word == service or word[:1].isdecimal() or word in _NAMES_OF_TIME:
            values.append(word)
            words[place] = HOLE
    return " ".join(words)


def pieces_of(passages: Sequence[str]) -> tuple[str, ...]:
    """Return what stands around the values of a text, from its passages."""
    return tuple("".join(passages).split(HOLE))


def filler(pieces: Sequence[str], order: Sequence[int]) -> Callable[[Sequence[str]], str]:
    """Return a function that puts values between pieces, and so returns the text that was cut.

    Args:
        pieces: what stands around the values.
        order: for each hole, the place of its value. The function raises an IndexError if one is missing.
    """
    if len(pieces) != len(order) + 1:
        raise ValueError("there is a piece before, between and after holes")
    if not order:
        return lambda _: pieces[0]
    # The fastest way: verification fills a million of them.
    places = [len(pieces) + place for place in order]
    pick = itemgetter(0, *(each for both in zip(places, range(1, len(pieces)), strict=True) for each in both))
    return lambda values: "".join(pick([*pieces, *values]))


def mould_of(passages: Sequence[str], order: Sequence[int]) -> Mould:
    """Return the mould of a text that was cut into passages and values; it takes 2 ms to make.

    Its values hold no quotes and brackets, so that JSON between two members is never taken for one value.
    """
    first, *pieces = pieces_of(passages)
    groups: set[int] = set()
    pattern = [re.escape(first)]
    for place, piece in zip(order, pieces, strict=True):
        if place in groups:
            pattern.append(f"(?P=v{place})")
        else:
            groups.add(place)
            pattern.append(f"(?P<v{place}>[^{_NO_VALUE}{re.escape(piece[:1])}]*)")
        pattern.append(re.escape(piece))
    match = re.compile("".join(pattern)).fullmatch

    def values_of(text: str) -> tuple[str, ...] | None:
        found = match(text)
        if found is None:
            return None
        values = found.groups()
        worth = [value for value in values if len(value) >= _WORTH_SHARING]
        # Another form keeps a value that stands twice once.
        return values if len(set(worth)) == len(worth) else None

    return values_of


def name_of(passage: str) -> str:
    """Return the name of a passage: the beginning of its SHA-256, in 12 letters of base 64."""
    return urlsafe_b64encode(hashlib.sha256(passage.encode()).digest()[:_NAME_BYTES]).decode()
