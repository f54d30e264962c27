import base64
import json
import re
from typing import Any

import pytest
from pydantic import SecretStr

from app.core.notification import Notification, Occasion
from app.integrations.signatures import standard_signature
from app.integrations.webhook.message import id_of, request
from tests.hostile import HOSTILE
from tests.live.gate import ROOT

NOW = 1_731_705_121
SECRET = SecretStr("whsec_plJ3nmyCDGBKInavdOK15jsl")  # the one of the specification


def told(text: str = "x") -> Notification:
    data = {"reason": text, "ends_at": None}
    return Notification(
        "event:1", Occasion.FREEZE_STARTED, NOW, text, (text, "y"), ("production",), "frz_1", data
    )


def verified() -> Any:
    """The function that the documents show."""
    page = (ROOT / "docs/how-to/notifications/webhook.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page
    names["time"] = type("Clock", (), {"time": staticmethod(lambda: NOW + 1)})
    return names["verified"]


def test_the_signature_is_that_of_the_specification() -> None:
    body = b'{"event_type":"ping","data":{"success":true}}'
    signed = standard_signature(SECRET, "msg_loFOjxBNrRLzqYUf", "1731705121", body)
    assert signed == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_what_the_page_shows_verifies_what_is_sent() -> None:
    headers, body = request(told(), SECRET, NOW * 1_000_000 + 5)
    key = base64.b64decode(SECRET.get_secret_value().removeprefix("whsec_"))
    check = verified()
    assert check(key, headers, body)
    assert not check(key, headers, body + b" ")
    assert not check(b"another one", headers, body)
    assert not check(key, {**headers, "Webhook-Id": "msg_other"}, body)
    assert not check(key, {**headers, "Webhook-Timestamp": str(NOW - 400)}, body)


def test_a_secret_without_a_prefix_stands_for_itself() -> None:
    plain = SecretStr("a secret of many letters")
    headers, body = request(told(), plain, NOW * 1_000_000)
    assert verified()(b"a secret of many letters", headers, body)
    odd = SecretStr("whsec_not base 64, but long")
    headers, body = request(told(), odd, NOW * 1_000_000)
    assert verified()(b"whsec_not base 64, but long", headers, body)


def test_a_message_has_the_same_id_at_every_try_and_no_other_has_it() -> None:
    first, later = (request(told(), SECRET, at * 1_000_000).headers for at in (NOW, NOW + 60))
    assert first["Webhook-Id"] == later["Webhook-Id"] == id_of("event:1") != id_of("event:2")
    assert first["Webhook-Signature"] != later["Webhook-Signature"]


@pytest.mark.parametrize("text", [*HOSTILE, "a\x00b", "half a pair \ud83d", "\u2028", "\u202e"])
def test_no_text_breaks_the_body(text: str) -> None:
    headers, body = request(told(text), SECRET, NOW * 1_000_000)
    parsed = json.loads(body)
    assert body.isascii()
    assert parsed["data"]["about"]["reason"] == text
    assert parsed["data"]["text"] == f"{text}\ny"
    assert set(parsed) == {"type", "timestamp", "data"}
    assert all(re.fullmatch(r"[\x20-\x7e]+", value) for value in headers.values())


def test_the_body_is_what_the_page_says() -> None:
    page = (ROOT / "docs/how-to/notifications/webhook.md").read_text()
    shown = json.loads(page.partition("```json\n")[2].partition("```")[0].replace("…", ""))
    sent = json.loads(request(told(), SECRET, NOW * 1_000_000).body)
    assert set(shown) == set(sent)
    assert set(shown["data"]) == set(sent["data"])
