"""Texts in passages: joined, they are what they were, wherever they were cut."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.passages import HOLE, cut, filler, mould_of, name_of, pieces_of

NAMES = ("id", "message", "policy_revision", "service", "services", "at", "until", "opens_at", "ref", "actor")
WORDS = ("api", "api may be deployed. Closes Fri 27 Nov 14:00 CET, in 2 d 1 h.", "2026-11-27T13:00:00Z", "14")
leaves = st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS) | st.text(max_size=30)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=9), inner, max_size=6)
    ),
    max_leaves=15,
)


def joined(text: str) -> str:
    parts = cut(text)
    return filler(pieces_of(parts.passages), parts.order)(parts.values)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(anything, st.booleans())
def test_any_json_is_joined_to_what_it_was(value: Any, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert joined(text) == text


@given(st.text().filter(lambda text: HOLE not in text))
def test_any_text_is_joined_to_what_it_was(text: str) -> None:
    assert joined(f'"service": "{text}", "message": "{text}') == f'"service": "{text}", "message": "{text}'


def answer(service: str, at: str, left: str) -> str:
    rule = {"id": "friday", "title": "No deploys after 14:00", "from": "2026-11-27T13:00:00Z"}
    return json.dumps(
        {
            "service": service,
            "at": at,
            "message": f"{service} may be deployed. Closes Fri 27 Nov 14:00 CET, in {left}.",
            "closing": [rule],
            "closes_at": "2026-11-27T13:00:00Z",
            "policy_revision": "sha256:1",
            "decision_id": "dec_01m8997dg068p4dat6rbskasaa",
        }
    )


def test_answers_that_differ_in_service_and_time_share_every_passage() -> None:
    one, other = cut(answer("api", "2026-11-25T12:00:00Z", "2 d 1 h")), cut(answer("web", "1", "1 d 4 h"))
    assert (one.passages, one.order) == (other.passages, other.order)
    assert "No deploys after 14:00" in one.passages[2]
    assert "sha256:1" in one.passages[3]


def test_an_instant_that_stands_twice_is_kept_once() -> None:
    assert cut(answer("api", "1", "2 d 1 h")).values.count("2026-11-27T13:00:00Z") == 1


def values_by_mould(of: str, text: str) -> list[str] | None:
    parts = cut(of)
    values = mould_of(parts.passages, parts.order)(text)
    return None if values is None else list(values)


ONE = answer("api", "2026-11-25T12:00:00Z", "2 d 1 h")


@pytest.mark.parametrize("left", ["2 d 1 h", "1 d 1 h", "11 d 1 h"])
def test_a_mould_cuts_a_text_of_the_same_form_as_it_is_cut_anew(left: str) -> None:
    other = answer("web", "2026-11-25T12:00:01Z", left)
    assert values_by_mould(ONE, other) == cut(other).values


@pytest.mark.parametrize(
    "other",
    [
        ONE.replace("after 14:00", "after 15:00"),
        # Another form keeps what stands three times once, and what differs twice.
        answer("api", "2026-11-27T13:00:00Z", "2 d 1 h"),
        ONE.replace('"from": "2026-11-27T13:00:00Z"', '"from": "2026-11-27T14:00:00Z"'),
        # One value would hold a member.
        ONE.replace('"at": "', '"at": "1", "more": [1], "other": "'),
        ONE.replace("api may", "{api} may"),
        ONE[:-1],
    ],
)
def test_a_text_of_another_form_fits_no_mould(other: str) -> None:
    assert values_by_mould(ONE, other) is None


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(anything, anything)
def test_what_a_mould_cuts_is_joined_to_what_it_was(value: Any, other: Any) -> None:
    text, parts = json.dumps(value), cut(json.dumps(other))
    mould = mould_of(parts.passages, parts.order)
    for each in (text, json.dumps(other)):
        values = mould(each)
        assert values is None or filler(pieces_of(parts.passages), parts.order)(values) == each


def test_a_mould_takes_many_values() -> None:
    text = json.dumps([{"at": f"2026-11-{number}", "ref": "same ref"} for number in range(120)])
    assert values_by_mould(text, text) == cut(text).values


def test_a_name_follows_from_the_text() -> None:
    assert name_of("a") == name_of("a") != name_of("b")
    assert len(name_of("a")) == 12


@pytest.mark.parametrize("values", [[], ["one"]])
def test_values_that_are_missing_are_an_error(values: list[str]) -> None:
    with pytest.raises(IndexError):
        filler(("a", "b", "c"), (0, 1))(values)


def test_pieces_that_do_not_fit_the_holes_are_an_error() -> None:
    with pytest.raises(ValueError, match="between"):
        filler(("a", "b"), (0, 1))
