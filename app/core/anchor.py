"""An anchor: the end of the record at some time, to be kept where the database's owner can't change it.

An attacker who can write the whole database can write a whole new chain. Anchors that were sent away before
show it, and a signature shows that an anchor is the gate's.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from app.core.audit import Checkpoint
from app.core.errors import MalformedValueError

_VERSION: Final = 1
_FIELD: Final = "freezegate_anchor"


class Anchor(NamedTuple):
    """A checkpoint of the record, its time, and its signature."""

    seq: int
    hash: str
    at: str
    """When it was made: an RFC 3339 instant in UTC."""
    signature: str | None = None
    """By Ed25519 over `signed_form`, in base64; None without a key."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The place in the record."""
        return Checkpoint(self.seq, self.hash)

    @property
    def signed_form(self) -> bytes:
        """The bytes that are signed: four lines, each with its line feed."""
        return f"{_FIELD} {_VERSION}\n{self.seq}\n{self.hash}\n{self.at}\n".encode("ascii")

    def to_json(self) -> dict[str, Any]:
        """Return the anchor as it is sent and kept, one object a line."""
        return {_FIELD: _VERSION, **self._asdict()}


def parse_anchor(line: str) -> Anchor:
    """Return the anchor of a line; other keys are ignored, for collectors add their own.

    Raises:
        MalformedValueError: the line has no anchor.
    """
    found = _object(line)
    if found.get(_FIELD) != _VERSION:
        raise MalformedValueError("this is no anchor")
    seq, own, at, signature = (found.get(key) for key in Anchor._fields)
    if type(seq) is not int or not _is_ascii(own) or not _is_ascii(at):
        raise MalformedValueError("this anchor is not complete")
    return Anchor(seq, str(own), str(at), signature if isinstance(signature, str) else None)


def _is_ascii(text: object) -> bool:
    return isinstance(text, str) and text.isascii()


def _object(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}
