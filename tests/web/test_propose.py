"""The editor of policies, without a browser: what it shows, hands out, keeps and refuses."""

import io
from collections.abc import Iterator
from concurrent.futures import Future
from html.parser import HTMLParser
from pathlib import Path
from threading import Event
from urllib.parse import urlencode

import pytest
from fastapi import APIRouter, Request
from httpx2 import Response
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.calendar_url import masked
from app.core.instant import parse_instant
from app.gate.in_force import InForce
from app.gate.job_queue import MOST_UNFINISHED
from app.gate.keys import KeyRequest
from app.gate.proposal import LARGEST_FILE
from app.identity.caller import Role
from app.main import create_app
from app.policies.load import load_untested
from app.policies.source import Snapshot
from app.server.candidate import MAX_CANDIDATE
from app.server.log import RequestLog
from app.settings import Settings
from app.web.forms import texts_form
from app.web.propose import ProposeQuery, _place
from tests.api.conftest import POLICIES, key_for
from tests.api.fakes import FakeClock
from tests.hostile import HOSTILE
from tests.web.pages import Page
from tests.web.test_pages import sign_in

HERE = "/dashboard/propose"
TEAM = (
    "version: 1\r\npolicies:\r\n  - {id: team, title: Ours, reason: Rest, "
    "applies_to: {environments: [staging]}, when: [{always: true}]}\r\n"
)
URL = "https://calendar.example.com/private-1234/basic.ics"


class Areas(HTMLParser):
    """The text areas of a page, as a browser reads them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self._name: str | None = None
        self.feed(html.replace("\r\n", "\n").replace("\r", "\n"))
        self.texts = {name: text.removeprefix("\n") for name, text in self.texts.items()}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "textarea":
            self._name = dict(attrs)["name"] or ""
            self.texts[self._name] = ""

    def handle_endtag(self, tag: str) -> None:
        self._name = None if tag == "textarea" else self._name

    def handle_data(self, data: str) -> None:
        if self._name is not None:
            self.texts[self._name] += data


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A gate with a folder of two files, one of them with Windows line endings."""
    folder = tmp_path_factory.mktemp("editor")
    (folder / "set").mkdir()
    (folder / "set" / "main.yaml").write_text(POLICIES)
    (folder / "set" / "team.yaml").write_bytes(TEAM.encode())
    settings = Settings(policies=folder / "set", database_url=SecretStr(f"sqlite:///{folder / 'gate.db'}"))
    clock = FakeClock(parse_instant("2026-11-27T13:05:00Z"))
    with TestClient(create_app(settings, clock=clock, request_log=RequestLog(io.BytesIO()))) as client:
        yield client


@pytest.fixture(autouse=True)
def nobody(gate: TestClient) -> None:
    """Each test begins without cookies."""
    gate.cookies.clear()


def opened(gate: TestClient, query: str = "") -> dict[str, str]:
    """The fields of the form that a browser would send back, with Windows line endings."""
    html = gate.get(HERE + query).text
    page, areas = Page(html), Areas(html)
    assert page.unclosed == []
    hidden = {name: page.value(name) for name in ("proof", "began", "file")}
    return hidden | {name: text.replace("\n", "\r\n") for name, text in areas.texts.items()}


def sent(gate: TestClient, fields: dict[str, str], **more: str) -> Response:
    return gate.post(HERE, data={**fields, **more})


def test_it_opens_with_the_first_file_in_force_and_says_that_nothing_is_written(gate: TestClient) -> None:
    html = gate.get(HERE).text
    assert Areas(html).texts == {"text:main.yaml": POLICIES}
    assert "Nothing is written" in Page(html).text
    assert [each["value"] for each in Page(html).named("option")] == ["main.yaml", "team.yaml"]


@pytest.mark.parametrize(
    ("query", "name", "line"),
    [
        ("?file=team.yaml", "text:team.yaml", None),
        ("?file=none.yaml", "text:main.yaml", None),
        ("?policy=lunch", "text:main.yaml", "18"),
        ("?policy=team&line=7", "text:team.yaml", "3"),
        ("?policy=none&line=7", "text:main.yaml", "7"),
    ],
)
def test_links_lead_to_a_file_a_line_or_a_policy(
    gate: TestClient, query: str, name: str, line: str | None
) -> None:
    html = gate.get(HERE + query).text
    assert list(Areas(html).texts) == [name]
    (form,) = [each for each in Page(html).named("form") if each.get("id") == "propose"]
    assert form.get("data-line") == line


