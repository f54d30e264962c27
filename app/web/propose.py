"""``/dashboard/propose``: edit the policies, see what the change does, and take it away as a file or a patch.

Nothing is written. The page is complete without its script, which checks while one types.
"""

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus
from itertools import pairwise
from typing import Final, Literal, NamedTuple, Self
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup
from pydantic import Field

from app.core.counted import counted, noun_for
from app.core.diff import in_words
from app.core.diff.period import USUAL_DAYS
from app.core.diff.picture import picture
from app.core.diff.totals import headline
from app.gate.errors import BusyError, UnauthenticatedError
from app.gate.job_queue import IsUnwanted
from app.gate.proposal import (
    LARGEST_FILE,
    MOST_LINES,
    Proposal,
    ProposalCheck,
    check,
    is_too_large,
)
from app.identity.caller import Caller, Role
from app.server.authentication import authorised
from app.server.candidate import MAX_CANDIDATE
from app.server.context import context
from app.server.jobs import run_job
from app.server.problems import InvalidFieldsError, RefusedError
from app.server.requests import Strict, read_query
from app.server.root_path import root_of
from app.web.cookies import set_cookie
from app.web.forms import FORM_COOKIE, form_value, texts_form
from app.web.pages import PageRoute, html_response, redirect, render
from app.web.viewer import Viewer, viewer_of

router = APIRouter(prefix="/dashboard", include_in_schema=False, route_class=PageRoute)

_HERE: Final = "/dashboard/propose"
_TEXT: Final = "text:"
"""The beginning of the names of fields with the text of a file."""

_NEW_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,95}\.yaml")
_MOST_FOUND: Final = 10_000
"""Places of a policy's id in a file that are looked at."""

_MOST_LINES: Final = 500
"""Lines of a patch that the page shows; the download has all of them."""

_WRONG_NAME: Final = "Name the new file like team-a.yaml: letters, digits, “-”, “_” and “.”, ending in .yaml."
_IS_TAKEN: Final = "There is a file of that name already."
_TOO_LARGE: Final = f"a file may have at most {LARGEST_FILE >> 20} MiB and {MOST_LINES:,} lines here"
_NOT_OURS: Final = "not the form of this page"
_REFUSED: Final = ", so the gate refuses these files"
_NO_CHANGE: Final = "Nothing has changed yet, so there is no patch."

Action = Literal["check", "open", "add", "file", "patch"]


class ProposeQuery(Strict):
    """The query parameters of the page: what to open."""

    file: str | None = Field(default=None, max_length=255)
    policy: str | None = Field(default=None, max_length=64)
    line: str | None = Field(default=None, pattern=r"^[1-9][0-9]{0,6}$")


class _Form(Strict):
    """The fields of the form, besides the texts of files."""

    proof: str = ""
    action: Action = "check"
    part: Literal["check"] | None = None
    """Whether the script asks: for the findings alone."""
    file: str = Field(max_length=255)
    """The file shown."""
    open: str | None = Field(default=None, max_length=255)
    """The file to be shown."""
    go: str | None = Field(default=None, pattern=r"^.{1,255}:[1-9][0-9]{0,6}$")
    """The file and line of a finding, to be shown."""
    new: str = Field("", max_length=255)
    """The file to be added."""
    began: str = Field(max_length=80)
    """The revision that the editing began with."""


class _View(NamedTuple):
    """The content of the page."""

    proposal: Proposal
    shown: str
    """The file in the editor."""
    began: str
    line: int | None = None
    """The line to begin at."""
    alert: str | None = None
    new: str = ""
    """The name of a file that can't be added."""
    wrong: Mapping[str, str] = {}
    """Errors by field or button of the form."""
    checked: ProposalCheck | None = None


