import gc
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.decision import Question
from app.core.instant import parse_instant
from app.policies.draft import read_draft
from app.policies.load import load, load_untested
from app.policies.source import Snapshot
from app.yaml.compose import MOST_ENTRIES
from app.yaml.problem import MOST_SHOWN, PolicyFileError, Problem, Severity, bounded

FRIDAY = """version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
policies:
  - id: friday
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    contact: "#release-managers"
    applies_to: {environments: [production]}
    exempt: [{changes: [rollback]}, {services: [docs/*]}]
    override: {max_ttl: 2h}
    when:
      - weekly: {from: fri 14:00, to: mon 08:00}
    except_when:
      - weekly: {from: sat 10:00, to: sat 12:00}
tests:
  - {at: 2026-11-27 14:00, service: api, expect: deny, by: [friday], next_change: 2026-11-28 10:00}
"""


def problems_of(*files: str) -> list[str]:
    names = "abcdefgh"
    with pytest.raises(PolicyFileError) as caught:
        load(Snapshot({f"{name}.yaml": text for name, text in zip(names, files, strict=False)}))
    return str(caught.value).splitlines()


def test_a_good_file_becomes_an_engine_that_answers() -> None:
    snapshot = Snapshot.of(FRIDAY)
    loaded = load(snapshot)
    assert loaded.revision == snapshot.revision
    assert loaded.warnings == ()
    assert loaded.engine.policy_set is loaded.policy_set
    decision = loaded.engine.decide(Question("api"), parse_instant("2026-11-27T13:00:00Z"))
    assert [stretch.rule.id for stretch in decision.blocking] == ["friday"]
    assert decision.opens_at == parse_instant("2026-11-28T09:00:00Z")


def test_a_set_without_policies_loads_with_a_warning() -> None:
    (warning,) = load(Snapshot.of("version: 1\npolicies: []\n")).warnings
    assert str(warning) == "policies.yaml:2:11: warning: policies: nothing is ever frozen: there is no policy"


def test_a_zone_of_the_service_without_a_catalogue_is_a_warning() -> None:
    text = FRIDAY.replace("    when", "    timezone: service\n    when")
    (warning,) = load(Snapshot.of(text)).warnings
    assert (warning.line, warning.column, warning.severity) == (12, 15, Severity.WARNING)


def test_the_files_of_a_folder_make_one_set() -> None:
    base = "version: 1\ntimezone: Europe/Amsterdam\nenvironments: [production, staging]\n"
    base += "overrides: {max_uses: 2}\n"
    services = "version: 1\nservices: {api: {tags: [tier-1]}}\n"
    more = "version: 1\nservices: {web: {tags: [tier-2]}}\npolicies:\n"
    policy = "  - {id: %s, title: T, reason: R, applies_to: {tags: [%s]}, when: [{always: true}]}\n"
    tests = "version: 1\ntests: [{at: 2026-11-27 14:00, service: web, expect: deny, by: [two]}]\n"
    loaded = load(
        Snapshot(
            {
                "a.yaml": base,
                "b.yaml": services + "policies:\n" + policy % ("one", "tier-1"),
                "c.yaml": more + policy % ("two", "tier-2"),
                "d.yaml": tests,
            }
        )
    )
    merged = loaded.policy_set
    assert [policy.id for policy in merged.policies] == ["one", "two"]
    assert set(merged.services or {}) == {"api", "web"}
    assert (merged.timezone, [*merged.environments]) == ("Europe/Amsterdam", ["production", "staging"])
    assert merged.overrides.max_uses == 2
    assert [(test.file, test.line) for test in loaded.tests] == [("d.yaml", 2)]


def test_a_folder_in_which_no_file_has_policies_is_refused() -> None:
    assert problems_of("version: 1\n", "version: 1\ntests: []\n") == [
        'a.yaml:1:1: policies: "policies" is required',
        'b.yaml:1:1: policies: "policies" is required',
    ]


def test_a_key_that_may_stand_once_is_refused_in_the_second_file_even_with_the_same_value() -> None:
    other = "version: 1\nenvironments: [production, staging]\n"
    (problem,) = problems_of(FRIDAY, other)
    assert problem.startswith(
        'b.yaml:2:1: environments: "environments" may stand in one file of a set only; it is in a.yaml'
    )


