"""A decision as lines of plain text, for logs and terminals.

The last line is made for one string comparison in a shell. It names the request as well as the outcome, so
that an allow of another service, a proxy's page or an empty reply is never mistaken for the expected allow.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from app.core.reason import own_reason

_HASH_BEFORE_HASH: Final = re.compile("#(?=#)")
_VERDICTS: Final = {True: "allowed", False: "denied"}


def reasons(body: Mapping[str, Any]) -> list[str]:
    """Return a line for each rule that blocks or warns: its reason and whom to ask."""
    return [_reason(entry) for entry in (*body["blocking"], *body["warnings"])]


def outcome_line(body: Mapping[str, Any]) -> str:
    """Return the last line: ``allowed: service=api environment=production change=normal``.

    Of several services, it has ``services=api,web``, all in the order of the claim. Names contain no spaces
    and no commas, so user text can't imitate the line.
    """
    services = body.get("services")
    named = f"service={body['service']}" if services is None else f"services={','.join(services)}"
    rest = " ".join(f"{name}={body[name]}" for name in ("environment", "change"))
    return f"{_VERDICTS[body['allowed']]}: {named} {rest}"


def decision_text(body: Mapping[str, Any]) -> str:
    """Return the message, the reasons, the decision id if it was recorded, and the outcome line last."""
    recorded = [f"decision: {body['decision_id']}"] if body["decision_id"] else []
    lines = [one_line(body["message"]), *reasons(body), *recorded, outcome_line(body)]
    return "".join(f"{line}\n" for line in lines)


def one_line(text: object) -> str:
    """Return a text on one line, without control characters or workflow commands of CI systems.

    Azure DevOps and GitHub look for ``##vso[`` and ``##[`` anywhere in a line of a log.
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return _HASH_BEFORE_HASH.sub("# ", printable)


def _reason(entry: Mapping[str, Any]) -> str:
    contact = f" Ask {entry['contact']}." if entry.get("contact") else ""
    link = f" {entry['link']}" if entry.get("link") else ""
    said = f"{own_reason(entry.get('title'), entry.get('reason'))}{contact}{link}".lstrip()
    return one_line(f"  {entry.get('id')}{f': {said}' if said else ''}")
