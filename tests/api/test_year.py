"""``GET /year``: the year that a caller gets, as data and as a picture."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from starlette.testclient import TestClient

from app.core.year.representation import year_from_json
from tests.gate.conftest import reload


def test_a_year_has_every_day_with_what_freezes_it(module_gate: TestClient) -> None:
    reply = module_gate.get("/year", params={"year": "2027"})
    body = reply.json()
    assert reply.headers["cache-control"] == "no-store"
    assert (body["environment"], body["service"], body["change"]) == ("production", None, "normal")
    assert (body["from"], body["to"]) == ("2026-12-31T23:00:00Z", "2027-12-31T23:00:00Z")
    assert [rule["id"] for rule in body["rules"]] == ["friday-afternoon"]
    friday = next(day for day in body["days"] if day["date"] == "2027-01-08")
    assert friday["blocking"] == [
        {"id": "friday-afternoon", "from": "2027-01-08T13:00:00Z", "until": "2027-01-08T23:00:00Z"}
    ]
    assert (len(body["days"]), friday["frozen_s"]) == (365, 10 * 3600)
    assert year_from_json(body).seconds == body["frozen_s"]


@pytest.mark.parametrize(
    ("asked", "rules"),
    [
        ({"environment": "staging"}, []),
        ({"change": "rollback"}, []),
        ({"service": "docs-site"}, []),
        ({"service": "checkout"}, ["friday-afternoon"]),
    ],
)
def test_a_year_is_of_a_service_an_environment_and_a_kind_of_change(
    module_gate: TestClient, asked: dict[str, str], rules: list[str]
) -> None:
    body = module_gate.get("/year", params=asked).json()
    assert [rule["id"] for rule in body["rules"]] == rules
    assert body["year"] == 2026, "the present one"


def test_the_present_year_is_that_of_the_zone(module_gate: TestClient) -> None:
    context = module_gate.app.state.context  # type: ignore[attr-defined]
    before, context.clock.at = context.clock.at, 1_798_758_000  # 2026-12-31T23:00:00Z
    bodies = [module_gate.get("/year", params=each).json() for each in ({}, {"timezone": "UTC"})]
    context.clock.at = before
    assert [(body["year"], body["timezone"]) for body in bodies] == [
        (2027, "Europe/Amsterdam"),
        (2026, "UTC"),
    ]


def test_a_picture_is_sent_to_those_who_accept_it(module_gate: TestClient) -> None:
    reply = module_gate.get("/year?year=2027", headers={"Accept": "image/svg+xml"})
    assert reply.headers["content-type"] == "image/svg+xml"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    root = ET.fromstring(reply.text)  # noqa: S314 - drawn by us
    assert root.attrib["aria-label"] == "Deploy freezes of production in 2027"
    assert not root.findall(".//{http://www.w3.org/2000/svg}a"), "a sheet of paper has no links"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"year": "1999"}, "year: is a year of 2000 to 2100"),
        ({"year": "2101"}, "year: is a year of 2000 to 2100"),
        ({"year": "27"}, "year: is a year such as 2027"),
        ({"year": "²027"}, "year: is a year such as 2027"),
        ({"timezone": "Mars/Base"}, "timezone: not an IANA time zone"),
        ({"environment": "moon"}, "environment: unknown environment; known: production, staging"),
        ({"service": "api", "change": "guess"}, "change: unknown change"),
        ({"x": "1"}, "x: there is no such field here"),
    ],
)
def test_what_is_wrong_is_named(module_gate: TestClient, asked: dict[str, str], said: str) -> None:
    reply = module_gate.get("/year", params=asked)
    assert reply.status_code == 422
    assert reply.json()["detail"].startswith(said)


def test_a_policy_of_every_minute_is_refused_by_name_and_holds_nothing_up(
    gate: TestClient, folder: Path
) -> None:
    (folder / "policies.yaml").write_text(
        "version: 1\npolicies:\n  - id: jobs\n    title: Jobs\n    reason: r\n"
        '    when: [{cron: {start: "* * * * *", duration: 30s}}]\n'
    )
    context = gate.app.state.context  # type: ignore[attr-defined]
    reload(context.policies, context.clock.now())
    reply = gate.get("/year?year=2031")
    assert reply.status_code == 422
    assert reply.json()["errors"] == [
        {
            "field": "year",
            "message": "the rules up to jobs freeze more than 20,000 times a year, too often for a picture; "
            "ask /schedule for a few days at a time",
        }
    ]
