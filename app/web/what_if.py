"""Answer "Can I deploy?" on the dashboard, with the curl command that asks the same."""

import shlex
from typing import Any, NamedTuple
from urllib.parse import urlencode

from app.core.decision import Question
from app.core.decision_json import decision_to_json
from app.core.errors import FreezegateError
from app.core.instant import format_instant, parse_instant
from app.core.notation import format_duration
from app.core.wallclock import Zone
from app.gate.check import check
from app.gate.in_force import InForce
from app.server.problems import problem_for, wrong_fields
from app.web.local_time import local_instant
from app.web.query import DashboardQuery, field_error


class WhatIf(NamedTuple):
    """The answer or the error, and the curl command."""

    answer: dict[str, Any] | None
    why_not: str | None
    curl: str
    command: str
    """The question for the command line."""


def what_if(in_force: InForce, query: DashboardQuery, now: int, base: str) -> WhatIf:
    """Return the answer that a pipeline would get, or the reason why there is none."""
    question = _question(in_force, query)
    try:
        at = now if query.at is None else _instant(query.at, in_force.home)
        decision = check(in_force, question, at)
    except FreezegateError as error:
        if problem_for(error).status_code != 422:  # noqa: PLR2004 - what the policies do not know, or no time
            raise
        # An error without a field is about the time, the only field that is parsed here.
        (wrong, *_) = wrong_fields(error) or [{"field": "at", "message": str(error)}]
        return WhatIf(None, field_error(**wrong).text, "", "")
    return WhatIf(
        decision_to_json(decision, in_force.home, in_force.revision),
        None,
        _curl(question, at if query.at else None, base),
        _command(question, in_force.policy_set.usual_change, at if query.at else None),
    )


def _curl(question: Question, at: int | None, base: str) -> str:
    """Return the question as a shell command."""
    fields = {"service": question.service, "environment": question.environment, "change": question.change}
    if question.duration:
        fields["duration"] = format_duration(question.duration)
    if at is not None:
        fields["at"] = format_instant(at)
    url = f"{base}/can-deploy?{urlencode(fields, safe='/:')}"
    return f"curl -sS -H 'Accept: text/plain' {shlex.quote(url)}"


def _command(question: Question, usual_change: str, at: int | None) -> str:
    """Return the question as a command of ours."""
    words = ["freezegate", "check", question.service, "--environment", question.environment]
    if question.change != usual_change:
        words += ["--change", question.change]
    if question.duration:
        words += ["--duration", format_duration(question.duration)]
    if at is not None:
        words += ["--at", format_instant(at)]
    return shlex.join(words)


def _instant(text: str, home: Zone) -> int:
    """Parse an instant with an offset, or the local time of a browser's field."""
    return local_instant(text, home) if len(text) <= len("2026-11-27T14:00:00") else parse_instant(text)


def _question(in_force: InForce, query: DashboardQuery) -> Question:
    return Question(
        query.service or "",
        query.environment or next(iter(in_force.policy_set.environments)),
        query.change or in_force.policy_set.usual_change,
        query.duration or 0,
    )
