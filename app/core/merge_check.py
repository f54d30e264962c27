"""The check that the head of a pull request or of a merge group gets: conclusion, title and text.

A check is always concluded, never left pending: a merge queue takes a check that doesn't answer for a failed
one after its timeout. Its texts hold only what lasts: no "in 3 days", which would have to be sent again and
again.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from typing import Final, NamedTuple

from app.core.decision import Decision, Stretch
from app.core.explain import local_time, started, titles, undirected
from app.core.freeze import Freeze
from app.core.instant import format_instant
from app.core.merge_freeze import Head, MergeRule, MergeVerdict
from app.core.reason import own_reason

LONGEST_TITLE: Final = 200
"""Characters; GitHub shows about a hundred beside the name of the check."""

_MOST_NAMED: Final = 10
"""Rules, or pull requests, that a text names."""

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()+!|~-])")
_CALLS: Final = re.compile(r"([@#])(?=\w)")
"""The marks that would make a mention or a link to an issue."""


class MergeCheck(NamedTuple):
    """The check of one head."""

    passes: bool
    title: str
    summary: str
    """Markdown."""
    text: str
    """Markdown."""

    @property
    def fingerprint(self) -> str:
        """A short text that is equal for equal checks."""
        return sha256("\0".join((str(self.passes), *self[1:])).encode()).hexdigest()[:16]


class ReportedCheck(NamedTuple):
    """The newest check of a head, as the platform has it."""

    passes: bool | None
    """None: it isn't concluded, or was asked for again since."""
    fingerprint: str


def is_reported(check: MergeCheck, reported: ReportedCheck | None) -> bool:
    """Return whether the platform has this very check, so that it needn't be sent."""
    return reported == (check.passes, check.fingerprint)


def check_of(head: Head, verdicts: Sequence[MergeVerdict]) -> MergeCheck:
    """Return the check of a head by the verdicts on its pull requests, one at least."""
    stopped = [each for each in verdicts if not each.passes]
    if not stopped:
        return _passing(verdicts)
    first = next((each for each in stopped if each.doubt is not None), stopped[0])
    text = _text(head, verdicts, stopped)
    if first.decision is None:
        return _undecided(first, text)
    decision = first.decision
    lines = [
        *map("- {}".format, _reasons(decision)),
        "",
        _opening(decision, first.rule),
        "This check turns green by itself then. To ask again now, re-run it.",
    ]
    return MergeCheck(False, _cut(_title(decision)), "\n".join(lines), text)


def _passing(verdicts: Sequence[MergeVerdict]) -> MergeCheck:
    branch = verdicts[0].rule.environment
    return MergeCheck(True, _cut(_passing_title(verdicts)), f"Merges into `{branch}` may go on.", "")


def _passing_title(verdicts: Sequence[MergeVerdict]) -> str:
    warnings = next((each.warnings for each in verdicts if each.warnings), ())
    if warnings:
        return f"Open, with a warning: {titles(warnings)}"
    exempt = [each.exempt for each in verdicts if each.exempt is not None]
    return f"Exempt: {exempt[0]}" if len(exempt) == len(verdicts) else "Open"


def _undecided(verdict: MergeVerdict, text: str) -> MergeCheck:
    summary = f"{_plain(verdict.doubt or '')}\n\nWithout an answer, nothing is merged."
    return MergeCheck(False, "There is no answer", summary, text)


def _title(decision: Decision) -> str:
    why = titles(decision.blocking)
    if decision.opens_at is None:
        return f"Frozen: {why}"
    return f"Frozen until {_moment(decision, decision.opens_at)}: {why}"


def _moment(decision: Decision, instant: int) -> str:
    """Return an instant with its year left out only if it is the present one there."""
    return local_time(instant, decision.blocking[0].zone, decision.at)


def _opening(decision: Decision, rule: MergeRule) -> str:
    if decision.opens_at is None:
        return f"Merges into `{rule.environment}` don't open within two years, unless the freeze is lifted."
    instant = format_instant(decision.opens_at)
    return f"Merges into `{rule.environment}` open {_moment(decision, decision.opens_at)} (`{instant}`)."


def _reasons(decision: Decision) -> Iterator[str]:
    for each in decision.blocking[:_MOST_NAMED]:
        yield _reason(each, decision.at)
    if len(decision.blocking) > _MOST_NAMED:
        yield f"and {len(decision.blocking) - _MOST_NAMED} more"


def _reason(stretch: Stretch, at: int) -> str:
    rule = stretch.rule
    parts = [f"**{_plain(rule.title)}**"]
    if own := own_reason(rule.title, rule.reason):
        parts.append(_plain(own))
    if isinstance(rule, Freeze):
        parts.append(f"{_plain(_capital(started(rule, stretch.zone, at)))}.")
    elif rule.contact:
        parts.append(f"Ask {_plain(rule.contact.rstrip('.'))}.")
    if rule.link:
        parts.append(f"<{rule.link}>")
    return " ".join(parts)


def _text(head: Head, verdicts: Sequence[MergeVerdict], stopped: Sequence[MergeVerdict]) -> str:
    return "\n\n".join(_paragraphs(head, verdicts, stopped))


def _paragraphs(
    head: Head, verdicts: Sequence[MergeVerdict], stopped: Sequence[MergeVerdict]
) -> Iterator[str]:
    rule = stopped[0].rule
    numbers = [f"#{each.number}" for each in stopped if each.number is not None]
    if not head.complete:
        yield "The pull requests of this merge group could not be read, so none of them counts as exempt."
    elif len(verdicts) > 1:
        what = "This merge group holds" if head.group else "These pull requests have the same head commit:"
        more = f" and {len(numbers) - _MOST_NAMED} more" if len(numbers) > _MOST_NAMED else ""
        yield f"{what} {', '.join(numbers[:_MOST_NAMED])}{more}, which may not be merged."
    yield f"A merge into this branch is a change of the environment `{rule.environment}`."
    yield f"Exempt: {'; '.join(_exemptions(rule)) or 'nothing'}."


def _exemptions(rule: MergeRule) -> Iterator[str]:
    if rule.labels:
        yield f"the label {' or '.join(map(_code, rule.labels))}"
    if rule.paths is not None:
        yield "changes of exempt paths only"
    for label, change in rule.changes:
        yield f"the label {_code(label)}, where the freeze exempts changes of the kind {_code(change)}"


def _code(text: str) -> str:
    """Return a code span: nothing in it becomes markup."""
    return f"`{text.replace('`', chr(39))}`"


def _plain(text: str) -> str:
    """Return user text as Markdown that shows it as it is, without markup, mentions and links to issues."""
    marked = _MARKUP.sub(r"\\\1", undirected(text))
    return escape(_CALLS.sub("\\1\u200b", marked), quote=False)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TITLE else f"{text[: LONGEST_TITLE - 1]}…"