def test_names_are_known_across_files_and_judged_in_the_file_that_uses_them() -> None:
    in_selector, in_test = problems_of(
        "version: 1\nenvironments: [live]\n", FRIDAY.replace("environments: [production, staging]\n", "")
    )
    assert in_selector.startswith(
        'b.yaml:8:33: policies[0].applies_to.environments[0]: unknown environment "production"'
    )
    assert in_test.startswith('b.yaml:16:5: tests[0]: unknown environment "production"; known: live')


def test_an_unreadable_file_of_a_folder_refuses_the_set_but_does_not_hide_the_others() -> None:
    gone = Problem("b.yaml", 1, 1, "", "there is no such file")
    text = (
        "version: 2\npolicies: []\ntests: [{at: 2026-11-27 14:00, service: api, expect: deny, by: [in-b]}]\n"
    )
    with pytest.raises(PolicyFileError) as caught:
        load(Snapshot({"a.yaml": text}, unreadable={"b.yaml": "there is no such file"}, problems=(gone,)))
    assert [problem.path for problem in caught.value.problems] == ["", "version"]


def test_a_failing_self_test_is_left_to_who_loads_untested() -> None:
    snapshot = Snapshot.of(FRIDAY.replace("expect: deny, by: [friday]", "expect: allow"))
    assert len(load_untested(snapshot).tests) == 1
    with pytest.raises(
        PolicyFileError, match=r"policies.yaml:17:5: tests\[0\]: this test fails: expected allow"
    ):
        load(snapshot)


def test_an_alias_may_be_used_for_windows_and_selectors() -> None:
    text = FRIDAY.replace("when:\n      - weekly", "when: &weekend\n      - weekly", 1)
    text = text.replace(
        "tests:", "  - {id: other, title: T, reason: R, effect: warn, when: *weekend}\ntests:"
    )
    assert len(load(Snapshot.of(text)).policy_set.policies) == 2


def test_an_error_behind_an_alias_is_shown_where_the_text_stands() -> None:
    text = FRIDAY.replace(
        "when:\n      - weekly: {from: fri", "when: &weekend\n      - weekly: {from: fry", 1
    )
    text = text.replace("tests:", "  - {id: other, title: T, reason: R, when: *weekend}\ntests:")
    assert [problem.partition(": policies")[0] for problem in problems_of(text)] == [
        "a.yaml:13:24",
        "a.yaml:13:24",
    ]


def test_a_long_value_is_never_echoed_in_full() -> None:
    for long in ("x" * 5000, "é\u202e" * 3000, '"' + "\\n" * 4000 + '"'):
        for key in ("effect", "timezone", "link", "override", "applies_to", "id", long):
            value = long if key != long else "x"
            text = FRIDAY.replace(
                "    contact", f"    {key if key != 'id' else 'contact'}: {value}\n    contact", 1
            )
            try:
                load(Snapshot.of(text))
            except PolicyFileError as error:
                for problem in error.problems:
                    assert len(str(problem)) < 600
                    assert str(problem).isprintable()


def test_what_a_calendar_holds_is_not_echoed_in_full_either() -> None:
    text = FRIDAY.replace("weekly: {from: fri 14:00, to: mon 08:00}", "icalendar: {file: a.ics}", 1)
    for line in ("x" * 5000, "\u202e\x1b[31m"):
        calendar = f"BEGIN:VCALENDAR\r\n{line}\r\nEND:VCALENDAR\r\n"
        with pytest.raises(PolicyFileError) as caught:
            load(Snapshot.of(text, calendars={"a.ics": calendar}))
        assert len(str(caught.value)) < 600
        assert str(caught.value).isprintable()


