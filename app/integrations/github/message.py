"""Render reports and reviews of deployment protection rules; GitHub shows them as Markdown.

Texts that people wrote are escaped: they make no mention, link or markup.
"""

import re
from typing import Any, Final

from app.core.hold import AnswerKind, HoldAnswer
from app.core.instant import format_instant

LONGEST: Final = 1_024
"""Characters of a report, as documented. Bytes are counted, which are never fewer."""

_GAP: Final = "\u200b"
"""A zero-width space."""

# Mentions and links, which a backslash doesn't take away.
_LINKING: Final = re.compile(r"@|://|(?<=\w)\.(?=\w)|\b(?:mailto|xmpp):", re.IGNORECASE)
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$^=:])")

_TITLES: Final = {
    AnswerKind.PROGRESS: "Waiting for deploys to open.",
    AnswerKind.APPROVED: "Approved by freezegate.",
    AnswerKind.REJECTED: "Rejected by freezegate: it can't wait any longer.",
}

_NOT_APPROVED: Final = "Not approved: freezegate doesn't know what this deploy is."


def review(answer: HoldAnswer, environment: str, gate_url: str | None) -> dict[str, Any]:
    """Return the body of a report or a review.

    Args:
        answer: the answer to render.
        environment: the environment on GitHub, verbatim.
        gate_url: the address of the dashboard to link to.
    """
    details = []
    if answer.opens_at is not None:
        details.append(f"Opens at {format_instant(answer.opens_at)}.")
    if answer.kind is AnswerKind.APPROVED and answer.hold.decision_id is not None:
        details.append(f"Decision `{answer.hold.decision_id}`.")
    comment = _comment(_TITLES[answer.kind], answer.sentence, details, gate_url)
    body = {"environment_name": environment, "comment": comment}
    if answer.kind is not AnswerKind.PROGRESS:
        body["state"] = answer.kind.value
    return body


def report(environment: str, text: str, gate_url: str | None) -> dict[str, Any]:
    """Return the body of a report without a hold: nothing is approved, for the reason in `text`."""
    return {"environment_name": environment, "comment": _comment(_NOT_APPROVED, text, [], gate_url)}


def _comment(title: str, sentence: str, details: list[str], gate_url: str | None) -> str:
    """Return title, sentence and details, with a link; the sentence is cut if they are too long together."""
    link = [] if gate_url is None else [f"[Open the gate]({gate_url})"]
    title, last = f"**{title}**", " ".join([*details, *link])
    room = LONGEST - len(f"{title}\n\n\n\n{last}".encode())
    return "\n\n".join(part for part in (title, escaped(sentence, room), last) if part)


def escaped(text: str, most: int) -> str:
    """Escape a text so that GitHub finds no markup, mention or link in it; cut it to at most `most` bytes."""
    broken = _LINKING.sub(lambda mark: _GAP.join(("", *mark[0], "")), " ".join(text.split()))
    pieces: list[str] = []
    left = most
    for piece in _MARKUP.split(broken):
        for letter in (f"\\{piece}",) if _MARKUP.fullmatch(piece) else piece:
            left -= len(letter.encode("utf-8", "replace"))
            if left < 0:
                return "".join(pieces)
            pieces.append(letter)
    return "".join(pieces)
