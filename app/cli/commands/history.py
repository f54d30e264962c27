"""``freezegate history``: the policies that were in force."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from app.cli import ALLOWED, exits
from app.cli.api_client import ask
from app.cli.errors import UndecidedError
from app.cli.local_time import local_printer, zone_of_server
from app.cli.options import as_json, checked, name, server, timezone
from app.cli.report import echo, plain, print_json, print_table
from app.yaml.problem import quoted

_PAGE: Final = 500
_SHORT: Final = len("sha256:") + 8
"""Letters of a revision that are shown; a longer beginning is rarely needed."""

_MOST_NAMED: Final = 4
"""Changes that a line names; the rest are counted."""

_REVISION: Final = re.compile(r"(?:sha256:)?[0-9a-f]{4,64}")

_CAUSES: Final[Mapping[object, str]] = {"start": "start", "change": "change of the files"}


@click.command(
    "history", epilog=exits("done", undecided="the server can't be reached, or refuses the request")
)
@click.argument("policy", required=False, callback=checked(name))
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="Most entries to show, the newest first.",
)
@click.option(
    "--git",
    "files",
    metavar="PATH",
    type=click.Path(exists=True, path_type=Path),
    help="Name the commits and their authors, by this policy file or folder in a git repository.",
)
@click.option(
    "--diff",
    "pair",
    metavar="OLD NEW",
    nargs=2,
    help="Show which hours of the next 60 days two revisions open or close instead; they may be abbreviated.",
)
@timezone
@server
@as_json
def command(
    *,
    policy: str | None,
    limit: int,
    files: Path | None,
    pair: tuple[str, str] | None,
    server: str | None,
    timezone: str | None,
    as_json: bool,
) -> int:
    """Show which policies were in force, from when on, and what changed.

    With POLICY, only the changes of that policy, through renames.
    """
    if pair is not None:
        _print_difference(server, *pair, as_json=as_json)
        return ALLOWED
    path = "/policy-revisions" if policy is None else f"/policies/{policy}/history"
    found, has_more = _entries(server, path, limit)
    if files is not None:
        _add_commits(found, files)
    if as_json:
        print_json(found)
    else:
        _print(found, policy, local_printer(zone_of_server(server, timezone)), with_commits=files is not None)
    if has_more:
        echo(f"Older entries are left out; show more with --limit {limit * 2}.", err=True)
    return ALLOWED


def _print(
    entries: list[dict[str, Any]], policy: str | None, local: Callable[[object], str], *, with_commits: bool
) -> None:
    by = _committed_by if with_commits else _loaded_by
    print_table(
        ("FROM", "UNTIL", "REVISION", "COMMIT" if with_commits else "LOADED BY", "CHANGED"),
        [
            (
                local(each.get("from")),
                local(each["until"]) if each.get("until") else "-" if _is_gone(each, policy) else "in force",
                str(each.get("revision"))[:_SHORT],
                by(each),
                _changed(each, policy),
            )
            for each in entries
        ],
    )


def _is_gone(entry: Mapping[str, Any], policy: str | None) -> bool:
    """Return whether an entry took away the policy asked for, or its id."""
    change = entry.get("change") or {}
    was_renamed = change.get("kind") == "renamed" and change.get("new_id") != policy
    return policy is not None and (change.get("kind") == "removed" or was_renamed)


def _print_difference(server: str | None, old: str, new: str, *, as_json: bool) -> None:
    for text in (old, new):
        if _REVISION.fullmatch(text) is None:
            raise click.UsageError(
                f"{quoted(text)} is no revision: write sha256: and four digits of it at least"
            )
    body = ask(server, "GET", f"/policy-revisions/{old}/diff/{new}")
    lines = body.get("in_words")
    if not isinstance(lines, list):
        raise UndecidedError("the server's response can't be used: it is no difference of policies")
    if as_json:
        print_json(body)
    for line in () if as_json else lines:
        # Lines of a group are indented.
        text = str(line)
        echo(" " * (len(text) - len(text.lstrip(" "))) + plain(text.lstrip(" ")))


def _entries(server: str | None, path: str, limit: int) -> tuple[list[dict[str, Any]], bool]:
    """Return the newest entries of a list, and whether there are more; a page may be shorter than asked."""
    items: list[dict[str, Any]] = []
    params: dict[str, str] = {}
    while len(items) < limit:
        page = ask(server, "GET", path, params={"limit": str(min(_PAGE, limit - len(items))), **params})
        if not isinstance(page.get("revisions"), list):
            raise UndecidedError("the server's response can't be used: it is not a list")
        items += page["revisions"]
        if not page.get("next"):
            return items, False
        params = {"cursor": str(page["next"])}
    return items, True


def _add_commits(entries: list[dict[str, Any]], files: Path) -> None:
    """Put the commit of each entry into it; None where the repository doesn't have it."""
    from app.cli.git_history import commit_of_load, commits_of
    from app.core.instant import format_instant, parse_instant

    loads = [(str(each.get("revision")), parse_instant(str(each.get("from")))) for each in entries]
    # Newest first, so the first load of a revision is the last to be put in.
    known = commits_of(files, dict(loads))
    for each, (revision, at) in zip(entries, loads, strict=True):
        found = commit_of_load(known, revision, at)
        each["commit"] = found and {**found._asdict(), "at": format_instant(found.at)}


def _committed_by(entry: Mapping[str, Any]) -> str:
    commit = entry["commit"]
    return f"{commit['hash'][:8]} {commit['author']}: {commit['subject']}" if commit else "not in git"


def _loaded_by(entry: Mapping[str, Any]) -> str:
    cause = _CAUSES.get(entry.get("cause"), "")
    return plain(f"{cause}, {entry['host']}" if entry.get("host") else cause)


def _changed(entry: Mapping[str, Any], policy: str | None) -> str:
    """Return what an entry changed, on one line."""
    if entry.get("problem"):
        return f"not known: {entry['problem']}"
    if entry.get("since") is None:
        return "the record begins"
    if policy is not None:
        return _words(entry.get("change") or {}, policy)
    return _of_all(entry) or _without_policies(entry)


def _of_all(entry: Mapping[str, Any]) -> str:
    """Return what an entry changed of the policies and of the whole set; empty for nothing."""
    changes = [_words(each, None) for each in entry.get("policies") or ()]
    changes += [f"{key} changed" for key in entry.get("keys") or ()]
    more = len(changes) - _MOST_NAMED + int(entry.get("more_policies") or 0)
    return "; ".join([*changes[:_MOST_NAMED], *([f"and {more} more"] if more > 0 else ())])


def _without_policies(entry: Mapping[str, Any]) -> str:
    """Return what an entry changed that has the policies of the one before it."""
    files = [f"{each.get('name')} {each.get('kind')}" for each in entry.get("files") or ()]
    return f"no policy ({', '.join(files[:_MOST_NAMED])})" if files else "time zone or holiday data"


def _words(change: Mapping[str, Any], policy: str | None) -> str:
    """Return what changed of a policy; in a list of all, with its id."""
    fields = ", ".join(map(str, change.get("fields") or ()))
    if change.get("kind") != "renamed":
        did = f"{change.get('kind')}{f': {fields}' if fields else ''}"
    elif policy == change.get("new_id"):
        did = f"renamed from {change.get('id')}{f', and changed: {fields}' if fields else ''}"
    else:
        did = f"renamed to {change.get('new_id')}{f', and changed: {fields}' if fields else ''}"
    return did if policy is not None else f"{change.get('id')} {did}"
