import hmac

import pytest
from pydantic import SecretStr

from app.integrations.signatures import (
    MOST_DIGESTS,
    REPLAY_WINDOW,
    hmac_matches,
    is_recent,
    standard_signature,
    standard_webhook_matches,
    token_matches,
)

NOW = 1_731_705_121
NEW, OLD, FOREIGN = (
    SecretStr("new secret"),
    SecretStr("whsec_b2xkIHNlY3JldA=="),
    SecretStr("whsec_not base 64"),
)
BODY = b'{"a": "\xc3\xa9"}'


def digest(secret: SecretStr, body: bytes = BODY, algorithm: str = "sha256") -> str:
    return hmac.digest(secret.get_secret_value().encode(), body, algorithm).hex()


def test_any_digest_with_any_secret_matches() -> None:
    assert hmac_matches([NEW, OLD], BODY, [digest(OLD)])
    assert hmac_matches([NEW], BODY, ["", digest(FOREIGN), digest(NEW).upper()])
    assert hmac_matches([NEW], BODY, [digest(NEW, algorithm="sha512")], "sha512")


@pytest.mark.parametrize("given", [[], [""], [digest(FOREIGN)], [digest(NEW)[:-1]], ["\xe9\udcff"[:1]]])
def test_nothing_else_matches(given: list[str]) -> None:
    assert not hmac_matches([NEW, OLD], BODY, given)
    assert not hmac_matches([], BODY, [digest(NEW)])
    assert not hmac_matches([NEW], BODY + b" ", [digest(NEW)])


def test_digests_beyond_a_number_are_not_looked_at() -> None:
    assert not hmac_matches([NEW], BODY, ["0"] * MOST_DIGESTS + [digest(NEW)])


def headers(secret: SecretStr, at: int = NOW, prefix: str = "webhook") -> dict[str, str]:
    signed = standard_signature(secret, "msg_1", str(at), BODY)
    return {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": str(at), f"{prefix}-signature": f"v1,x {signed}"}


@pytest.mark.parametrize("prefix", ["webhook", "svix"])
@pytest.mark.parametrize("secret", [NEW, OLD, FOREIGN])
def test_a_standard_webhook_is_accepted_within_the_window(secret: SecretStr, prefix: str) -> None:
    for at in (NOW - REPLAY_WINDOW, NOW + REPLAY_WINDOW):
        assert standard_webhook_matches([NEW, OLD, FOREIGN], headers(secret, at, prefix), BODY, NOW)
    for at in (NOW - REPLAY_WINDOW - 1, NOW + REPLAY_WINDOW + 1):
        assert not standard_webhook_matches([NEW, OLD, FOREIGN], headers(secret, at, prefix), BODY, NOW)


def test_each_part_of_a_standard_webhook_is_signed() -> None:
    good = headers(NEW)
    assert not standard_webhook_matches([OLD], good, BODY, NOW)
    assert not standard_webhook_matches([NEW], good, BODY + b" ", NOW)
    assert not standard_webhook_matches([NEW], good | {"webhook-id": "msg_2"}, BODY, NOW)
    assert not standard_webhook_matches([NEW], good | {"webhook-timestamp": str(NOW + 1)}, BODY, NOW)
    for name in good:
        assert not standard_webhook_matches([NEW], {**good, name: ""}, BODY, NOW)
    assert not standard_webhook_matches([NEW], {}, BODY, NOW)


@pytest.mark.parametrize("time", ["", "-1", "1.5", "\u0661", "9" * 13, f" {NOW}", "now"])
def test_what_is_no_time_is_not_recent(time: str) -> None:
    assert not is_recent(time, NOW)


def test_a_token_is_one_of_ours_or_not() -> None:
    assert token_matches([NEW, OLD], "new secret")
    assert not token_matches([NEW], "")
    assert not token_matches([NEW], "n\xe9w secret")
    assert not token_matches([], "")
    assert not token_matches([NEW], "\ud800")


def test_a_lone_surrogate_is_no_signature_and_no_error() -> None:
    assert not hmac_matches([NEW], b"", ["\ud800"])
    for headers in (_headers("v1,\ud800"), _headers("v1,x", own_id="\ud800")):
        assert not standard_webhook_matches([NEW], headers, b"", NOW)


def _headers(signatures: str, own_id: str = "msg") -> dict[str, str]:
    return {"webhook-id": own_id, "webhook-timestamp": str(NOW), "webhook-signature": signatures}
