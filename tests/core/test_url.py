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
def test_what_nobody_listens_in_on_is_taken(url: str) -> None:
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
def test_what_is_not_taken_says_why_and_repeats_nothing(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=rf"^{why}$"):
        secure_url(url)
