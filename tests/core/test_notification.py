import json
from typing import Any

import pytest

from app.core import notification
from app.core.decision import Decision, Question
from app.core.engine import Engine
from app.core.freeze import Freeze
from app.core.freeze_notification import (
    freeze_begins,
    freeze_changed,
    freeze_ended,
    freeze_extended,
    freeze_lifted,
    freeze_soon,
    freeze_started,
)
from app.core.instant import HOUR, parse_instant
from app.core.notification import Denied, Notification, Occasion, one_line
from app.core.override import Override
from app.core.policy import PolicySet, Selector
from app.core.wallclock import zone

HOME = zone("Europe/Amsterdam")
AT = parse_instant("2026-11-27T13:00:00Z")
MONDAY = parse_instant("2026-11-30T07:00:00Z")
ENGINE = Engine(
    PolicySet.model_validate(
        {
            "version": 1,
            "timezone": "Europe/Amsterdam",
            "policies": [
                {
                    "id": "friday",
                    "title": "No deploys after Friday 14:00.",
                    "reason": "Nothing good happens then.",
                    "when": [{"weekly": {"from": "fri 14:00", "to": "mon 08:00"}}],
                }
            ],
        }
    )
)


def decided(at: int) -> Decision:
    return ENGINE.environment("production").decide(Question("", "production"), at)


def freeze(selector: dict[str, Any] | None = None, **changes: Any) -> Freeze:
    made = Freeze(
        "frz_1", "Incident 42", "Payments are down", None, None, Selector.model_validate(selector or {}),
        "token", AT, AT + HOUR, "alice", AT,
    )  # fmt: skip
    return made._replace(**changes)


def override(**changes: Any) -> Override:
    made = Override(
        "ovr_1", ("checkout", "web"), ("production",), None, "Payments fail for Visa.", None, "alice", AT,
        AT + HOUR, 2, 0, 0,
    )  # fmt: skip
    return made._replace(**changes)


def test_a_policy_freeze_in_words() -> None:
    soon = notification.policy_freeze_soon("production", decided(AT), HOME, AT - HOUR)
    assert soon.title == "production freezes in 1 h"
    said, why = soon.text
    assert said == (
        "production will be frozen from Fri 27 Nov 14:00 CET on: No deploys after Friday 14:00. "
        "Opens Mon 30 Nov 08:00 CET."
    )
    assert why == "No deploys after Friday 14:00: Nothing good happens then."
    begun = notification.policy_freeze_begins(decided(AT), HOME)
    assert begun.title == "production is frozen"
    assert begun.text[0] == (
        "production is frozen: No deploys after Friday 14:00. Opens Mon 30 Nov 08:00 CET, in 2 d 18 h."
    )
    assert begun.data == {
        "from": "2026-11-27T13:00:00Z",
        "until": "2026-11-30T07:00:00Z",
        "blocking": ["friday"],
    }
    over = notification.policy_freeze_ends(decided(MONDAY), HOME)
    assert over.title == "The policy freeze of production is over"
    assert over.text == (
        "production is open. Closes Fri 4 Dec 14:00 CET, in 4 d 6 h: No deploys after Friday 14:00.",
    )
    assert [each.environments for each in (soon, begun, over)] == [("production",)] * 3


def test_an_opening_in_words() -> None:
    denied = (Denied("checkout", "carol"), Denied("web", ""))
    opened = notification.gate_open(decided(MONDAY), HOME, denied, 3, "k")
    assert opened.title == "production is open again"
    assert opened.text[1] == "Denied meanwhile: checkout (carol), web (anonymous) and 3 more."


@pytest.mark.parametrize(
    ("denied", "more", "said"),
    [
        ([Denied("checkout", "carol")], 0, "checkout (carol)"),
        ([Denied("checkout", "carol")] * 2, 0, "checkout (carol)"),
        ([Denied("checkout", "carol", "hotfix")], 1, "hotfix of checkout (carol) and 1 more"),
        ([], 1, "1 claim"),
        ([], 2, "2 claims"),
    ],
)
def test_an_opening_names_each_once_and_counts_the_rest(denied: list[Denied], more: int, said: str) -> None:
    opened = notification.gate_open(decided(MONDAY), HOME, denied, more, "k")
    assert opened.text[1] == f"Denied meanwhile: {said}."


def test_an_opening_names_twenty_and_counts_the_rest() -> None:
    denied = [Denied("checkout", f"person {number}") for number in range(25)]
    opened = notification.gate_open(decided(MONDAY), HOME, denied, 2, "k")
    assert opened.text[1].endswith("checkout (person 19) and 7 more.")
    assert len(opened.data["denied"]) == 20
    assert opened.data["more"] == 7


