"""A notification as a message for Slack.

The texts that people wrote go out as plain text, where Slack makes nothing of them. It is escaped all
the same, and marks that make a mention or a link are broken up: the text beside the blocks, and what
others than Slack do with the message, know no plain text.

That breaks up names with a dot in them, too. Beneath the text they stand whole, as code, to be copied:
nothing that a name may have in it ends code, and nobody makes a link of what is code.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from app.core.notification import Notification
from app.core.policy import GLOB_PATTERN
from app.gate.receivers import Receiver
from app.integrations.outgoing import Outgoing

_LONGEST_TITLE: Final = 150
_LONGEST_TEXT: Final = 3_000
"""Characters; Slack refuses blocks with more."""

_MOST_NAMES: Final = 20

_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_GAP: Final = "\u200b"
"""A space without a width."""

# Mentions, channels, addresses with and without a scheme, and links of Markdown.
_SPECIAL: Final = re.compile(
    r"@|[#~](?=\w)|://|\]\(|\]\[|(?<=\w)\.(?=\w)|\b(?:mailto|tel|javascript|data|slack):", re.IGNORECASE
)

_NAME: Final = re.compile(GLOB_PATTERN)


def request(notification: Notification, receiver: Receiver, microseconds: int) -> Outgoing:  # noqa: ARG001 - the same for every kind
    """The message for a notification."""
    names = _broken_names(notification)
    title = escaped(notification.title, _LONGEST_TITLE)
    text = escaped("\n".join(notification.text), _LONGEST_TEXT)
    message = {
        # Shown where there is no room for blocks, and read aloud.
        "text": f"{title}\n{text}",
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [
            {"type": "header", "text": _plain(title)},
            {"type": "section", "text": _plain(text)},
            *([{"type": "context", "elements": [_code(names)]}] if names else ()),
        ],
    }
    return Outgoing({"Content-Type": "application/json"}, json.dumps(message).encode())


def escaped(text: str, most: int) -> str:
    """A text in which Slack finds no mark of its own, of at most so many characters."""
    pieces, left = [], most
    for piece in _pieces(text):
        if len(piece) > left:
            break
        pieces.append(piece)
        left -= len(piece)
    return "".join(pieces)


def _pieces(text: str) -> Iterator[str]:
    """What must not be cut through: letters, and what a letter is written as."""
    broken = _SPECIAL.sub(lambda mark: _GAP.join(("", *mark[0], "")), text)
    for letter in broken:
        yield _ENTITIES.get(letter, letter)


def _broken_names(notification: Notification) -> list[str]:
    """The names of services and environments that `escaped` breaks up."""
    about = notification.data
    names = [
        *notification.environments,
        *(about.get("services") or ()),
        *(each["service"] for each in about.get("denied", ())),
        about.get("service", ""),
    ]
    return [name for name in dict.fromkeys(names) if "." in name and _NAME.fullmatch(name)][:_MOST_NAMES]


def _code(names: list[str]) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": " ".join(f"`{name}`" for name in names), "verbatim": True}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
