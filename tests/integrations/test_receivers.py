from pathlib import Path
from typing import Any

import pytest

from app.core.notification import Notification, Occasion
from app.integrations.receivers import ReceiversFileError, read_receivers_file
from app.integrations.vendors import notifiers

SECRET = "s" * 24
SLACK = "https://hooks.slack.example/services/T0/SECRETPATH"
HOOK = f"receivers:\n  - name: hook\n    kind: webhook\n    url: https://x.example/\n    secret: {SECRET}\n"


def read(tmp_path: Path, text: str, **environment: str) -> Any:
    file = tmp_path / "receivers.yaml"
    file.write_text(text)
    return read_receivers_file(file, environment)


def told(*places: str, event: Occasion = Occasion.GATE_OPEN) -> Notification:
    return Notification("k", event, 0, "t", ("x",), places)


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{SLACK}\n")
    text = (
        "receivers:\n"
        "  - {name: ops, kind: slack, url_file: url, events: [gate-open], environments: [production]}\n"
        f"  - {{name: bot, kind: webhook, url_env: HOOK_URL, secret: {SECRET}}}\n"
    )
    ops, bot = read(tmp_path, text, HOOK_URL="http://127.0.0.1:9/hook ")
    assert (ops.name, ops.url.get_secret_value(), ops.secret) == ("ops", SLACK, None)
    assert ops.notifier is notifiers()["slack"]
    assert ops.events == {Occasion.GATE_OPEN}
    assert ops.environments == {"production"}
    assert bot.url.get_secret_value() == "http://127.0.0.1:9/hook"
    assert bot.secret.get_secret_value() == SECRET
    assert bot.events == set(Occasion)
    assert bot.environments is None
    assert "SECRETPATH" not in repr(ops)
    assert SECRET not in repr(bot)


def test_a_receiver_wants_its_events_in_its_environments_and_what_matters_everywhere(tmp_path: Path) -> None:
    (ops,) = read(tmp_path, HOOK + "    events: [gate-open]\n    environments: [production]\n")
    assert ops.wants(told("production"))
    assert ops.wants(told("staging", "production"))
    assert ops.wants(told())
    assert not ops.wants(told("staging"))
    assert not ops.wants(told("production", event=Occasion.FREEZE_ENDED))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1"),
        ("receivers: []\n", "receivers.yaml:1:12: receivers"),
        ("recievers: []\n", 'did you mean "receivers"?'),
        ("receivers:\n  - name: a\n    name: b\n", ":3:5:"),
        (HOOK.replace("webhook", "pager"), ":3:11: receivers[0].kind"),
        (HOOK.replace("hook\n", "Hook!\n", 1), ":2:11: receivers[0].name"),
        (
            HOOK + "    event: [gate-open]\n",
            ':6:5: receivers[0].event: unknown key "event"; did you mean "events"?',
        ),
        (HOOK + "    events: [gate-opens]\n", '; did you mean "gate-open"?'),
        (HOOK + "    events: []\n", "receivers[0].events"),
        (
            HOOK + "    url_file: x\n",
            "receivers[0]: one of url, url_file, url_env is needed; more than one is",
        ),
        (HOOK.replace("    url: https://x.example/\n", ""), "url_env is needed; none is there"),
        (
            HOOK.replace("url: https://x.example/", "url_file: nowhere"),
            "receivers[0].url_file: the file can't be",
        ),
        (
            HOOK.replace("url: https://x.example/", "url_env: NOWHERE"),
            "receivers[0].url_env: no such variable",
        ),
        (HOOK.replace("https://x", "http://x"), "the URL must begin with https://"),
        (HOOK.replace("https://x", "https://user:pw@x"), "must name a host, and nothing in front of it"),
        (HOOK.replace("https://x", "https://x.example℀"), "the URL can't be read"),
        (HOOK.replace(f"    secret: {SECRET}\n", ""), "one of secret, secret_file is needed; none is there"),
        (HOOK.replace(SECRET, "short"), "a secret has fewer than 24 characters"),
        (HOOK.replace("webhook", "slack"), "a receiver of kind slack takes no secret"),
        (HOOK + HOOK.removeprefix("receivers:\n"), "receivers[1].name: this name stands there twice"),
        (HOOK.replace(SECRET, "whsec_" + "!" * 24), "what follows whsec_ in a secret is not base 64"),
        ("receivers: [{name: a, kind: slack, url: [x]}]\n", "receivers[0].url"),
        ("receivers: {\n", "receivers.yaml:2:1: the file ends here"),
        (HOOK + "    environments:\n", ":6:18: receivers[0].environments: nothing stands behind this key"),
        (HOOK + "    events: gate-open\n", "receivers[0].events: expected a list, not a text"),
        (
            HOOK.replace("kind: webhook", f"kind: {SECRET}"),
            "receivers[0].kind: this is not one of slack, webhook",
        ),
        (
            HOOK.replace("name: hook", f"name: X{SECRET}"),
            "receivers[0].name: this can't be used: an id is 1 to 64",
        ),
        (
            HOOK.replace(SECRET, "1234567890123456789012345"),
            "receivers[0].secret: expected a text, not a number",
        ),
        (HOOK + "    tags: NO\n    on: 12:30\n", "receivers[0].on: unknown key"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_repeats_nothing_secret(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ReceiversFileError) as raised:
        read(tmp_path, text)
    assert said in str(raised.value)
    for secret in (SECRET, "x.example", "user:pw"):
        assert secret not in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReceiversFileError, match="can't be read"):
        read_receivers_file(tmp_path / "none.yaml", {})


def test_the_example_of_the_page_is_good(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/notifications/README.md").read_text()
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "url").write_text(SLACK)
    text = page.partition("```yaml\n")[2].partition("```")[0]
    text = text.replace("/run/secrets/slack-url", "url").replace("/run/secrets/webhook-secret", "secret")
    assert [each.name for each in read(tmp_path, text)] == ["ops", "deploy-bot"]


def test_the_page_lists_every_event() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/notifications/README.md").read_text()
    table = page.partition("## Events")[2].partition("\n## ")[0]
    assert all(f"`{event.value}`" in table for event in Occasion)
