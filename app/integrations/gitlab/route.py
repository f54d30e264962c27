"""``POST /integrations/gitlab``: the webhook of job events and pipeline events.

A job that begins to wait for somebody to play it is held, and played when deploys open. Only jobs that the
integrations file names are: a pipeline may have other manual jobs, which must not start by themselves.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.core.decision_text import one_line
from app.core.errors import UnknownNameError
from app.core.hold import Hold, HoldState
from app.gate.errors import StateConflictError
from app.gate.holds import HoldRequest
from app.identity.caller import Caller, Role
from app.integrations.deploy_rule import UnmatchedDeployError, find_rule
from app.integrations.gitlab.section import GitLab
from app.integrations.inbound import FAILURES, raw_body, refuse, section_of
from app.integrations.note import link, note
from app.integrations.signatures import standard_webhook_matches, token_matches
from app.server.context import Context, context
from app.server.log import event
from app.server.openapi import returns_text
from app.server.requests import parse_json
from app.server.routes import Routes

router = Routes(tags=["integrations"])

CALLER: Final = Caller("gitlab", Role.CI)

_MOST_JOBS: Final = 500
"""Jobs of a pipeline that are looked at."""

_BEGUN: Final = frozenset({"pending", "running", "success", "failed", "canceled", "skipped"})
_LARGEST_ID: Final = 2**63
_NO_STORE: Final = {"Cache-Control": "no-store"}


class Job(NamedTuple):
    """A job of an event."""

    project_id: int
    job_id: int
    status: str
    names: dict[str, str]
    sha: str | None
    actor: str | None
    web_url: str | None

    @property
    def key(self) -> str:
        """Identifies the job."""
        return f"{self.project_id}/{self.job_id}"


@router.operation(
    "POST",
    "/integrations/gitlab",
    role=None,
    also=FAILURES,
    response_class=PlainTextResponse,
    summary="Play this job when deploys open. Called by GitLab as a webhook",
    responses=returns_text("text/plain", "taken; names the jobs that can't be held, and why"),
)
async def job_event(request: Request) -> Response:
    """Take an event of a job or a pipeline.

    It is signed with the signing token of the webhook (`webhook-signature`), or carries its secret token
    (`X-Gitlab-Token`).
    """
    section = section_of(request, "gitlab", GitLab)
    raw = await raw_body(request)
    if not _is_from_gitlab(request, section, raw):
        raise refuse(
            request, "neither the signing token nor the secret token is that of the integrations file"
        )
    here = context(request)
    left_out = []
    for job in jobs_of(parse_json(raw)):
        try:
            await _take(here, section, job)
        except (UnmatchedDeployError, UnknownNameError) as error:
            left_out.append(one_line(f"{job.names['job']}: {error}"))
    if left_out:
        # GitLab shows the answer with the event, and after some errors it would send no more events at all.
        event(logging.WARNING, "jobs of GitLab can't be held", jobs=left_out)
    return PlainTextResponse("".join(f"not held: {each}\n" for each in left_out), headers=_NO_STORE)


def _is_from_gitlab(request: Request, section: GitLab, raw: bytes) -> bool:
    """Return whether a webhook is signed; only one without a signature may carry the token instead."""
    secrets = section.secrets("secret")
    if "webhook-signature" in request.headers:
        return standard_webhook_matches(secrets, request.headers, raw, context(request).clock.now())
    return token_matches(secrets, request.headers.get("x-gitlab-token", ""))


async def _take(here: Context, section: GitLab, job: Job) -> None:
    rule = find_rule(section.deployments, job.names)
    if rule is None:
        return
    if job.status == "manual":
        await here.holds.hold(
            CALLER,
            HoldRequest(
                question=rule.question(job.names),
                responder="gitlab",
                key=job.key,
                target={"project_id": job.project_id, "job_id": job.job_id, "names": job.names},
                expires_at=here.clock.now() + section.longest_wait,
                ref=note(job.sha),
                actor=note(job.actor),
                run_url=link(job.web_url),
            ),
            here.policies.in_force,
        )
    elif job.status in _BEGUN:
        await _cancel(here, await here.holds.find("gitlab", job.key), job.status)


async def _cancel(here: Context, hold: Hold | None, status: str) -> None:
    """Let nothing be played that somebody else has started or stopped."""
    if hold is None or hold.state is not HoldState.WAITING:
        return
    try:
        await here.holds.cancel(CALLER, hold.id, f"the job is {status}")
    except StateConflictError:
        return  # released at this very moment


def jobs_of(told: Mapping[str, Any]) -> Iterator[Job]:
    """Yield the jobs of an event; none for one of another kind, or of an unknown form."""
    if told.get("object_kind") == "build":
        yield from _of_job_event(told)
    elif told.get("object_kind") == "pipeline":
        yield from _of_pipeline_event(told)


def _of_job_event(told: Mapping[str, Any]) -> Iterator[Job]:
    project, user = _part(told, "project"), _part(told, "user")
    homepage = str(_part(told, "repository").get("homepage") or "")
    address = str(project.get("web_url") or homepage)
    path = str(project.get("path_with_namespace") or homepage.partition("://")[2].partition("/")[2])
    yield from _job(
        (told.get("project_id"), told.get("build_id")),
        told.get("build_status"),
        (path, told.get("build_name"), told.get("ref")),
        (told.get("sha"), user.get("username") or user.get("name"), address),
    )


def _of_pipeline_event(told: Mapping[str, Any]) -> Iterator[Job]:
    project, pipeline = _part(told, "project"), _part(told, "object_attributes")
    builds = told.get("builds")
    for build in builds[:_MOST_JOBS] if isinstance(builds, list) else []:
        if isinstance(build, dict):
            user = _part(build, "user") or _part(told, "user")
            yield from _job(
                (project.get("id"), build.get("id")),
                build.get("status"),
                (str(project.get("path_with_namespace") or ""), build.get("name"), pipeline.get("ref")),
                (
                    pipeline.get("sha"),
                    user.get("username") or user.get("name"),
                    str(project.get("web_url") or ""),
                ),
            )


def _job(
    ids: tuple[object, object],
    status: object,
    named: tuple[str, object, object],
    about: tuple[object, object, str],
) -> Iterator[Job]:
    """Yield a job, if its ids are numbers: they become part of an address."""
    project_id, job_id = ids
    if not _is_id(project_id) or not _is_id(job_id):
        return
    path, job, ref = named
    names = {"project": path, "job": _text(job), "ref": _text(ref), "name": path.rpartition("/")[2]}
    sha, actor, address = about
    url = f"{address}/-/jobs/{job_id}" if address else None
    yield Job(int(str(project_id)), int(str(job_id)), _text(status), names, _text(sha), _text(actor), url)


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: object) -> str:
    return value[:500] if isinstance(value, str) else ""


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST_ID
