"""Events of pull requests, merge groups and checks: they name the heads to look at.

Of an event, only the place is used: what is decided on is read from GitHub. So an event that comes late,
twice or never changes nothing.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.clock import Clock
from app.core.errors import MalformedValueError
from app.gate.gate import Gate
from app.integrations.github.delivery import Delivery
from app.integrations.github.looks import Look
from app.integrations.github.merge_queries import number_in
from app.integrations.github.section import GitHub

_PULL_ACTIONS: Final = frozenset({"opened", "synchronize", "reopened", "labeled", "unlabeled"})

_QUEUE_BRANCH: Final = re.compile(r"(?:refs/heads/)?gh-readonly-queue/(.+)/pr-\d+-[0-9a-f]+")
_BRANCH: Final = re.compile(r"(?:refs/heads/)?(.+)")

_INSTALLED: Final = frozenset({"created", "added", "unsuspend", "new_permissions_accepted"})

EVENTS: Final = (
    *("pull_request", "merge_group", "check_run", "check_suite"),
    *("installation", "installation_repositories"),
)

_Reader = Callable[[Look, Mapping[str, Any]], Look | None]


async def handle(section: GitHub, _gate: Gate, _clock: Clock, delivery: Delivery) -> str:
    """Put what an event is about before the background work.

    Raises:
        MalformedValueError: the event is not of the documented form.
    """
    if section.merges is None:
        return "the gate freezes no merges"
    try:
        if delivery.event in ("installation", "installation_repositories"):
            section.looks.rediscover |= delivery.payload["action"] in _INSTALLED
            return "the repositories are listed again"
        look = _look(delivery)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise MalformedValueError(f"{delivery.event}: {type(error).__name__} {error}") from None
    if look is None or not section.merges.applies_to(look.repository):
        return "no merge that the gate checks"
    section.looks.add(look)
    return "its check follows"


def _look(delivery: Delivery) -> Look | None:
    payload = delivery.payload
    place = Look(int(payload["installation"]["id"]), str(payload["repository"]["full_name"]))
    return _READERS[delivery.event](place, payload)


def _pull(place: Look, payload: Mapping[str, Any]) -> Look | None:
    retargeted = payload["action"] == "edited" and "base" in payload["changes"]
    if payload["action"] not in _PULL_ACTIONS and not retargeted:
        return None
    return place._replace(pull=int(payload["pull_request"]["number"]))


def _group(place: Look, payload: Mapping[str, Any]) -> Look | None:
    if payload["action"] != "checks_requested":
        return None  # it was destroyed: nothing waits for its check any more
    group = payload["merge_group"]
    branch = _BRANCH.fullmatch(str(group["base_ref"]))
    return place._replace(branch=branch and branch[1], heads=frozenset({str(group["head_sha"])}))


def _run(place: Look, payload: Mapping[str, Any]) -> Look | None:
    if payload["action"] != "rerequested":
        return None
    run = payload["check_run"]
    number = number_in(str(run.get("external_id") or ""))
    return _asked_again(place, run["check_suite"], str(run["head_sha"]), number)


def _suite(place: Look, payload: Mapping[str, Any]) -> Look | None:
    if payload["action"] != "rerequested":
        return None
    suite = payload["check_suite"]
    return _asked_again(place, suite, str(suite["head_sha"]), None)


def _asked_again(place: Look, suite: Mapping[str, Any], sha: str, number: int | None) -> Look:
    """Return the look at a head that somebody asked for again.

    GitHub names the pull requests of a suite, but none from a fork: then the whole repository is looked at.
    """
    place = place._replace(heads=frozenset({sha}))
    queue = _QUEUE_BRANCH.fullmatch(str(suite.get("head_branch") or ""))
    if queue is not None:
        return place._replace(branch=queue[1])
    named = [int(each["number"]) for each in suite.get("pull_requests") or ()]
    return place._replace(pull=number or (named[0] if len(named) == 1 else None))


_READERS: Final[Mapping[str, _Reader]] = {
    "pull_request": _pull,
    "merge_group": _group,
    "check_run": _run,
    "check_suite": _suite,
}
