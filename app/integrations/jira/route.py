"""Receive issues from Jira, of Jira Service Management too: https://developer.atlassian.com, webhooks.

The signature has no time, and the header with the id of a delivery isn't signed. So a repetition is known by
its content, which has a time.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from app.core.incident import MOST_VALUES, Incident, Signal
from app.integrations.incidents import (
    OLDEST,
    Source,
    Webhook,
    by_content,
    incident_routes,
)
from app.integrations.jira.section import Jira
from app.integrations.payload import at, required, text, texts, title
from app.integrations.signatures import hmac_matches

_HEADER: Final = "x-hub-signature"
_ALGORITHM: Final = "sha256="
_DELETED: Final = "jira:issue_deleted"
_DONE: Final = "done"
_CUSTOM: Final = "customfield_"
_SITE: Final = re.compile(r"https://[A-Za-z0-9.:-]+(?=/)")
_KEY: Final = re.compile("[A-Z][A-Z0-9_]*-[0-9]+")


def _is_signed(section: Jira, webhook: Webhook) -> bool:
    signature = webhook.headers.get(_HEADER, "")
    digests = [signature.removeprefix(_ALGORITHM)] if signature.startswith(_ALGORITHM) else []
    return hmac_matches(section.secrets("secret"), webhook.body, digests)


def read(payload: Mapping[str, Any]) -> Incident | None:
    """Return the issue of an event; None if it is about something else.

    Raises:
        UnreadableError: the event names no issue.
    """
    kind, issue = text(payload, "webhookEvent"), at(payload, "issue")
    if not kind.startswith("jira:issue_"):
        return None
    key, fields = required(issue, "key"), at(issue, "fields")
    done = text(fields, "status", "statusCategory", "key") == _DONE or kind == _DELETED
    return Incident(
        key=required(issue, "id"),
        title=title({"": f"{key} {text(fields, 'summary')}"}, ""),
        firing=() if done else (_signal(fields),),
        link=_link(text(issue, "self"), key),
        at=_seconds(at(payload, "timestamp")),
    )


def _signal(fields: object) -> Signal:
    found = {
        "project": (*texts(fields, "project"), *texts(fields, "project", "key")),
        "issuetype": texts(fields, "issuetype"),
        "status": texts(fields, "status"),
        "labels": texts(fields, "labels"),
    }
    for name in list(fields)[:MOST_VALUES] if isinstance(fields, dict) else ():
        if name.startswith(_CUSTOM):
            found[name] = texts(fields, name)
    return Signal(
        priority=texts(fields, "priority"),
        service=texts(fields, "components"),
        labels={name: values for name, values in found.items() if values},
    )


def _link(address: str, key: str) -> str | None:
    """Return the page of an issue; Jira sends its address in the API."""
    site = _SITE.match(address)
    return f"{site[0]}/browse/{key}" if site and _KEY.fullmatch(key) else None


def _seconds(milliseconds: object) -> int | None:
    is_number = isinstance(milliseconds, int) and not isinstance(milliseconds, bool)
    return milliseconds // 1_000 if is_number else None  # type: ignore[operator]


SOURCE: Final = Source("jira", Jira, _is_signed, read, by_content, OLDEST)

router: Final = incident_routes(SOURCE, "Jira")