def test_policies_are_found_however_their_id_is_written() -> None:
    for written in (
        "- id: a",
        '  - "id": "a"',
        "-   {id: 'a', title: t}",
        "    id: a  # comment",
        "- {id: a}",
    ):
        assert _place({"x": "", "y": f"policies:\n{written}\n"}, ProposeQuery(policy="a")) == ("y", 2), (
            written
        )
    for other in ("- id: ab", "- id: b-a", "# id: a", "by: [a]"):
        assert _place({"x": "", "y": f"{other}\n"}, ProposeQuery(policy="a")) == ("x", None), other
    assert _place({"x": "by: [a]\r\n- id: a\r\n  a: 1"}, ProposeQuery(policy="a")) == ("x", 2)
    assert _place({"x": "a" * 20_000 + "\n- id: a"}, ProposeQuery(policy="a")) == ("x", None)
    assert _place({"x": "- id: a"}, ProposeQuery(policy="")) == ("x", None)


def test_a_check_lists_findings_tests_hours_and_lines_and_keeps_the_text(gate: TestClient) -> None:
    fields = opened(gate)
    text = fields["text:main.yaml"].replace("fri 14:00", "fri 15:00")
    reply = sent(gate, fields, **{"text:main.yaml": text, "action": "check"})
    page = Page(reply.text)
    assert reply.status_code == 200
    assert page.unclosed == []
    assert Areas(reply.text).texts["text:main.yaml"] == text.replace("\r\n", "\n")
    assert "0 of 1 pass" in page.text
    assert "Expected deny by [friday-afternoon], got allow by []." in page.text
    assert "this test fails" not in page.text
    assert "opens Fri 27 Nov 14:05 to 15:00 CET" in page.text
    assert "Opens 8 hours 55 min, closes none, in production" in page.text
    assert any(each.get("role") == "img" for each in page.named("svg"))
    assert "<del>-      - weekly: {from: fri 14:00, to: mon 08:00}</del>" in reply.text
    assert "<ins>+      - weekly: {from: fri 15:00, to: mon 08:00}</ins>" in reply.text
    assert {"data-line": "26", "data-column": "5", "href": "#text"} in page.named("a")


def test_errors_and_warnings_differ_by_word_and_sign_and_lead_to_their_place(gate: TestClient) -> None:
    fields = opened(gate)
    text = fields["text:main.yaml"].replace("effect: warn", "efect: warn")
    html = sent(gate, fields, **{"text:main.yaml": text}).text
    page = Page(html)
    assert "✕ error line 21, column 5" in page.text
    assert 'did you mean "effect"' in page.text
    assert {"data-line": "21", "data-column": "5", "href": "#text"} in page.named("a")
    assert "Correct the errors to see what the change does." in page.text
    twice = fields["text:main.yaml"].replace("[production, staging]", "[production, staging, staging]", 1)
    assert "! warning" in Page(sent(gate, fields, **{"text:main.yaml": twice}).text).text


def test_findings_in_another_file_open_it_with_the_text_carried_along(gate: TestClient) -> None:
    fields = opened(gate)
    text = fields["text:main.yaml"].replace("[production, staging]", "[production]", 1)
    page = Page(sent(gate, fields, **{"text:main.yaml": text}).text)
    (button,) = [each for each in page.named("button") if each.get("name") == "go"]
    assert (button["value"], button["form"]) == ("team.yaml:3", "propose")
    assert "team.yaml, line 3" in page.text
    html = sent(gate, fields, **{"text:main.yaml": text, "go": "team.yaml:3"}).text
    areas = Areas(html).texts
    assert areas == {
        "text:main.yaml": text.replace("\r\n", "\n"),
        "text:team.yaml": TEAM.replace("\r\n", "\n"),
    }
    assert 'data-line="3"' in html
    assert "fresh" not in html


def test_the_script_gets_the_findings_alone(gate: TestClient) -> None:
    html = sent(gate, opened(gate), part="check").text
    assert Areas(html).texts == {}
    assert [each["id"] for each in Page(html).named("div") if "id" in each] == ["notes", "beside", "below"]
    assert 'data-summary="0 errors, ' in html
    assert "1 of 1 test passes. No hours open or close" in html


def test_failing_tests_are_findings_for_which_the_gate_refuses_the_files(gate: TestClient) -> None:
    fields = opened(gate)
    text = fields["text:main.yaml"].replace("fri 14:00", "fri 15:00")
    html = sent(gate, fields, **{"text:main.yaml": text, "part": "check"}).text
    page = Page(html)
    assert "1 of 1 test fails, so the gate refuses these files. Opens 8 hours" in html
    assert "✕ error 1 of 1 test fails, so the gate refuses these files." in page.text
    assert "No problems found" not in page.text
    assert [each["href"] for each in page.named("a") if each["href"] == "#tests-title"] == ["#tests-title"]


