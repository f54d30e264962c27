"""Deployment protection rules: a job on GitHub that waits until the gate lets its deploy through.

GitHub asks by the event ``deployment_protection_rule``, and the request becomes a hold. It is answered by
`Reviews`: at most ten reports, of which the last one approves or rejects. Nothing in the request is
authorisation: the sender is recorded as the actor, and no more.
"""

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from app.clock import Clock
from app.core.errors import MalformedValueError, UnknownNameError
from app.core.hold import AnswerKind, HoldAnswer
from app.core.instant import DAY, HOUR
from app.gate.gate import Gate
from app.gate.holds import HoldRequest
from app.gate.outbox import DeliveryResult
from app.identity.caller import Caller, Role
from app.integrations.deploy_rule import UnmatchedDeployError
from app.integrations.github import message
from app.integrations.github.client import App, Call, Reply
from app.integrations.github.delivery import Delivery
from app.integrations.github.section import GitHub, Notice
from app.integrations.responder import Reporting

if TYPE_CHECKING:
    import httpx

CALLER: Final = Caller("github", Role.CI)
"""The caller of holds: the webhook is signed, and nothing in it is trusted beyond that."""

WAITS: Final = 30 * DAY - HOUR
"""Seconds that a job can wait: GitHub ends it after 30 days, and is answered before."""

MOST_REPORTS: Final = 10
"""Reports that GitHub takes for one deploy."""

REVIEW: Final = {"deployments": "write"}
READ: Final = {"actions": "read"}
"""The permissions of the calls; a token is narrowed to them."""

_CALLBACK: Final = re.compile(
    r"/repos/(?P<owner>[\w.-]{1,100})/(?P<name>[\w.-]{1,100})/actions/runs/(?P<run>[0-9]{1,19})"
    r"/deployment_protection_rule",
    re.ASCII,
)

_GONE: Final = frozenset({404, 409, 410, 422})
"""Statuses by which GitHub says that there is nothing to review, or that it was reviewed before."""

_NOT_FOUND: Final = frozenset({404, 410})
"""Statuses by which GitHub says that there is no such thing, or none that the App may see."""


class _Repository(BaseModel):
    id: int
    full_name: str = Field(max_length=201)
    html_url: str | None = None


class _Installation(BaseModel):
    id: int


class _Deployment(BaseModel):
    id: int


class _Sender(BaseModel):
    login: str = Field(max_length=100)


class _Requested(BaseModel):
    """The parts of the payload that are used; GitHub adds members as it likes."""

    action: str
    environment: str = Field(min_length=1, max_length=255)
    deployment_callback_url: str
    repository: _Repository
    installation: _Installation
    deployment: _Deployment | None = None
    sender: _Sender | None = None
    sha: str | None = Field(None, max_length=100)


class Run(NamedTuple):
    """A job that waits, as it is named in calls."""

    installation: int
    repository: str
    run_id: int
    environment: str
    """The environment on GitHub, verbatim."""

    @property
    def path(self) -> str:
        """The path of the run in the API."""
        return f"/repos/{self.repository}/actions/runs/{self.run_id}"

    def review(self, body: dict[str, Any]) -> Call:
        """Return the call that reports or reviews."""
        return Call("POST", f"{self.path}/deployment_protection_rule", self.installation, REVIEW, body)


async def handle(section: GitHub, gate: Gate, clock: Clock, delivery: Delivery) -> str:
    """Keep a hold for a job that asks, and return a sentence that says what was done; see `events.handle`."""
    try:
        requested = _Requested.model_validate(delivery.payload)
    except ValidationError:
        raise MalformedValueError("the event has not the documented form") from None
    if requested.action != "requested":
        return "the gate doesn't use this action"
    run = _run(section, requested)
    try:
        wanted = _wanted(section, requested, run, delivery.id, clock.now())
        hold = await gate.holds.hold(CALLER, wanted, gate.policies.in_force)
    except (UnmatchedDeployError, UnknownNameError) as error:
        return _unknown(section, run, str(error))
    return f"the deploy waits as {hold.id}"


def _run(section: GitHub, requested: _Requested) -> Run:
    """Return the run of a request.

    Raises:
        MalformedValueError: it would be answered outside of the configured API, or in another repository.
    """
    repository, prefix = requested.repository.full_name, section.api
    url = requested.deployment_callback_url
    found = _CALLBACK.fullmatch(url[len(prefix) :]) if url.startswith(f"{prefix}/") else None
    if found is None:
        raise MalformedValueError("deployment_callback_url is not below the configured api")
    if f"{found['owner']}/{found['name']}".lower() != repository.lower():
        raise MalformedValueError("deployment_callback_url is of another repository")
    return Run(requested.installation.id, repository, int(found["run"]), requested.environment)


