import json
import re
from typing import Any

import pytest

from app.core.notification import Notification, Occasion, one_line
from app.integrations.slack.message import escaped, request
from tests.hostile import HOSTILE

MENTIONS = [
    "<!channel>", "<!here>", "<!everyone>", "<@U012AB3CD>", "<#C123ABC456>", "<#C123ABC456|general>",
    "<!subteam^S123>", "<!date^1392734382^{date}|x>", "<https://evil.example|click>", "<https://evil.example>",
    "<mailto:a@evil.example|mail>", "<slack://open>", "&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;",
    "&#60;!channel&#62;", "&lt", "<<!channel>>", "<\u200b!channel>", "<!chan\nnel>", "@channel", "@here",
    "@everyone", "@all", "@U012AB3CD", "#general", "~general", "http://evil.example", "HTTPS://EVIL.EXAMPLE",
    "//evil.example", "www.evil.example", "evil.example/path", "a@evil.example", "mailto:a@evil.example",
    "tel:123", "javascript:alert(1)", "[click](https://evil.example)", "[click](evil.example)",
    "[click][1]", "![x](https://evil.example/x.png)", "ftp://evil.example", "slack://user",
    "data:text/html,x",
    "*bold*", "_i_", "~s~", "`code`", "```block```", "> quote", ":joy:",
    '","blocks":[{"type":"image"}],"x":"',
    "\\u003c!channel\\u003e", "\\", '"', "a\r\nb", "a\x00b", "\ud83d", "\u202egpj.exe", "\u2066x", "\ufeff",
    "", " ", "&", "&&&&", "<", ">", "<>", "x" * 10_000, "<" * 10_000, "&amp;" * 2_000,
    "@" * 10_000, "😀" * 4_000,
]  # fmt: skip

# What Slack, and what takes its messages, make something of.
MARKS = re.compile(
    r"[<>]|@\w|[#~]\w|://|\]\(|\]\[|\w\.\w|\b(mailto|tel|javascript|slack|data):\S", re.IGNORECASE
)
ENTITIES = re.compile(r"&(?!(amp|lt|gt);)")


def told(text: str) -> Notification:
    line = one_line(text)
    return Notification("k", Occasion.FREEZE_STARTED, 0, line, (line, "then."), ("production",), "frz_1", {})


def texts(value: Any) -> list[str]:
    """Every text of a message, and no word of its own form."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for name, each in value.items() if name not in ("type", "parse") for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else []


@pytest.mark.parametrize("text", [*MENTIONS, *HOSTILE], ids=range(len(MENTIONS) + len(HOSTILE)))
def test_no_text_is_a_mention_or_a_link_or_breaks_the_message(text: str) -> None:
    message = json.loads(request(told(text), None, 0).body)
    assert len(texts(message)) == 3
    for each in texts(message):
        assert not MARKS.search(each.replace("&lt;", " ").replace("&gt;", " "))
        assert not ENTITIES.search(each)
        assert "<" not in each
    header, section = message["blocks"]
    assert header["text"]["type"] == section["text"]["type"] == "plain_text"
    assert 1 <= len(section["text"]["text"]) <= 3_000
    assert len(header["text"]["text"]) <= 150
    assert (message["parse"], message["link_names"], message["mrkdwn"]) == ("none", False, False)


@pytest.mark.parametrize("text", [*MENTIONS, *HOSTILE], ids=range(len(MENTIONS) + len(HOSTILE)))
def test_nothing_readable_is_lost(text: str) -> None:
    shown = escaped(text, 10**6).replace("\u200b", "")
    for entity, letter in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        shown = shown.replace(entity, letter)
    assert shown == text.replace("\u200b", "")


def test_a_text_is_never_cut_within_an_entity() -> None:
    for most in range(20):
        assert re.fullmatch(r"(&lt;)*", escaped("<<<<<", most))


def opened(*services: str, who: str = "carol", environment: str = "production") -> Notification:
    denied = [{"service": service, "who": who, "change": ""} for service in services]
    text = (f"{environment} is open.", f"Denied meanwhile: {', '.join(services)}.")
    return Notification(
        "k", Occasion.GATE_OPEN, 0, "open again", text, (environment,), None, {"denied": denied, "more": 0}
    )


def test_names_with_a_dot_stand_beneath_as_they_are() -> None:
    message = json.loads(request(opened("checkout.api", "web", "a.b/c_d", "checkout.api"), None, 0).body)
    assert "checkout.api" not in message["text"]
    assert message["blocks"][2] == {
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": "`checkout.api` `a.b/c_d`", "verbatim": True}],
    }


def test_names_of_freezes_and_overrides_stand_there_too() -> None:
    for data in (
        {"services": ["web/*.api"], "environments": None},
        {"services": None, "service": "web/*.api"},
    ):
        told = Notification("k", Occasion.FREEZE_STARTED, 0, "t", ("x",), ("eu.production",), "frz_1", data)
        (_, _, context) = json.loads(request(told, None, 0).body)["blocks"]
        assert context["elements"][0]["text"] == "`eu.production` `web/*.api`"


def test_without_a_dot_in_a_name_there_is_nothing_beneath() -> None:
    assert len(json.loads(request(opened("checkout", "web"), None, 0).body)["blocks"]) == 2


@pytest.mark.parametrize("text", [*MENTIONS, *HOSTILE], ids=range(len(MENTIONS) + len(HOSTILE)))
def test_nothing_but_names_stands_beneath_and_all_of_it_is_code(text: str) -> None:
    # Whoever asks names a service, and nothing but a name is taken as one; it is looked at once more.
    told = opened(text, f"x.{text}", "evil.example", who=text, environment=text)
    (_, _, context) = json.loads(request(told, None, 0).body)["blocks"]
    assert re.fullmatch(
        r"`[a-z0-9*][a-z0-9._/*-]*`( `[a-z0-9*][a-z0-9._/*-]*`)*", context["elements"][0]["text"]
    )


def test_a_message_with_many_names_fits() -> None:
    told = opened(*(f"{number:03}.{'x' * 124}" for number in range(100)))
    (_, _, context) = json.loads(request(told, None, 0).body)["blocks"]
    assert context["elements"][0]["text"].count(" ") == 19
    assert len(context["elements"][0]["text"]) <= 3_000


def test_a_message_reads_well() -> None:
    told = Notification("k", Occasion.GATE_OPEN, 0, "production is open again", ("One.", "Two & three."))
    message = json.loads(request(told, None, 0).body)
    assert message["text"] == "production is open again\nOne.\nTwo &amp; three."
    assert message["blocks"][0] == {
        "type": "header",
        "text": {"type": "plain_text", "text": "production is open again", "emoji": False},
    }