def test_files_come_back_byte_for_byte(gate: TestClient) -> None:
    for name, text in (("main.yaml", POLICIES), ("team.yaml", TEAM)):
        fields = opened(gate, f"?file={name}")
        reply = sent(gate, fields, action="file")
        assert reply.content == text.encode()
        assert reply.headers["content-disposition"].startswith(f'attachment; filename="{name}"')
        assert sent(gate, fields, action="patch").status_code == 200
        edited = fields[f"text:{name}"] + "# é\t☃"
        expected = (text + "# é\t☃").encode()
        assert sent(gate, fields, **{f"text:{name}": edited, "action": "file"}).content == expected


def test_a_patch_is_of_all_edited_files_and_none_is_said(gate: TestClient) -> None:
    fields = opened(gate)
    assert "there is no patch" in Page(sent(gate, fields, action="patch").text).text
    fields |= {
        "text:team.yaml": TEAM.replace("Rest", "Peace"),
        "text:new.yaml": "version: 1\r\npolicies: []\r\n",
    }
    reply = sent(gate, fields, action="patch")
    assert reply.headers["content-type"] == "text/x-diff; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.text.startswith("--- /dev/null\n+++ b/new.yaml\n@@ -0,0 +1,2 @@\n+version: 1\n")
    assert (
        "title: Ours, reason: Peace, applies_to: {environments: [staging]}, when: [{always: true}]}\r\n"
        in reply.text
    )


def test_a_file_is_added_and_another_opened(gate: TestClient) -> None:
    fields = opened(gate)
    html = sent(gate, fields, action="add", new=" team-b.yaml ").text
    assert Areas(html).texts == {"text:team-b.yaml": "version: 1\npolicies: []\n"}
    assert "new file" in Page(html).text
    html = sent(gate, fields, action="open", open="team.yaml").text
    assert list(Areas(html).texts) == ["text:team.yaml"]
    for name in ("", "team-b.yml", "../x.yaml", ".x.yaml", "a/b.yaml", *HOSTILE[:20]):
        assert "Name the new file like" in Page(sent(gate, fields, action="add", new=name).text).text, name
    assert "a file of that name already" in Page(sent(gate, fields, action="add", new="team.yaml").text).text


def test_what_is_in_force_may_change_meanwhile(gate: TestClient) -> None:
    fields = opened(gate)
    assert "have changed since you began" not in Page(sent(gate, fields).text).text
    page = Page(sent(gate, fields, began="sha256:0123").text)
    assert "The policies in force have changed since you began." in page.text
    assert page.value("began") == "sha256:0123"


def test_a_busy_gate_keeps_the_text(gate: TestClient) -> None:
    fields = opened(gate)
    waiting = gate.app.state.context.jobs._unfinished  # type: ignore[attr-defined]
    waiting.update({Future(): Event() for _ in range(MOST_UNFINISHED)})
    try:
        reply = sent(gate, fields, **{"text:main.yaml": "a: 1"})
        part = sent(gate, fields, part="check")
    finally:
        waiting.clear()
    assert reply.status_code == 503
    assert Areas(reply.text).texts == {"text:main.yaml": "a: 1"}
    assert "Not checked: too much is being computed already. Try again." in Page(reply.text).text
    assert part.status_code == 503
    assert part.headers["retry-after"] == "2"


def test_forms_from_elsewhere_are_refused(gate: TestClient) -> None:
    fields = opened(gate)
    assert gate.post(HERE, data=fields, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert sent(gate, {**fields, "proof": "x"}).status_code == 403
    gate.cookies.clear()
    assert sent(gate, fields).status_code == 403
    assert gate.post(HERE, content="x", headers={"Content-Type": "text/plain"}).status_code == 415


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"text:../x.yaml": ""}, 422),
        ({"file": "x.yml"}, 422),
        ({"open": "/etc/passwd"}, 422),
        ({"go": "nowhere"}, 422),
        ({"action": "write"}, 422),
        ({"more": "1"}, 422),
        ({"text:main.yaml": "a\0b"}, 422),
        ({"text:main.yaml": "a" * MAX_CANDIDATE}, 413),
    ],
)
def test_other_forms_are_refused(gate: TestClient, change: dict[str, str], status: int) -> None:
    fields = opened(gate)
    assert sent(gate, fields, **change).status_code == status


def test_a_field_given_twice_or_without_utf8_is_refused(gate: TestClient) -> None:
    fields = urlencode(opened(gate))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert gate.post(HERE, content=f"{fields}&file=team.yaml", headers=headers).status_code == 422
    assert gate.post(HERE, content=f"{fields}&text:new.yaml=%FF", headers=headers).status_code == 422


