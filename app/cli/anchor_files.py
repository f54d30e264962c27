"""Read anchors, and the public key that they must be signed by, for ``freezegate audit verify``."""

from pathlib import Path

import click

from app.core.anchor import Anchor, parse_anchor
from app.core.errors import MalformedValueError


def read_anchors(path: Path, key: Path | None) -> list[Anchor]:
    """Return the anchors of a file, one a line.

    Args:
        path: the file.
        key: a file with the public key; None: signatures are not looked at.

    Raises:
        UsageError: a line has no anchor, one is not signed by the key, or a file can't be read as text.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        anchors = [_parsed(path, number, line) for number, line in enumerate(lines, 1)]
        if key is not None:
            _check_signatures(path, anchors, key.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise click.UsageError(f"{path}: this is no text") from None
    if not anchors:
        raise click.UsageError(f"{path}: there is no anchor in it")
    return anchors


def _parsed(path: Path, number: int, line: str) -> Anchor:
    try:
        return parse_anchor(line)
    except MalformedValueError as error:
        raise click.UsageError(f"{path}:{number}: {error}") from None


def _check_signatures(path: Path, anchors: list[Anchor], pem: str) -> None:
    from app.identity.anchor_key import is_signed_by, public_key

    try:
        key = public_key(pem)
    except MalformedValueError as error:
        raise click.UsageError(f"--anchor-key: the file {error}") from None
    for number, anchor in enumerate(anchors, 1):
        if not is_signed_by(anchor, key):
            raise click.UsageError(f"{path}:{number}: this anchor is not signed by the key")
