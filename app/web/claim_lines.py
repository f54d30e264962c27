"""The lines that a pipeline claims a deploy with, with an override token."""

import json
import shlex
from typing import Final

from app.core.override import Override

_PATTERN: Final = "*"


def claim_lines(override: Override, token: str, base: str) -> dict[str, str]:
    """Return the claim for the command line and for curl, about the first service that the token covers.

    Args:
        override: the override.
        token: its secret.
        base: the URL of this gate, as the viewer's browser uses it.
    """
    service, environment = override.services[0], override.environments[0]
    if _PATTERN in service:
        service = "SERVICE"
    claim = ["freezegate", "check", "--claim", service, "--environment", environment, "--server", base]
    body = {"service": service, "environment": environment}
    if override.ref:
        claim += ["--ref", override.ref]
        body["ref"] = override.ref
    headers = (f"X-Override-Token: {token}", "Content-Type: application/json", "Accept: text/plain")
    given = [part for each in headers for part in ("-H", each)]
    curl = ["curl", "--fail-with-body", "-sS", f"{base}/can-deploy", *given, "-d", json.dumps(body)]
    return {"command": f"FREEZEGATE_OVERRIDE_TOKEN={token} {shlex.join(claim)}", "curl": shlex.join(curl)}