def test_viewers_may_propose_and_nobody_else(gate: TestClient) -> None:
    key = key_for(gate, KeyRequest("viewer", Role.VIEWER))
    sign_in(gate, key)
    fields = opened(gate)
    assert "1 of 1 pass" in Page(sent(gate, fields).text).text
    assert sent(gate, {**fields, "proof": ""}).status_code == 403


def test_a_form_for_a_higher_role_is_refused(gate: TestClient) -> None:
    router = APIRouter()

    @router.post("/texts")
    async def texts(request: Request) -> None:
        await texts_form(request, Role.OPS, 1_000)

    gate.app.include_router(router)  # type: ignore[attr-defined]
    page = sign_in(gate, key_for(gate, KeyRequest("viewer", Role.VIEWER)))
    reply = gate.post("/texts", data={"proof": page.value("proof")})
    assert reply.status_code == 403
    assert reply.json()["detail"].startswith("this needs the role ops, and ")


def test_without_an_anonymous_role_one_must_sign_in(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    settings = Settings(policies=tmp_path / "policies.yaml", anonymous_role="none")
    with TestClient(create_app(settings, request_log=RequestLog(io.BytesIO()))) as gate:
        assert gate.get(HERE, follow_redirects=False).headers["location"] == "/dashboard/sign-in"
        assert gate.post(HERE, data={"file": "policies.yaml"}).status_code == 401
        sign_in(gate, key_for(gate, KeyRequest("viewer", Role.VIEWER)))
        html = gate.get(HERE).text
        assert "New file" not in Page(html).text
        # With a real URL in force, it is shown nowhere.
        use(gate, POLICIES.replace("weekly: {from: fri 14:00, to: mon 08:00}", f"icalendar: {{url: {URL}}}"))
        fields = opened(gate)
        replies = [gate.get(HERE), sent(gate, fields), sent(gate, fields, action="file")]
        assert not [each for each in replies if URL in each.text or masked(URL) not in each.text]
        text = Page(replies[1].text).text
        assert "a masked URL of a calendar in line 17: put the real one back" in text
        edited = {"text:policies.yaml": fields["text:policies.yaml"].replace(masked(URL), f"{URL}x")}
        assert (
            "apply to your files: it changes policies.yaml:17"
            in Page(sent(gate, {**fields, **edited}).text).text
        )
        edited = {
            "text:policies.yaml": fields["text:policies.yaml"].replace(
                "    when:\r\n", "    when:  # x\r\n", 1
            )
        }
        assert "git apply --unidiff-zero" in Page(sent(gate, {**fields, **edited}).text).text


def use(gate: TestClient, text: str) -> None:
    """Put policies in force that no file has."""
    policies = gate.app.state.context.policies  # type: ignore[attr-defined]
    policies._source = None
    snapshot = Snapshot.of(text)
    policies._put_in_force(InForce(load_untested(snapshot).engine, snapshot, 0, ()))


def test_a_file_of_more_than_a_megabyte_is_neither_opened_nor_taken(tmp_path: Path) -> None:
    large = POLICIES + f"# {'-' * LARGEST_FILE}\n"
    (tmp_path / "policies.yaml").write_text(large)
    with TestClient(
        create_app(Settings(policies=tmp_path / "policies.yaml"), request_log=RequestLog(io.BytesIO()))
    ) as gate:
        html = gate.get(HERE).text
        assert "too much for this page" in Page(html).text
        assert Areas(html).texts == {}
        reply = sent(gate, opened(gate), **{"text:policies.yaml": large})
        assert reply.status_code == 413
        assert "at most 1 MiB and 50,000 lines here" in Page(reply.text).text


def test_the_dashboard_leads_here_also_from_warnings_about_the_files(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text("version: 1\npolicies: []\n")
    with TestClient(
        create_app(Settings(policies=tmp_path / "policies.yaml"), request_log=RequestLog(io.BytesIO()))
    ) as gate:
        page = Page(gate.get("/dashboard/policies").text)
    links = [each["href"] for each in page.named("a")]
    assert HERE in links
    assert f"{HERE}?file=policies.yaml&line=2" in links
    assert "policies.yaml, line 2: nothing is ever frozen: there is no policy" in page.text


def test_the_page_of_a_policy_leads_to_its_line(gate: TestClient) -> None:
    links = [each["href"] for each in Page(gate.get("/dashboard/policies/lunch").text).named("a")]
    assert f"{HERE}?policy=lunch" in links


def test_hostile_texts_stay_texts(gate: TestClient) -> None:
    fields = opened(gate)
    text = "\r\n".join(HOSTILE)
    html = sent(gate, fields, **{"text:main.yaml": text}).text
    page = Page(html)
    assert Areas(html).texts["text:main.yaml"] == "\n".join(HOSTILE)
    assert page.unclosed == []
    assert not [name for name, _ in page.elements if name in ("img", "iframe", "base", "style", "math")]
