"""Render a notification as a message for Slack.

Texts that people wrote are sent as plain text, which Slack doesn't interpret. They are escaped as well, and
marks that make a mention or a link are broken up: the `text` beside the blocks has no plain-text form, and
other services that accept these messages may not know it.

This also breaks up names that contain a dot. They are repeated whole beneath the text, as code, so that they
can be copied: no letter of a name ends code, and links in code aren't expanded.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import SecretStr

from app.core.notification import Notification
from app.core.policy import GLOB_PATTERN
from app.integrations.vendor import Message

_LONGEST_TITLE: Final = 150
_LONGEST_TEXT: Final = 3_000
"""Characters; Slack refuses blocks with more."""

_MOST_NAMES: Final = 20

_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_GAP: Final = "\u200b"
"""A zero-width space."""

# Mentions, channels, addresses with and without a scheme, and links of Markdown.
_SPECIAL: Final = re.compile(
    r"@|[#~](?=\w)|://|\]\(|\]\[|(?<=\w)\.(?=\w)|\b(?:mailto|tel|javascript|data|slack):", re.IGNORECASE
)

_NAME: Final = re.compile(GLOB_PATTERN)


def request(notification: Notification, _secret: SecretStr | None, _microseconds: int) -> Message:
    """Return the message for a notification."""
    names = _broken_names(notification)
    title = escaped(notification.title, _LONGEST_TITLE)
    text = escaped("\n".join(notification.text), _LONGEST_TEXT)
    message = {
        # For notifications and screen readers, which don't show blocks.
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
    return Message({"Content-Type": "application/json"}, json.dumps(message).encode())


def escaped(text: str, most: int) -> str:
    """Escape a text so that Slack finds no markup in it; cut it to at most `most` characters."""
    pieces, left = [], most
    for piece in _pieces(text):
        if len(piece) > left:
            break
        pieces.append(piece)
        left -= len(piece)
    return "".join(pieces)


def _pieces(text: str) -> Iterator[str]:
    """Yield the indivisible parts: letters and entities."""
    broken = _SPECIAL.sub(lambda mark: _GAP.join(("", *mark[0], "")), text)
    for letter in broken:
        yield _ENTITIES.get(letter, letter)


def _broken_names(notification: Notification) -> list[str]:
    """Return the names of services and environments that `escaped` breaks up."""
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
