"""``freezegate audit``: verify and export the audit log."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import click

from app.cli import ALLOWED, FROZEN, exits, fail
from app.cli.database import database_url, opened
from app.cli.options import as_json
from app.cli.record_text import beginning
from app.cli.report import echo, plain, print_json
from app.core.counted import counted, noun_for

if TYPE_CHECKING:
    from app.core.anchor import Anchor
    from app.core.audit import Checkpoint
    from app.gate.anchor_check import AnchorsFound
    from app.gate.archive import ArchiveFound
    from app.gate.console import Console
    from app.gate.record import Verification


@click.group("audit")
def command() -> None:
    """Verify and export the audit log.

    Every event has the hash of the one before, so a change of any of them is found.
    """


_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@command.command(
    "verify",
    short_help="Verify the whole record.",
    epilog=exits(
        "whole", failed="an event or a row is wrong", undecided="the database can't be read or written"
    ),
)
@click.option(
    "--against",
    type=_FILE,
    help="An export, or the checkpoint at its end, that the record must continue.",
)
@click.option(
    "--archive",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the archive; verifies the events that were pruned, too, from the first one on.",
)
@click.option(
    "--anchor",
    type=_FILE,
    help="File of anchors, one a line, that the record must lead to.",
)
@click.option(
    "--anchor-key",
    type=_FILE,
    help="Public key in PEM form that all anchors must be signed by.",
)
@click.option("--offline", is_flag=True, help="Verify only the archive, without a database.")
@database_url
@as_json
def verify(
    *,
    against: Path | None,
    archive: Path | None,
    anchor: Path | None,
    anchor_key: Path | None,
    offline: bool,
    database_url: str | None,
    as_json: bool,
) -> int:
    """Verify the whole record, and that the database's tables agree with it.

    Names the first event that is wrong, or the rows that differ from the record. A record that was pruned
    begins at its checkpoint.
    """
    checkpoint = None if against is None else _checkpoint(against)
    anchors = _anchors(anchor, anchor_key)
    if offline:
        return _verify_offline(archive, as_json=as_json)
    with opened(database_url) as console:
        archived = None if archive is None else _verified_archive(console, archive)
        found = console.verify(checkpoint, _progress if sys.stderr.isatty() else None)
        anchored = console.compare_anchors(anchors) if anchors else None
    if as_json:
        parts = {"archive": archived, "anchors": anchored}
        print_json({**found.to_json(), **{name: part and part.to_json() for name, part in parts.items()}})
    else:
        _print(found)
        _print_archive(archived)
        _print_anchors(anchored)
    return ALLOWED if found.whole and not (anchored and anchored.fault) else FROZEN


def _anchors(anchor: Path | None, key: Path | None) -> "list[Anchor]":
    from app.cli.anchor_files import read_anchors

    if anchor is None and key is not None:
        raise click.UsageError("--anchor-key needs --anchor, the file of the anchors")
    return [] if anchor is None else read_anchors(anchor, key)


def _print_anchors(found: "AnchorsFound | None") -> None:
    if found is None:
        return
    if found.fault is not None:
        fail(found.fault)
        return
    of_pruned = counted(found.pruned, "is of what was pruned", "are of what was pruned")
    rest = f"; {of_pruned}" if found.pruned else ""
    echo(f"It leads to {counted(found.agreeing, 'anchor')}{rest}.")


def _verify_offline(folder: Path | None, *, as_json: bool) -> int:
    from app.gate.archive import verify_all

    if folder is None:
        raise click.UsageError("--offline verifies an archive: name its folder with --archive")
    with _not_whole():
        found = verify_all(folder)
    if as_json:
        print_json(found.to_json())
    else:
        _print_archive(found)
    return ALLOWED


def _verified_archive(console: "Console", folder: Path) -> "ArchiveFound":
    show = (lambda seq: _progress(seq, seq)) if sys.stderr.isatty() else None
    with _not_whole():
        return console.verify_archive(folder, show)


@contextlib.contextmanager
def _not_whole() -> Iterator[None]:
    """Exit with the status of an error that was found, where an archive is not whole."""
    from app.core.archive import ArchiveError

    try:
        yield
    except ArchiveError as error:
        fail(str(error))
        raise click.exceptions.Exit(FROZEN) from None


def _print_archive(found: "ArchiveFound | None") -> None:
    if found is None:
        return
    echo(
        f"The archive is whole: {counted(found.files, 'file')}, events 1 to {found.events:,}, "
        f"the last with the hash {found.reached.hash}."
    )


def _print(found: "Verification") -> None:
    """Print each error on a line, or that the record is whole."""
    if found.fault is not None:
        right = counted(found.events, "event before it is right", "events before it are right")
        fail(f"event {found.fault.seq} {found.fault.what}; {right}")
    for each in found.differences:
        fail(plain(f"{each.table}: {each.id} {each.what}"))
    if more := found.differing - len(found.differences):
        fail(f"and {counted(more, 'more row differs', 'more rows differ')} from the record")
    if found.whole:
        pruned = found.pruned
        events = found.events if pruned is None else found.events - pruned.seq + pruned.carried
        echo(
            f"The record is whole: {counted(events, 'event')}, the last with the hash {found.head.hash}. "
            "The tables agree with it."
        )
        if pruned is not None:
            echo(beginning(pruned.seq, pruned.carried, archived=pruned.file is not None))
    for what, count in found.unproven.items():
        echo(f"Not compared, because events of older versions don't contain them: {count} {what}.")


@command.command(
    "export",
    short_help="Write every event as a line of JSON, and a checkpoint.",
    epilog=exits("written", undecided="the database can't be read or written"),
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.File("wb"),
    default="-",
    help="File to write; default: standard output.",
)
@database_url
def export(*, output: BinaryIO, database_url: str | None) -> int:
    """Write a manifest, every event as a line of JSON, then a checkpoint for `verify --against`."""
    with opened(database_url) as console:
        output.writelines(json.dumps(item).encode() + b"\n" for item in console.export())
    output.flush()
    return ALLOWED


def _progress(reached: int, of: int) -> None:
    click.echo(f"\r{reached} of {of} {noun_for(of, 'event')}", err=True, nl=reached + 50_000 > of)


def _checkpoint(path: Path) -> "Checkpoint":
    """Return the checkpoint at the end of an export; the events before it must lead to it."""
    from app.core.audit import Checkpoint, Link, Verifier

    verifier, last = Verifier(), None
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            item = _parse_line(path, number, line)
            if "checkpoint" in item:
                last = Checkpoint(**item["checkpoint"])
                continue
            if "freezegate_archive" in item:
                verifier = Verifier(start=Checkpoint(item["first"] - 1, item["previous"]))
                continue
            fault = verifier.check(Link(**item))
            if fault is not None:
                raise click.UsageError(f"{path}:{number}: event {fault.seq} {fault.what}")
    if last is None:
        raise click.UsageError(f"{path}: there is no checkpoint at its end")
    if verifier.reached.seq and verifier.reached != last:
        raise click.UsageError(f"{path}: its events do not lead to its checkpoint")
    return last


def _parse_line(path: Path, number: int, line: str) -> dict[str, Any]:
    fields = {"seq", "at", "kind", "actor", "data", "previous", "hash"}
    try:
        item = json.loads(line)
    except ValueError:
        item = None
    if isinstance(item, dict):
        if set(item) == fields or {"freezegate_archive", "first", "previous"} <= set(item):
            return item
        place = item.get("checkpoint")
        if isinstance(place, dict) and type(place.get("seq")) is int and type(place.get("hash")) is str:
            return {"checkpoint": {"seq": place["seq"], "hash": place["hash"]}}
    raise click.UsageError(f"{path}:{number}: neither an event nor a checkpoint")