class _Page(NamedTuple):
    """All that a rendered page depends on besides its view."""

    request: Request
    viewer: Viewer
    cookie: str
    """The proof of the form without a session; empty with one."""
    is_folder: bool
    """Whether a file may be added."""

    @classmethod
    def of(cls, request: Request, caller: Caller) -> Self:
        """Return the page for a caller."""
        viewer = viewer_of(request, caller)
        cookie = "" if viewer.proof else form_value(request)
        is_folder = context(request).policies.are_folder
        return cls(request, viewer._replace(proof=viewer.proof or cookie), cookie, is_folder)

    def rendered(self, template: str, view: _View) -> bytes:
        """Render a view."""
        in_force, checked = view.proposal.in_force, view.checked
        found = None if checked is None else checked.diff
        return render(
            template,
            root_of(self.request),
            viewer=self.viewer,
            is_folder=self.is_folder,
            is_too_large=is_too_large(view.proposal.text(view.shown)),
            view=view,
            proposal=view.proposal,
            checked=checked,
            summary=None if checked is None else _summary(checked),
            failing=_tests(checked) if checked and checked.failed else None,
            refused=_REFUSED,
            has_moved_on=view.began != in_force.revision,
            patch_lines=[] if checked is None else _marked_lines(view.proposal.patch.text),
            most_lines=_MOST_LINES,
            days=USUAL_DAYS,
            hours=[] if found is None else in_words(found, in_force.home),
            # The picture escapes its texts, and has neither styles nor scripts.
            picture=Markup(picture(found, in_force.home)) if found and found.differences else None,  # noqa: S704
        )

    def reply(self, body: bytes, status: HTTPStatus = HTTPStatus.OK) -> Response:
        """Return a response with the cookie of the form."""
        reply = html_response(body, status.value)
        if self.cookie:
            set_cookie(self.request, reply, FORM_COOKIE, self.cookie, path=_HERE, lifetime=None)
        return reply


@router.get("/propose")
async def propose(request: Request) -> Response:
    """Serve the editor with the policies in force."""
    try:
        caller = await authorised(request, Role.VIEWER)
    except UnauthenticatedError:
        return redirect(request, "/dashboard/sign-in")
    query = read_query(request, ProposeQuery)
    proposal = Proposal(context(request).policies.in_force, {})
    file, line = await asyncio.to_thread(_place, proposal.recorded, query)
    return await _unchecked(
        _Page.of(request, caller), _View(proposal, file, proposal.in_force.revision, line)
    )


@router.post("/propose")
async def check_or_hand_out(request: Request) -> Response:
    """Check the texts of the form, or return one of them or the patch as a download."""
    here = context(request)
    with here.candidates.held(request.scope):
        caller, pairs = await texts_form(request, Role.VIEWER, MAX_CANDIDATE)
        form, edits = _read(pairs)
        proposal = Proposal(here.policies.in_force, edits)
        view = _view(proposal, form)
        page = _Page.of(request, caller)
        if form.action in ("file", "patch"):
            reply = await asyncio.to_thread(_download, view, form.action)
            return reply or await _unchecked(page, view._replace(wrong={"patch": _NO_CHANGE}))
        if form.go is not None or form.action != "check":
            return await _unchecked(page, view)
        return await _checked(page, view, is_part=form.part is not None)


async def _checked(page: _Page, view: _View, *, is_part: bool) -> Response:
    """Return the page with the findings; to the script, the findings alone."""
    here = context(page.request)
    now = here.clock.now()
    template = "propose_findings.html" if is_part else "propose.html"

    def work(is_unwanted: IsUnwanted) -> bytes:
        return page.rendered(template, view._replace(checked=check(view.proposal, now, is_unwanted)))

    try:
        return page.reply(await run_job(page.request, work))
    except (BusyError, RefusedError) as error:
        if is_part:
            raise
        alert = f"Not checked: {error}. Try again."
        return await _unchecked(page, view._replace(alert=alert), HTTPStatus.SERVICE_UNAVAILABLE)