EVERYTHING = FRIDAY.replace(
    "tests:",
    """  - id: everything
    title: All other kinds of window
    reason: To be spoilt.
    effect: allow-only
    timezone: service
    override: never
    when:
      - daily: {days: [mon-thu, sat], from: "09:00", to: "16:00"}
      - dates: {from: 2026-12-11, to: 2026-12-13 18:00}
      - yearly: {from: 12-20 18:00, to: 01-03}
      - holidays: {country: NL, eve_from: "14:00", until: "08:00", bridge_days: true}
      - cron: {start: "0 18 * * FRI", duration: 62h}
      - icalendar: {file: team.ics, summary: "Team*"}
      - always: true
tests:""",
)
CALENDARS = {"team.ics": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nEND:VCALENDAR\r\n"}
_LINES = EVERYTHING.splitlines()


def test_the_text_that_is_spoilt_below_is_good_before() -> None:
    assert load(Snapshot.of(EVERYTHING, calendars=CALENDARS)).policy_set.policies[1].id == "everything"


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """The good file with a few things in it exchanged, doubled, moved or spoilt."""
    lines = list(_LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 5)):
            case 0:
                lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
            case 1:
                del lines[at]
                lines = lines or ["a"]
            case 2:
                cut = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:cut] + draw(st.text(max_size=3)) + lines[at][cut:]
            case 3:
                lines[at] = " " * draw(st.integers(0, 8)) + lines[at].strip()
            case 4:
                head, _, _ = lines[at].partition(":")
                junk = [
                    "[]",
                    "{}",
                    "null",
                    "-1",
                    "1.5",
                    "true",
                    "[[x]]",
                    "{a: {b: c}}",
                    "'x'",
                    "&a [*a]",
                    "!x y",
                    "9e9",
                ]
                lines[at] = f"{head}: {draw(st.sampled_from(junk))}"
            case _:
                lines[at] = lines[at].replace(
                    *draw(st.sampled_from([("e", "E"), ("1", "9"), (",", ":"), ("-", "")]))
                )
    return "\n".join(lines)


