"""The gate below a path of a proxy: what a page links to, posts to and listens to is there as well."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect
from pydantic import ValidationError
from starlette.testclient import TestClient

from app.main import create_app
from app.server.log import RequestLog
from app.settings import Settings, SettingsError
from tests.api.fakes import FakeClock
from tests.web.browser import opened
from tests.web.pages import Page
from tests.web.serving import ALWAYS, INCIDENT, send, serving, sign_in

HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def below(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "policies.yaml").write_text(ALWAYS)
    settings = Settings(policies=tmp_path / "policies.yaml", root_path="/tools/freezegate")
    with TestClient(create_app(settings, clock=FakeClock(1_795_784_700))) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?wall",
        "/dashboard/insights",
        "/dashboard/policies/closed",
        "/services/checkout",
        "/dashboard/calendar",
        "/dashboard/past",
        "/dashboard/decisions",
        "/docs",
        "/x",
    ],
)
def test_every_link_and_form_of_a_page_stays_below_the_root_path(below: TestClient, path: str) -> None:
    page = Page(below.get(f"/tools/freezegate{path}", headers=HTML).text)
    places = [
        place
        for _, attributes in page.elements
        for name in ("href", "action", "src")
        if (place := attributes.get(name)) and place.startswith("/")
    ]
    assert places
    assert [place for place in places if not place.startswith("/tools/freezegate/")] == []
    for place in {urlsplit(each)._replace(fragment="").geturl() for each in places}:
        assert below.get(place, headers=HTML).status_code != 404 or path == "/x", place


def test_a_proxy_may_cut_the_root_path_off(below: TestClient) -> None:
    for path in ("/can-deploy?service=docs-site", "/healthz", "/"):
        assert below.get(path).status_code == below.get(f"/tools/freezegate{path}").status_code == 200


def test_a_path_that_only_begins_with_the_same_letters_is_not_below_it(below: TestClient) -> None:
    assert below.get("/tools/freezegate-other/healthz").status_code == 404


def test_redirections_and_cookies_stay_below_the_root_path(below: TestClient) -> None:
    reply = below.get("/tools/freezegate/dashboard/sessions", follow_redirects=False)
    assert reply.headers["location"] == "/tools/freezegate/dashboard/sign-in"
    form = below.get("/tools/freezegate/dashboard/sign-in")
    assert "Path=/tools/freezegate/dashboard/sign-in" in form.headers["set-cookie"]


def test_the_address_to_copy_has_the_root_path(below: TestClient) -> None:
    page = below.get("/tools/freezegate/?service=docs-site&environment=production").text
    assert "http://testserver/tools/freezegate/can-deploy" in page


@pytest.mark.parametrize("wrong", ["freezegate", "/freezegate/", "/a b", "//x", "/"])
def test_a_root_path_begins_with_a_slash_and_ends_with_a_name(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Settings(root_path=wrong)


def test_a_root_path_that_is_the_beginning_of_a_route_hides_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "freezegate")
    (tmp_path / "policies.yaml").write_text(ALWAYS)
    settings = Settings(policies=tmp_path / "policies.yaml", root_path="/sta")
    log = io.BytesIO()
    clock = FakeClock(1_795_784_700)
    with TestClient(create_app(settings, clock=clock, request_log=RequestLog(log))) as gate:
        for path in ("/status", "/static/base.css"):
            assert gate.get(path).status_code == gate.get(f"/sta{path}").status_code == 200
        assert gate.get("/sta/can-deploy?service=docs-site").status_code == 200
    routes = [json.loads(line)["route"] for line in log.getvalue().splitlines() if b'"route"' in line]
    assert routes == ["/status", "/status", "/static/{name}", "/static/{name}", "/can-deploy"]


@pytest.mark.parametrize("own", ["/freezes", "/status/below", "/can-deploy"])
def test_a_root_path_that_is_a_route_refuses_to_start(tmp_path: Path, own: str) -> None:
    (tmp_path / "policies.yaml").write_text(ALWAYS)
    settings = Settings(policies=tmp_path / "policies.yaml", root_path=own)
    with pytest.raises(SettingsError, match="has a route /"), TestClient(create_app(settings)):
        pass


def test_below_a_root_path_people_sign_in_and_the_page_is_live(browser: Browser, tmp_path: Path) -> None:
    with (
        serving(tmp_path, ALWAYS, FREEZEGATE_ROOT_PATH="/tools/gate") as gate,
        opened(browser, f"{gate.url}/tools/gate") as page,
    ):
        expect(page.locator(".frozen-place")).to_have_count(1)
        send(gate, "POST", "/freezes", {**INCIDENT, "environments": ["staging"]})
        expect(page.locator(".frozen-place")).to_have_count(2)
        sign_in(page, gate._replace(gate=gate.gate._replace(url=f"{gate.url}/tools/gate")))
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