async def _unchecked(page: _Page, view: _View, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return the page without findings; rendered in a thread, because long texts take tenths of a second."""
    return page.reply(await asyncio.to_thread(page.rendered, "propose.html", view), status)


def _read(pairs: list[tuple[str, str]]) -> tuple[_Form, dict[str, str]]:
    """Return the fields of the form, and the texts in it by the names of their files.

    Raises:
        InvalidFieldsError: a field is unknown, repeated or malformed.
    """
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _malformed("a field is given more than once")
    if "\0" in "".join((*values, *values.values())):
        raise _malformed("a text holds a character of code 0")
    texts = {name: values.pop(name) for name in tuple(values) if name.startswith(_TEXT)}
    try:
        form = _Form.model_validate(values)
    except ValueError:
        raise _malformed(_NOT_OURS) from None
    return form, {name.removeprefix(_TEXT): text for name, text in texts.items()}


def _malformed(why: str) -> InvalidFieldsError:
    return InvalidFieldsError([{"field": "body", "message": why}])


def _view(proposal: Proposal, form: _Form) -> _View:
    """Return what the form asks to see.

    Raises:
        InvalidFieldsError: it has the text of a file that is neither in force nor may be added.
        RefusedError: a text is too large for the editor.
    """
    if any(map(is_too_large, proposal.edits.values())):
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
    _check_names(proposal, form)
    view = _View(proposal, form.file, form.began)
    if form.go is not None:
        name, _, line = form.go.rpartition(":")
        return view._replace(shown=name, line=int(line))
    if form.action == "open":
        return view._replace(shown=form.open or form.file)
    return _with_added(view, form.new.strip()) if form.action == "add" else view


def _check_names(proposal: Proposal, form: _Form) -> None:
    """Check that each file which a form names is in force, or may be added."""
    named = {*proposal.edits, form.file, form.open, form.go and form.go.rpartition(":")[0]}
    if any(name and name not in proposal.recorded and not _NEW_NAME.fullmatch(name) for name in named):
        raise _malformed(_NOT_OURS)


def _with_added(view: _View, name: str) -> _View:
    """Return the view with a file added and shown."""
    proposal = view.proposal
    if not _NEW_NAME.fullmatch(name):
        return view._replace(new=name, wrong={"new": _WRONG_NAME})
    if name in proposal.names:
        return view._replace(new=name, wrong={"new": _IS_TAKEN})
    edits = {**proposal.edits, name: "version: 1\npolicies: []\n"}
    return view._replace(proposal=Proposal(proposal.in_force, edits), shown=name)


def _place(texts: Mapping[str, str], query: ProposeQuery) -> tuple[str, int | None]:
    """Return the file and line that a link names; the first file if it names none."""
    for name, text in texts.items() if query.policy else ():
        if line := _line_of(text, query.policy or ""):
            return name, line
    file = query.file if query.file in texts else next(iter(texts))
    return str(file), int(query.line) if query.line else None


def _line_of(text: str, policy_id: str) -> int | None:
    """Return the line with the id of a policy, as people write it; None if there is none.

    Only lines that hold the id are looked at: to read the file as YAML would take seconds.
    """
    written = re.compile(rf"""[ \t{{-]*["']?id["']?\s*:\s*["']?{re.escape(policy_id)}["']?\s*(?:$|[,}}#])""")
    at = text.find(policy_id)
    for _ in range(_MOST_FOUND):
        if at < 0:
            break
        begins = text.rfind("\n", 0, at) + 1
        ends = text.find("\n", at)
        if written.match(text[begins : ends if ends >= 0 else None]):
            return text.count("\n", 0, begins) + 1
        at = text.find(policy_id, at + 1)
    return None


def _summary(checked: ProposalCheck) -> str:
    """Return the findings in a sentence, for screen readers."""
    warnings = len(checked.problems) - checked.errors
    parts = [counted(checked.errors, "error"), counted(warnings, "warning")]
    tests = [f"{_tests(checked)}{_REFUSED if checked.failed else ''}"] if checked.tests else []
    hours = [] if checked.diff is None else [headline(checked.diff)]
    return ". ".join([", ".join(parts), *tests, *hours])


def _tests(checked: ProposalCheck) -> str:
    """Say how many tests fail; if none does, that all pass."""
    one, several = ("fails", "fail") if checked.failed else ("passes", "pass")
    number = checked.failed or len(checked.tests)
    return f"{number:,} of {counted(len(checked.tests), 'test')} {noun_for(number, one, several)}"


def _marked_lines(text: str) -> list[tuple[str, str]]:
    """Return the lines of a patch, each with its first character: ``+``, ``-``, or ``@`` for its heads."""
    lines = text.removesuffix("\n").split("\n")
    heads = {
        number
        for first, (line, following) in enumerate(pairwise(lines))
        if line.startswith("--- ") and following.startswith("+++ ")
        for number in (first, first + 1)
    }
    return [("@" if number in heads else line[:1], line) for number, line in enumerate(lines)]


def _download(view: _View, action: Action) -> Response | None:
    """Return a file or the patch; None if there is no patch."""
    if action == "file":
        return _attachment(view.shown, view.proposal.text(view.shown), "application/yaml")
    text = view.proposal.patch.text
    return _attachment("policies.patch", text, "text/x-diff") if text else None


def _attachment(name: str, text: str, kind: str) -> Response:
    plain = re.sub(r"[^A-Za-z0-9_. -]", "_", name)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(text.encode(), media_type=f"{kind}; charset=utf-8", headers=headers)