@given(mutations() | st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_no_text_raises_anything_but_the_error_of_policy_files(text: str) -> None:
    snapshot = Snapshot.of(text, calendars=CALENDARS)
    draft = read_draft(snapshot)
    lines = text.count("\n") + text.count("\r") + 1
    assert all(1 <= problem.line <= lines + 1 for problem in draft.problems)
    if draft.policy_set is None:
        assert draft.errors
        with pytest.raises(PolicyFileError):
            load(snapshot)
    else:
        assert load_untested(snapshot).policy_set == draft.policy_set


def test_the_text_and_its_positions_are_let_go_after_loading() -> None:
    from app.yaml.document import Document

    loaded = load(Snapshot.of(FRIDAY))
    gc.collect()
    assert loaded.policy_set.policies
    assert not [each for each in gc.get_objects() if isinstance(each, Document)]


def test_every_file_of_the_broken_folder_is_refused_from_memory_as_from_the_disk() -> None:
    for path in sorted((Path(__file__).parent / "broken").glob("*.yaml")):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        with pytest.raises(PolicyFileError):
            load(Snapshot.of(text))


def test_of_very_many_errors_the_first_are_shown_and_the_others_counted() -> None:
    policy = "  - {id: p-%d, title: T, reason: R, when: [{weekly: {from: fry %02d:%02d, to: mon 08:00}}]}\n"
    policies = "".join(policy % (number, number // 60, number % 60) for number in range(MOST_SHOWN + 50))
    found = problems_of(f"version: 1\npolicies:\n{policies}")
    assert len(found) == MOST_SHOWN + 1
    assert 'did you mean "fri 00:00"?' in found[0]
    assert found[-1].endswith(": and 50 more; correct these first")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("  - {id: P, titel: x, when: [{daily: {from: 9, to: 25}}]}\n", "of the models"),
        ("  - {id: p, id: p, title: T, reason: R, when: [{always: true}]}\n", "of YAML"),
        ("  - {id: p, title: T, reason: R, when: [{always: true}]}\n", "of the set"),
        ("  - {id: p, title: , reason: R, when: [{always: true}]}\n", "of nothing"),
        ("  - x\n", "of the form"),
    ],
)
def test_however_many_errors_there_are_of_a_kind_few_are_kept(line: str, kind: str) -> None:
    found = problems_of(f"version: 1\npolicies:\n{line * 5_000}")
    assert len(found) == MOST_SHOWN + 1, kind
    assert re.search(r": and [\d,]+ more; correct these first$", found[-1])


def test_errors_are_shown_before_warnings_where_not_all_are() -> None:
    warnings = [Problem("a.yaml", line, 1, "", "w", Severity.WARNING) for line in range(MOST_SHOWN)]
    error = Problem("a.yaml", 999, 1, "", "e")
    shown = bounded([*warnings, error])
    assert shown[: MOST_SHOWN - 1] == warnings[:-1]
    assert shown[MOST_SHOWN - 1] == error
    assert (shown[-1].message, shown[-1].severity) == ("and 1 more; correct these first", Severity.WARNING)
    assert bounded([*warnings[1:], error]) == [*warnings[1:], error]
    assert bounded([error], 7)[-1].message == "and 7 more; correct these first"


@pytest.mark.parametrize("key", ["policies", "tests"])
def test_a_set_is_bounded_over_all_its_files(key: str) -> None:
    half = f"version: 1\n{key}:\n" + "  - {}\n" * (MOST_ENTRIES // 2)
    with pytest.raises(PolicyFileError) as raised:
        load(Snapshot({"a.yaml": half, "b.yaml": f"{half}  - {{}}\n"}))
    (problem,) = raised.value.problems
    assert str(problem) == f"b.yaml:2:1: {key}: a set may have 20,000 {key} in all its files"


def test_a_list_and_a_mapping_are_bounded() -> None:
    many = "".join(f"  - p{number}\n" for number in range(MOST_ENTRIES + 1))
    (problem,) = problems_of(f"version: 1\npolicies:\n{many}")
    assert problem == "a.yaml:20003:5: a list may have 20,000 entries; this one has more"
    many = "".join(f"  p{number}: {{}}\n" for number in range(MOST_ENTRIES + 1))
    (problem,) = problems_of(f"version: 1\nservices:\n{many}")
    assert problem.endswith("a mapping may have 20,000 entries; this one has more")


@pytest.mark.parametrize(("firing", "most"), [("* * * * *", 20), ("*/5 * * * *", 104), ("0 9 * * *", 20_000)])
def test_the_windows_of_a_set_open_no_more_often_than_a_bound(firing: str, most: int) -> None:
    line = "  - {{id: p-{}, title: T, reason: R, when: [{{cron: {{start: {!r}, duration: 30s}}}}]}}\n"
    text = "version: 1\npolicies:\n" + "".join(line.format(number, firing) for number in range(most))
    assert read_draft(Snapshot.of(text)).policy_set is not None
    if most < MOST_ENTRIES:
        (problem,) = problems_of(text + line.format(most, firing))
        assert f"policies[{most}].when: with this policy the windows of the set open" in problem


def test_ceilings_that_can_not_be_read_are_told_once_and_not_compared() -> None:
    text = FRIDAY.replace("override: {max_ttl: 2h}", "override: {max_ttl: 2 hours, max_uses: 900}")
    (problem,) = problems_of(text)
    assert "override.max_ttl" in problem
    text = FRIDAY.replace("policies:", "overrides: {max_ttl: 1 hour}\npolicies:", 1)
    (problem,) = problems_of(text)
    assert "overrides.max_ttl" in problem


@pytest.mark.parametrize(
    ("top", "own", "good"),
    [
        ("{}", "{max_ttl: 60d, max_uses: 1000, approvals: 0}", True),
        ("{max_ttl: 2h}", "{max_ttl: 2h}", True),
        ("{max_ttl: 2h}", "{max_ttl: 2h1s}", False),
        ("{max_uses: 2}", "{max_ttl: 60d, max_uses: 2}", True),
        ("{max_uses: 2}", "{max_uses: 3}", False),
        ("{approvals: 2}", "{approvals: 3}", True),
        ("{approvals: 2}", "{approvals: 1}", False),
        ("{approvals: 2}", "{max_uses: 1}", True),
    ],
)
def test_a_policy_may_only_tighten_the_ceilings_of_the_file(top: str, own: str, *, good: bool) -> None:
    text = FRIDAY.replace("override: {max_ttl: 2h}", f"override: {own}")
    text = text.replace("policies:", f"overrides: {top}\npolicies:", 1)
    if good:
        assert load(Snapshot.of(text)).policy_set.overrides is not None
    else:
        (problem,) = problems_of(text)
        assert "a policy may only tighten it" in problem
