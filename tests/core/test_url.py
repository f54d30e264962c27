import pytest

from app.core.url import secure_url


@pytest.mark.parametrize(
    "url",
    [
        "https://x.example",
        "https://x.example:8443/a?b=c",
        "http://127.0.0.1:9/x",
        "http://[::1]/",
        "http://localhost",
    ],
)
def test_an_encrypted_or_local_url_is_accepted(url: str) -> None:
    assert secure_url(url) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://secret.example/", "must begin with https://"),
        ("http://127.0.0.1.secret.example/", "must begin with https://"),
        ("ftp://secret.example/", "must begin with https://"),
        ("secret.example", "must begin with https://"),
        ("", "must begin with https://"),
        ("https:///secret", "must name a host, and nothing in front of it"),
        ("https://name:secret@x.example/", "must name a host, and nothing in front of it"),
        ("https://[secret/", "can't be read"),
        ("https://secret℀.example/", "can't be read"),
    ],
)
def test_a_refused_url_gets_a_reason_that_does_not_repeat_it(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=rf"^{why}$"):
        secure_url(url)
