"""200 hostile texts through exports and the log; page, feed, badge and Slack have tests of their own."""

import csv
import io
import json
import logging
import re

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import bearer
from tests.hostile import HOSTILE


@pytest.fixture
def told(gate: TestClient) -> TestClient:
    """A gate to which each of them was said, wherever a claim takes text."""
    for text in HOSTILE:
        claimed = gate.post(
            "/can-deploy", json={"service": "api", "actor": text, "ref": text, "run_url": text}
        )
        assert claimed.status_code == 423, text
    return gate


def test_exports_give_each_back_and_none_as_a_formula(told: TestClient) -> None:
    exported = told.get("/decisions", headers={"Accept": "text/csv"}).text
    rows = list(csv.DictReader(io.StringIO(exported, newline="")))
    assert len(rows) == len(HOSTILE)
    for row, text in zip(rows, reversed(HOSTILE), strict=True):
        for column in ("actor", "ref", "run_url"):
            assert row[column].removeprefix("'") == text.removeprefix("'")
            assert not row[column].startswith(("=", "+", "-", "@"))
    lines = told.get("/decisions", headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(line)["actor"] for line in lines] == list(reversed(HOSTILE))


def test_each_line_of_the_log_is_one_object_and_carries_none_of_them(
    gate: TestClient, keys: dict[str, str], log: io.BytesIO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "freezegate")
    for text in HOSTILE:
        for headers in ({b"X-Request-Id": text.encode()}, {b"User-Agent": text.encode()}):
            gate.get("/can-deploy", params={"service": text}, headers=headers)
        gate.get(f"/decisions/{text.replace('/', '').replace('?', '').replace('#', '')}")
        gate.post("/freezes", json={"title": text, "reason": text, "ttl": "1h"}, headers=bearer(keys["ops"]))
    written = log.getvalue().decode()
    lines = [json.loads(line) for line in written.splitlines()]
    assert len(lines) >= 4 * len(HOSTILE)
    known = {"message", "level", "at", "time", "request_id", "method", "route", "status", "duration_ms"}
    extra = {"service", "environment", "outcome", "logger"}
    for line in lines:
        assert line.keys() <= known | extra, line.keys() - known - extra
    for text in HOSTILE:
        # A request id that a caller gives is kept where it is harmless.
        assert len(text) < 8 or re.fullmatch(r"[\w.-]{1,64}", text, re.ASCII) or text not in written, text


def test_a_batch_names_none_of_them_and_allows_none(gate: TestClient) -> None:
    asked = {"questions": [{"service": text, "environment": text} for text in HOSTILE]}
    reply = gate.post("/can-deploy/batch", json=asked)
    assert reply.status_code == 423
    answers = reply.json()["answers"]
    assert len(answers) == len(HOSTILE)
    assert not any(each["allowed"] for each in answers)
    assert not [text for text in HOSTILE if len(text) > 8 and text in json.dumps(answers, ensure_ascii=False)]
    claimed = gate.post("/can-deploy", json={"services": HOSTILE[:100]})
    assert claimed.status_code == 422
    assert not [text for text in HOSTILE if len(text) > 8 and text in claimed.text]