def test_an_opening_of_services_names_what_may_be_deployed() -> None:
    denied = [Denied("checkout", "carol"), Denied("checkout", "dave"), Denied("web", "", "hotfix")]
    present = decided(MONDAY)._replace(question=Question("checkout", "production"))
    opened = notification.services_open(present, HOME, denied, 0, "k")
    assert opened.title == "checkout, hotfix of web may be deployed to production again"
    assert opened.text[0].startswith("checkout may be deployed to production.")


@pytest.mark.parametrize(
    ("selector", "where"),
    [
        ({}, "every environment"),
        ({"environments": ["production", "staging"]}, "production, staging"),
        ({"services": ["api", "web/*"]}, "api, web/* in every environment"),
        ({"tags": ["tier-1"], "environments": ["production"]}, "services tagged tier-1 in production"),
    ],
)
def test_a_freeze_says_what_it_stops(selector: dict[str, Any], where: str) -> None:
    started = freeze_started(freeze(selector), AT, HOME, "event:1")
    assert started.title == "Deploys are frozen: Incident 42"
    assert started.text == (
        f"alice froze {where}: Incident 42.",
        "Payments are down.",
        "It ends Fri 27 Nov 15:00 CET.",
    )
    lifted = freeze_lifted(freeze(selector), AT, HOME, "event:2", "bob")
    assert lifted.text == (
        f"bob lifted the freeze of {where}: Incident 42.",
        "Started by alice Fri 27 Nov 14:00 CET.",
    )
    ended = freeze_ended(freeze(selector), AT + HOUR)
    assert ended.text == (f"The freeze of {where} has ended: Incident 42.",)
    assert {each.subject for each in (started, lifted, ended)} == {"frz_1"}


def test_an_open_ended_freeze_says_so() -> None:
    started = freeze_started(freeze(ends_at=None), AT, HOME, "event:1")
    assert started.text[-1] == "It lasts until it is lifted."
    assert started.data["ends_at"] is None
    extended = freeze_extended(freeze(ends_at=None), AT, HOME, "event:1", "bob")
    assert extended.text == (
        "bob moved the end of the freeze Incident 42.",
        "It lasts until it is lifted.",
        "Started by alice Fri 27 Nov 14:00 CET.",
    )


def test_a_freeze_names_its_contact_its_state_and_why_it_was_lifted() -> None:
    exempt = (Selector.model_validate({"changes": ["rollback", "hotfix"]}),)
    made = freeze({"environments": ["production"]})._replace(contact="#incidents.", exempt=exempt)
    started = freeze_started(made, AT, HOME, "event:1")
    assert started.text[0] == "alice froze production, except rollback or hotfix changes: Incident 42."
    assert started.text[-1] == "Ask #incidents."
    assert started.data["exempt"] == [{"changes": ["rollback", "hotfix"]}]
    assert started.data["contact"] == "#incidents."
    for each in (
        freeze_extended(made, AT, HOME, "event:2", "bob"),
        freeze_changed(made, AT, HOME, "event:2", "bob"),
        freeze_soon(made._replace(created_at=AT - HOUR), HOME, AT - 60),
        freeze_begins(made, HOME),
    ):
        words = " ".join(each.text)
        assert "alice" in words, each.event
        assert "Ask #incidents." in words, each.event
    lifted = made._replace(lifted_at=AT, lifted_by="bob", lift_reason="Fixed")
    assert freeze_lifted(lifted, AT, HOME, "event:3", "bob").text[1] == "Fixed."
    assert freeze_lifted(lifted, AT, HOME, "event:3", "bob").data["lift_reason"] == "Fixed"


def test_a_changed_freeze_in_words() -> None:
    changed = freeze_changed(freeze(), AT, HOME, "event:1", "bob")
    assert changed.title == "Freeze changed: Incident 42"
    assert changed.text == (
        "bob changed the freeze of every environment: Incident 42.",
        "Payments are down.",
        "It ends Fri 27 Nov 15:00 CET.",
        "Started by alice Fri 27 Nov 14:00 CET.",
    )
    later = freeze_changed(freeze(created_at=AT - HOUR), AT - HOUR, HOME, "event:1", "bob")
    assert later.text[2:] == (
        "It begins Fri 27 Nov 14:00 CET. It ends Fri 27 Nov 15:00 CET.",
        "Scheduled by alice.",
    )


