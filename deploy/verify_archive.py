#!/usr/bin/env python3
"""Verify an archive of freezegate without freezegate: python3 -I -S verify_archive.py FOLDER [EXPORT].

It needs Python 3.9 and nothing else. It verifies that every file is whole, that the files join from event 1
on, and, with the output of `freezegate audit export`, that the record goes on where the archive ends and
names the files.
docs/explanation/record.md has the form. Exit status: 0 whole, 1 not whole, 2 wrong usage.
"""

import gzip
import hashlib
import json
import sys
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

FORM = 1
USAGES = (2, 3)
FIELDS = ("seq", "at", "kind", "actor", "data", "previous")
UNREADABLE = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError)


class NotWholeError(Exception):
    """The archive or the export is broken; the text says where."""


class Chain:
    """The events, one after another, across files."""

    def __init__(self) -> None:
        """Begin before event 1."""
        self.seq = 0
        self.hash = "0" * 64

    def take(self, event: dict[str, Any]) -> None:
        """Verify the next event."""
        if event["seq"] != self.seq + 1 or event["previous"] != self.hash:
            raise NotWholeError(f"event {event['seq']} does not follow event {self.seq}")
        if hash_of(event) != event["hash"]:
            raise NotWholeError(f"event {event['seq']} was changed: its hash does not fit what it says")
        self.seq, self.hash = event["seq"], event["hash"]

    def checkpoint(self) -> dict[str, Any]:
        """Return the event that was reached."""
        return {"seq": self.seq, "hash": self.hash}


def netstrings(parts: Iterable[object]) -> bytes:
    """Return parts as netstrings in UTF-8, joined: the length in bytes, a colon, the bytes, a comma."""
    encoded = [str(part).encode() for part in parts]
    return b"".join(b"%d:%b," % (len(part), part) for part in encoded)


def hash_of(event: dict[str, Any]) -> str:
    """Return the hash of an event, in hexadecimal."""
    return hashlib.sha256(netstrings(event[name] for name in FIELDS)).hexdigest()


def begin(chain: Chain, manifest: dict[str, Any]) -> None:
    """Verify that a file continues the chain, as its first line says."""
    if manifest.get("freezegate_archive") != FORM:
        raise NotWholeError(f"there is no manifest of form {FORM}")
    if (manifest["first"] - 1, manifest["previous"]) != (chain.seq, chain.hash):
        raise NotWholeError(f"the file does not continue after event {chain.seq} with the hash {chain.hash}")
    if manifest["events"] != manifest["last"] - manifest["first"] + 1:
        raise NotWholeError("the manifest counts other events than it names")


def sha256(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_text(line: dict[str, Any], end: object) -> None:
    """Verify a line that is no event: the text of policies, by its revision, or the checkpoint at the end."""
    if end is not None:
        raise NotWholeError("something stands behind the checkpoint")
    if "policies" in line:
        texts = json.loads(line["sources"])
        files = {**texts["calendars"], **texts["policies"]}
        listing = "".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files))
        if f"sha256:{sha256(listing)}" != line["policies"]:
            raise NotWholeError("the policies are not those of their revision")


def verify(chain: Chain, lines: Iterable[str], note: Callable[[dict[str, Any]], None]) -> None:
    """Verify the lines of a file; `note` is called with each event."""
    manifest, end = None, None
    for number, line in enumerate(lines, 1):
        item = json.loads(line)
        try:
            if manifest is None:
                manifest = item
                begin(chain, manifest)
            elif "seq" in item and end is None:
                chain.take(item)
                note(item)
            else:
                check_text(item, end)
                end = item.get("checkpoint")
        except NotWholeError as error:
            raise NotWholeError(f"line {number}: {error}") from None
    if manifest is None or end is None:
        raise NotWholeError("the file is cut off")
    if not chain.checkpoint() == end == {"seq": manifest["last"], "hash": manifest["hash"]}:
        raise NotWholeError("its events do not lead to its checkpoint")


def main(folder: str, export: str = "") -> None:
    """Verify the files of a folder, and an export that continues them."""
    chain, named, files = Chain(), {}, {}

    def note(event: dict[str, Any]) -> None:
        if event["kind"] == "record-pruned":
            data = json.loads(event["data"])
            named[data["file"]] = (data["sha256"], data["checkpoint"])

    if not Path(folder).is_dir():
        print(f"there is no folder {folder}", file=sys.stderr)
        sys.exit(2)
    for path in sorted(Path(folder).glob("events-*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
            verify_file(chain, path, lines, note)
        files[path.name] = (hashlib.sha256(path.read_bytes()).hexdigest(), chain.checkpoint())
    if not files and not export:
        raise NotWholeError(f"there is no file events-*.jsonl.gz in {folder}")
    what = "1 file is" if len(files) == 1 else f"{len(files)} files are"
    print(f"{what} whole: events 1 to {chain.seq}, the last one with the hash {chain.hash}")
    if not export:
        return
    with Path(export).open(encoding="utf-8", newline="\n") as lines:
        verify_file(chain, Path(export), lines, note)
    for name, proof in files.items():
        if named.get(name) != proof:
            raise NotWholeError(f"{name}: no event of the record names this file with this SHA-256")
    print(f"the record goes on to event {chain.seq}, with the hash {chain.hash}, and names each of the files")


def verify_file(
    chain: Chain, path: Path, lines: Iterable[str], note: Callable[[dict[str, Any]], None]
) -> None:
    """Verify a file; errors begin with its name."""
    try:
        verify(chain, lines, note)
    except NotWholeError as error:
        raise NotWholeError(f"{path.name}: {error}") from None
    except UNREADABLE as error:
        raise NotWholeError(f"{path.name}: it can't be read: {type(error).__name__}: {error}") from None


if __name__ == "__main__":
    if len(sys.argv) not in USAGES:
        print(__doc__)
        sys.exit(2)
    try:
        main(*sys.argv[1:])
    except (NotWholeError, OSError) as error:
        print(f"not whole: {error}", file=sys.stderr)
        sys.exit(1)
