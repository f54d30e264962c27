"""The texts of reports: no markup from outside, and never too long."""

import random
import re

import pytest

from app.core.decision import Question
from app.core.hold import AnswerKind, Hold, HoldAnswer, HoldState
from app.integrations.github.message import LONGEST, escaped, report, review

HOLD = Hold(
    id="hld_1",
    responder="github",
    key="k",
    question=Question("checkout"),
    ref=None,
    actor=None,
    run_url=None,
    requested_by="github",
    target={},
    sealed=None,
    created_at=0,
    expires_at=1,
    state=HoldState.WAITING,
    changed_at=0,
    opens_at=None,
    decision_id="dec_1",
    reports=0,
)


def test_an_approval_names_its_decision() -> None:
    body = review(HoldAnswer(HOLD, AnswerKind.APPROVED, "Open.", None), "prod", None)
    assert body == {
        "environment_name": "prod",
        "state": "approved",
        "comment": "**Approved by freezegate.**\n\nOpen.\n\nDecision `dec_1`.",
    }


def test_a_report_without_details_ends_with_its_sentence() -> None:
    body = review(HoldAnswer(HOLD, AnswerKind.PROGRESS, "Closed.", None), "prod", None)
    assert body == {"environment_name": "prod", "comment": "**Waiting for deploys to open.**\n\nClosed."}


@pytest.mark.parametrize(
    "text",
    ["@acme/everyone", "[x](https://attacker.example)", "<img src=x>", "www.attacker.example", "#12", "`x`",
     "a@b.example", "mailto:a", "\n# Title\n\n- list", "**bold**", "~~x~~", "| a |", ":tada:", "![x](y)"],
)  # fmt: skip
def test_texts_of_people_make_no_markup_mention_or_link(text: str) -> None:
    made = escaped(text, 1_000)
    assert not re.search(r"(?<!\\)[<>\[\]()#*`~|:!]|@\w|\w\.\w|://|\n", made)
    assert made.replace("\\", "").replace("\u200b", "") == " ".join(text.split())


def test_a_comment_never_has_more_than_1024_characters_or_bytes() -> None:
    random.seed(1)
    letters = "ab @#*_`[]()<>.é€😀"
    for _ in range(300):
        sentence = "".join(random.choices(letters, k=random.randint(0, 2_000)))
        for kind in AnswerKind:
            body = review(
                HoldAnswer(HOLD, kind, sentence, 1_796_022_000), "p", "https://g.example/" + "x" * 180
            )
            assert len(body["comment"].encode()) <= LONGEST
            assert body["comment"].endswith(")")
        assert len(report("p", sentence, None)["comment"].encode()) <= LONGEST
