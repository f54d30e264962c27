"""The key of a deploy: claims with the same one are about one deploy, however often it is claimed."""

import hashlib
import json
from collections.abc import Iterable

from app.core.decision import joined


def deploy_key(
    deploy_id: str | None, caller: str, services: Iterable[str], environment: str, change: str
) -> str | None:
    """Return the key of a deploy; None if its claim names no id.

    An id counts for one caller, and for the same services, environment and kind of change: a pipeline may
    name its run in each of its claims.
    """
    if deploy_id is None:
        return None
    told = json.dumps([deploy_id, caller, joined(services), environment, change])
    return hashlib.sha256(told.encode()).hexdigest()