def test_a_scheduled_freeze_in_words() -> None:
    scheduled = freeze({"environments": ["staging"]}, created_at=AT - HOUR)
    started = freeze_started(scheduled, AT - HOUR, HOME, "event:1")
    assert started.title == "Freeze scheduled: Incident 42"
    assert started.text == (
        "alice scheduled a freeze of staging: Incident 42.",
        "Payments are down.",
        "It begins Fri 27 Nov 14:00 CET. It ends Fri 27 Nov 15:00 CET.",
    )
    begun = freeze_begins(scheduled, HOME)
    assert begun.text[0] == "Staging is frozen, as alice scheduled it: Incident 42."


def test_an_override_in_words() -> None:
    granted = notification.override_granted(override(approvals_needed=1), AT, HOME, "event:1")
    assert granted.title == "Override granted for checkout, web"
    assert granted.text == (
        "alice granted an override for checkout, web in production: Payments fail for Visa.",
        "2 uses, until Fri 27 Nov 15:00 CET.",
        "It waits for 1 to approve it.",
    )
    claim = {"service": "web", "environment": "production", "decision_id": "dec_1"}
    spent = notification.override_spent(override(), AT, "event:2", claim, "", 0)
    assert spent.text == (
        "web was let through to production by an override of alice: Payments fail for Visa.",
        "Claimed by an anonymous caller. No uses left.",
    )
    revoked = notification.override_revoked(override(), AT, "event:3", "bob")
    assert revoked.text == ("bob revoked the override of alice for checkout, web in production.",)


def test_refused_policies_in_words() -> None:
    problems = [f"policies.yaml:{line}:1: wrong" for line in range(8)]
    refused = notification.policies_refused("sha256:x", AT, problems, "k")
    assert refused.text[0] == "A changed policy file was refused; the set before stays in force."
    assert refused.text[1:] == (*problems[:5], "And 3 more.")
    assert refused.environments == ()
    assert notification.policies_loaded_again("sha256:y", AT, "k").title == "The policy file loads again"


@pytest.mark.parametrize(
    "made",
    [
        notification.policy_freeze_begins(decided(AT), HOME),
        notification.gate_open(decided(MONDAY), HOME, (Denied("api", "carol"),), 0, "k"),
        freeze_started(freeze(), AT, HOME, "event:1"),
        notification.override_granted(override(), AT, HOME, "event:1"),
        notification.policies_refused("sha256:x", AT, ["p"], "k"),
    ],
    ids=lambda made: made.event.value,
)
def test_it_survives_the_outbox(made: Notification) -> None:
    assert Notification.from_data(json.loads(json.dumps(made.to_data()))) == made


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nb\tc", "a b c"),
        ("  a  ", "a"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("\u202egpj.exe", "gpj.exe"),
        ("half \ud83d", "half"),
        ("\u2028", ""),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_user_text_stays_on_one_line(text: str, line: str) -> None:
    assert one_line(text).strip() == line


def test_a_freeze_without_title_and_starter_still_reads() -> None:
    odd = freeze(title="\n", reason="!", started_by="")
    assert freeze_started(odd, AT, HOME, "event:1").text[0].startswith("an anonymous caller froze")


def test_keys_fit_into_the_outbox_and_differ() -> None:
    longest = "e" * 128
    frozen = decided(AT)._replace(question=Question("", longest))
    keys = [
        notification.policy_freeze_begins(frozen, HOME).key,
        notification.policy_freeze_soon(longest, frozen, HOME, AT - HOUR).key,
        notification.policy_freeze_ends(frozen, HOME).key,
        freeze_soon(freeze(), HOME, AT - 60).key,
        freeze_begins(freeze(), HOME).key,
        freeze_ended(freeze(), AT).key,
    ]
    assert len({*keys}) == len(keys)
    assert max(map(len, keys)) <= 200


def test_every_event_has_a_word_of_its_own() -> None:
    assert len({each.value for each in Occasion}) == len(Occasion.__members__)


def test_a_reason_that_repeats_the_title_is_not_sent_again() -> None:
    same = freeze(reason="Incident 42.", starts_at=AT + HOUR, ends_at=AT + 2 * HOUR)
    told = [
        freeze_started(same, AT, HOME, "k"),
        freeze_started(freeze(reason="incident 42"), AT, HOME, "k"),
        freeze_changed(same, AT, HOME, "k", "alice"),
        freeze_soon(same, HOME, AT),
        freeze_begins(same, HOME),
    ]
    assert {"\n".join(each.text).lower().count("incident 42") for each in told} == {1}