def _wanted(section: GitHub, requested: _Requested, run: Run, delivery_id: str, now: int) -> HoldRequest:
    """Return the hold of a request.

    Raises:
        UnmatchedDeployError: no rule says what the deploy is.
    """
    page = requested.repository.html_url
    return HoldRequest(
        question=section.question(run.repository, run.environment),
        responder="github",
        key=_key(requested, run, delivery_id),
        target=run._asdict(),
        expires_at=now + WAITS,
        ref=requested.sha,
        actor=None if requested.sender is None else requested.sender.login,
        run_url=f"{page}/actions/runs/{run.run_id}" if page and page.startswith("https://") else None,
    )


def _key(requested: _Requested, run: Run, delivery_id: str) -> str:
    """Return the key of a request.

    A job that is run again has the same run and environment, and another deployment. Without a deployment,
    the delivery tells them apart: its id stays the same when it is delivered again.
    """
    asked = delivery_id if requested.deployment is None else requested.deployment.id
    told = json.dumps([requested.repository.id, run.environment, asked])
    return f"{run.run_id}/{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def _unknown(section: GitHub, run: Run, why: str) -> str:
    """Queue a notice for a run that nothing is approved for."""
    text = f"{run.repository}, environment {run.environment}: {why}. Nothing is approved."
    section.notices.append(Notice(*run, text))
    return text


class Reviews:
    """The responder for jobs that wait."""

    reporting: Final = Reporting(MOST_REPORTS)

    def __init__(self, section: GitHub, app: App) -> None:
        """Answer as the App of a section."""
        self._section = section
        self._app = app

    async def send(
        self, client: "httpx.AsyncClient", answer: HoldAnswer, secret: str | None
    ) -> DeliveryResult:
        """Send a report or a review; see `Responder`."""
        del secret  # none is kept: the App has its own
        run = Run(**answer.hold.target)
        body = message.review(answer, run.environment, self._section.gate_url)
        reply = await self._app.call(client, run.review(body))
        if not _is_verdict(reply):
            return result(reply)
        if answer.kind is not AnswerKind.PROGRESS:
            reviews = await self._app.call(
                client, Call("GET", f"{run.path}/approvals", run.installation, READ)
            )
            if not reviews.is_good and not _is_verdict(reviews):
                return result(reviews)
            if _is_among(body, reviews.content):
                # An earlier attempt was taken, and only its answer was lost.
                return DeliveryResult("taken")
        return await self._ended(client, run, reply, answer.kind)

    async def _ended(
        self, client: "httpx.AsyncClient", run: Run, reply: Reply, kind: AnswerKind
    ) -> DeliveryResult:
        """Return the result of an answer that had nothing to answer to."""
        ended = await has_ended(self._app, client, run)
        if ended:
            return DeliveryResult("refused", "the run has ended")
        if kind is AnswerKind.PROGRESS:
            # A report that isn't taken, such as one too many, must not end the wait.
            return DeliveryResult("taken", f"answered {reply.status}")
        # While the run goes on, one that isn't found is one that the App may not see at present.
        is_known = ended is not None and reply.status not in _NOT_FOUND
        return DeliveryResult("refused" if is_known else "later", f"answered {reply.status}")


def _is_verdict(reply: Reply) -> bool:
    """Return whether GitHub has judged the call itself, and not the App that sent it."""
    return reply.is_sent and reply.status in _GONE


def _is_among(body: dict[str, Any], reviews: object) -> bool:
    """Return whether a review is among those of a run, by its state and comment."""
    return any(
        isinstance(review, dict)
        and review.get("state") == body["state"]
        and review.get("comment") == body["comment"]
        for review in (reviews if isinstance(reviews, list) else [])
    )


async def has_ended(app: App, client: "httpx.AsyncClient", run: Run) -> bool | None:
    """Return whether a run is over or gone, so that no job of it waits; None if that can't be told now.

    An App that has lost the repository, or was removed, doesn't see the run either. It is gone only if the
    App still sees the other ones.
    """
    call = Call("GET", run.path, run.installation, READ)
    reply = await app.call(client, call)
    if reply.is_good:
        return isinstance(reply.content, dict) and reply.content.get("status") == "completed"
    if not reply.is_sent or reply.status not in _NOT_FOUND:
        return None
    others = f"/repos/{run.repository}/actions/runs?per_page=1"
    return True if (await app.call(client, call._replace(path=others))).is_good else None


def result(reply: Reply) -> DeliveryResult:
    """Return the result of a call that sends something: other failures pass, or are repaired by people."""
    if reply.is_good:
        return DeliveryResult("taken")
    why = f"answered {reply.status}" if reply.is_sent else f"gave no token, and answered {reply.status}"
    return DeliveryResult("later", why, reply.retry_after)
