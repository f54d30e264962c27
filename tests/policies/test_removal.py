import pytest

from app.core.calendar_url import masked
from app.core.policy import PolicySet
from app.policies.load import load_untested
from app.policies.removal import MOST_KEPT, REPORTED_FOR, Contents, Removal, in_words, removals, renamed
from app.policies.source import Snapshot

NOW = 1_795_784_700
BEFORE = Contents(("a", "b", "c"), ("first", "second"))


def test_what_is_missing_after_a_change_is_a_removal() -> None:
    assert removals(BEFORE, Contents(("a", "d"), ("first",)), (), NOW) == (
        Removal("policy", "b", NOW),
        Removal("policy", "c", NOW),
        Removal("test", "second", NOW),
    )
    assert removals(BEFORE, Contents(("c", "b", "a", "d"), ("second", "first", "third")), (), NOW) == ()


def named(*policies: str) -> PolicySet:
    entries = "".join(f"  - {{id: {each}}}\n" for each in policies)
    return load_untested(Snapshot.of(f"version: 1\npolicies:\n{entries}")).policy_set


ALWAYS = "title: A, reason: R., when: [{always: true}]"
DAYS = "title: D, reason: R., when: [{dates: {from: 2027-01-01, to: 2027-01-02}}]"


def test_of_two_alike_only_as_many_are_renamed_as_are_still_there() -> None:
    before = named(f"a, {ALWAYS}", f"b, {ALWAYS}", f"c, {DAYS}")
    after = named(f"c, {DAYS}", f"x, {ALWAYS}")
    assert renamed(before, after) == {"a": "x"}
    contents = Contents.of(before).under(renamed(before, after))
    assert removals(contents, Contents.of(after), (), NOW) == (Removal("policy", "b", NOW),)
    assert renamed(before, before) == {}


def test_the_events_of_a_calendar_by_url_are_no_part_of_a_policy_that_is_renamed() -> None:
    url = "https://calendar.example/a.ics"
    file = "version: 1\npolicies:\n  - {id: %s, title: A, reason: R., when: [{icalendar: {url: '%s'}}]}\n"
    event = "BEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20270101\nSUMMARY:New year\nEND:VEVENT\n"
    texts = [f"BEGIN:VCALENDAR\n{inside}END:VCALENDAR\n" for inside in (event, "")]
    before, after, elsewhere = (
        load_untested(Snapshot.of(file % (name, where), calendars={masked(where): text})).policy_set
        for name, where, text in (("a", url, texts[0]), ("b", url, texts[1]), ("b", f"{url}2", texts[0]))
    )
    assert renamed(before, after) == {"a": "b"}
    assert renamed(before, elsewhere) == {}


def test_a_test_that_is_changed_is_not_removed() -> None:
    assert removals(BEFORE, Contents(BEFORE.policies, ("first", "other")), (), NOW) == ()


def test_two_tests_of_one_name_count_twice() -> None:
    before = Contents((), ("same", "same"))
    assert removals(before, Contents((), ("same",)), (), NOW) == ()  # it is there still, under this name
    assert removals(before, Contents((), ()), (), NOW) == (Removal("test", "same", NOW),)


@pytest.mark.parametrize(("age", "kept"), [(REPORTED_FOR - 1, True), (REPORTED_FOR, False)])
def test_a_removal_is_kept_for_a_day_or_until_it_is_undone(age: int, *, kept: bool) -> None:
    known = (Removal("policy", "gone", NOW - age), Removal("policy", "back", NOW - 1))
    after = Contents(("a", "b", "c", "back"), BEFORE.tests)
    assert removals(BEFORE, after, known, NOW) == (known[:1] if kept else ())


def test_what_was_missing_already_keeps_its_time() -> None:
    known = (Removal("policy", "b", NOW - 60),)
    assert removals(BEFORE, Contents(("a",), BEFORE.tests), known, NOW) == (
        Removal("policy", "b", NOW - 60),
        Removal("policy", "c", NOW),
    )


def test_no_more_are_kept_than_a_bound() -> None:
    many = Contents(tuple(f"p-{number}" for number in range(MOST_KEPT + 1)), ())
    assert len(removals(many, Contents((), ()), (), NOW)) == MOST_KEPT


def test_the_contents_of_texts_are_those_of_the_set_that_they_say() -> None:
    snapshot = Snapshot(
        {
            "a.yaml": "version: 1\npolicies:\n"
            "  - {id: a, title: A, reason: R., when: [{always: true}]}\n"
            "tests:\n"
            "  - {at: 2026-11-27 14:00, service: api, expect: deny}\n"
            "  - {at: 2026-11-27 14:00, service: api, expect: deny, name: By name}\n",
            "b.yaml": "version: 1\npolicies:\n  - {id: b, title: B, reason: R., when: [{always: true}]}\n",
        }
    )
    found = Contents.of_texts(snapshot)
    assert found == Contents(("a", "b"), ("api at 2026-11-27 14:00", "By name"))
    assert found == Contents.of(load_untested(snapshot).policy_set)
    assert Contents.of_texts(Snapshot.of("- policies: 1")) == Contents((), ())


def test_each_change_is_one_sentence_that_names_what_is_gone() -> None:
    known = [Removal("policy", f"p-{number:02}", NOW) for number in range(25)]
    advice = "If that was not meant, an interrupted copy may be the cause; put the files back."
    when = "from the policy files at 2026-11-27T13"
    assert in_words([Removal("test", "first", NOW - 60), *known[:2], Removal("test", "second", NOW)]) == [
        f"1 test was removed {when}:04:00Z: first. {advice}",
        f"2 policies and 1 test were removed {when}:05:00Z: p-00, p-01, second. {advice}",
    ]
    assert "p-19 and 5 more." in in_words(known)[0]
    assert in_words([]) == []
