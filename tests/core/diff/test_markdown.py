"""A difference as the comment on a pull request."""

import re

import pytest

from app.core.diff import (
    Diff,
    Difference,
    Hours,
    NameChanges,
    PolicyChange,
    ServiceGroup,
    SetNames,
    diff,
    in_words,
    paragraphs,
)
from app.core.diff.markdown import LARGEST, markdown
from app.core.diff.occurrences import span_in_words
from app.core.diff.result import SettingChange, UnlistedNames
from app.core.diff.totals import headline, hours_in_words, listed
from app.core.instant import DAY, HOUR, parse_instant
from app.core.wallclock import zone
from app.policies.load import load_untested
from app.policies.source import Snapshot
from tests.hostile import HOSTILE

NOW = parse_instant("2026-11-29T20:00:00Z")
PERIOD = (NOW, NOW + 60 * DAY)
HOME = zone("Europe/Amsterdam")
NONE = SetNames((), (), ())
POLICIES = """\
version: 1
timezone: Europe/Amsterdam
environments: [production, staging]
services:
  checkout: {tags: [tier-1]}
  docs-site: {tags: [static]}
policies:
  - id: friday-afternoon
    title: No deploys after Friday 14:00
    reason: Nothing good happens after 14:00 on a Friday.
    applies_to: {environments: [production]}
    exempt: [{services: [docs-site]}]
    when:
      - weekly: {from: fri 14:00, to: mon 08:00}
"""


def compared(old: str, new: str) -> Diff:
    before, after = (load_untested(Snapshot.of(text)).engine for text in (old, new))
    return diff(before, after, PERIOD)


def group(*names: str, others: bool = False) -> ServiceGroup:
    return ServiceGroup(names, (), others)


def made(*differences: Difference, policies: tuple[PolicyChange, ...] = (), environments: int = 3) -> Diff:
    """A difference without policy sets."""
    names = tuple(f"env-{number}" for number in range(environments))
    return Diff(
        PERIOD,
        policies,
        NameChanges(NONE, NONE, (), ()),
        differences,
        names,
        ("normal",),
        ("api",),
        (),
        (),
        (),
    )


def hours(start: int, length: int, *, opens: bool = True) -> Hours:
    ids = ("friday",)
    return Hours(NOW + start, NOW + start + length, opens, ids if opens else (), () if opens else ids)


def test_a_later_friday_is_told_in_a_headline_and_a_row() -> None:
    text = markdown(compared(POLICIES, POLICIES.replace("fri 14:00", "fri 15:00")), HOME)
    assert text.startswith("### Opens 8 hours, closes none, in `production`\n\nFrom Sun 29 Nov 21:00 CET to ")
    assert "- changed `friday-afternoon`: `when`\n" in text
    assert (
        "| every service except `docs-site` | all | 8 hours | none | "
        "opens Fri 14:00 to 15:00, 8 times: 4 Dec … 22 Jan 2027 (no longer `friday-afternoon`) |\n"
    ) in text
    assert "#### `production`" in text
    assert "staging" not in text
    times = re.findall(r"^- opens (.*) \(no longer `friday-afternoon`\)$", text, re.MULTILINE)
    assert len(times) == 8
    assert times[0] == "Fri 4 Dec 14:00 to 15:00 CET"


def test_comments_and_order_are_no_difference() -> None:
    text = markdown(compared(POLICIES, "# later\n" + POLICIES), HOME)
    assert text.startswith("### No hours open or close\n")
    assert text.endswith("The policies have the same content; nothing changes.\n")


def test_a_renamed_policy_and_changed_lists_are_named() -> None:
    new = (
        POLICIES.replace("id: friday-afternoon", "id: weekend")
        .replace("[production, staging]", "[production, staging, test]")
        .replace("docs-site: {tags: [static]}", "docs-site: {tags: [static, web]}")
        .replace(
            "timezone: Europe/Amsterdam",
            "timezone: Europe/Amsterdam\nunknown_services: refuse\nchanges: [normal, hotfix, rollback, data]",
        )
    )
    text = markdown(compared(POLICIES, new), HOME)
    assert "- renamed `friday-afternoon` to `weekend`\n" in text
    assert "- environments added: `test`\n- kinds of change added: `data`\n" in text
    assert (
        "\n\nWhat only one set has is not compared: the environment `test` and the kind of change `data`.\n"
        in text
    )
    assert "- services with other tags or another zone: `docs-site`\n" in text
    assert "- `unknown_services`: `allow` → `refuse`" in text
    assert "(the catalogue)" in text


def test_what_holds_for_every_service_and_kind_of_change_says_so() -> None:
    every = Difference(("env-0",), ("normal",), group("api", others=True), (hours(0, HOUR),))
    row = "| every service | all | 1 hour | none | opens Sun 29 Nov 21:00 to 22:00 CET (no longer `friday`) |"
    assert row in markdown(made(every), HOME)


def test_a_time_of_several_places_has_one_row() -> None:
    def at(environment: str, change: str, name: str, *more: Hours) -> Difference:
        return Difference((environment,), (change,), group(name), (hours(0, HOUR), *more))

    often = [
        at(f"env-{number}", "normal", f"s{number}", hours(number * 3 * HOUR, HOUR)) for number in range(1, 7)
    ]
    found = made(*often, at("env-0", "hotfix", "s1"), environments=7)
    text = markdown(found._replace(changes=("normal", "hotfix")), HOME)
    assert text.count("| opens Sun 29 Nov 21:00 to 22:00 CET (no longer `friday`) |") == 1
    assert (
        "#### All 7 environments\n\n| services | change | opens | closes | when |\n|---|---|---|---|---|\n"
        "| in `env-0`, for `hotfix`: `s1`<br>in `env-1`, for `normal`: `s1`<br>in `env-2`, for `normal`: `s2`"
        "<br>in `env-3`, for `normal`: `s3`<br>and in 3 more groups | several | 1 hour | none |"
    ) in text
    assert "<code>s1</code> in <code>env-0</code>, and 6 more groups</summary>" in text


def test_places_in_which_a_time_leaves_out_a_few_days_are_with_it() -> None:
    def all_but(name: str, *skipped: int, environment: str = "env-0") -> Difference:
        times = tuple(hours(day * DAY, HOUR) for day in range(8) if day not in skipped)
        return Difference((environment,), ("normal",), group(name), times)

    many_places = [all_but(f"s{number}", 3, environment=f"env-{number}") for number in range(1, 5)]
    few = [all_but(f"s{number}", number, number + 1) for number in range(1, 4)]
    found = made(all_but("s0"), *many_places, *few, all_but("s9", *range(5)), environments=5)
    told, text = in_words(found, HOME), markdown(found, HOME)
    assert told[2:] == [
        "In env-0 and env-1, s1; in env-0 and env-2, s2; in env-0 and env-3, s3; and in 2 more groups:",
        "  opens daily 21:00 to 22:00, 8 times: 29 Nov … 6 Dec; no more veto by friday",
        "    but not 2 Dec in env-1, s1; in env-2, s2; in env-3, s3; and in 1 more group",
        "    but not 30 Nov and 1 Dec in env-0, s1",
        "    but not 1 Dec and 2 Dec in env-0, s2",
        "    and not on all of these days in 1 more group",
        "In env-0, s9:",
        "  opens Fri to Sun 21:00 to 22:00, 3 times: 4 Dec … 6 Dec; no more veto by friday",
    ]
    in_row = "but not 2 Dec in `env-1`: `s1`; in `env-2`: `s2`; in `env-3`: `s3`; and in 1 more group<br>"
    assert in_row in text
    assert "<br>and not on all of these days in 1 more group |" in text
    assert "\n- but not 2 Dec and 3 Dec in `env-0`: `s3`\n" in text


def test_more_stretches_than_anybody_reads_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paragraphs, "_MOST_STRETCHES", 2)
    many = [
        Difference(("env-0",), ("normal",), group(f"s{number}"), (hours(number, HOUR), hours(DAY, HOUR)))
        for number in range(3)
    ]
    assert "\n\nAnd 2 more groups of services differ; as JSON, all are listed.\n" in markdown(
        made(*many), HOME
    )
    assert in_words(made(*many), HOME)[-1] == "And 2 more groups of services differ; as JSON, all are listed."


def test_services_that_patterns_single_out_are_named_by_their_patterns() -> None:
    group = ServiceGroup((), (UnlistedNames(("web-*", "*-eu"), "web-eu"),), others=False)
    found = made(Difference(("env-0",), ("hotfix",), group, (hours(0, HOUR, opens=False),)))
    found = found._replace(changes=("normal", "hotfix"))
    row = "| unlisted services like `web-eu` (`web-*` and `*-eu`) | `hotfix` | none | 1 hour |"
    assert row in markdown(found, HOME)


def test_many_times_and_services_are_shortened_in_the_table_and_listed_in_the_details() -> None:
    times = tuple(hours(day * DAY + day * 60, HOUR) for day in range(20))
    services = group(*(f"service-{number}" for number in range(300)))
    text = markdown(made(Difference(("env-0", "env-1"), ("normal",), services, times)), HOME)
    assert "`service-10` and 297 more" in text
    assert "<br>and 16 more |" in text
    assert text.count("\n- opens ") == 20


def test_a_long_difference_is_cut_where_a_part_ends_and_says_so() -> None:
    times = [tuple(hours(each * 2 * HOUR + number, HOUR) for each in range(700)) for number in range(9)]
    many = [
        Difference((f"env-{number % 3}",), ("normal",), group(f"s{number}"), times[number])
        for number in range(9)
    ]
    text = markdown(made(*many), HOME)
    assert len(text) <= LARGEST
    assert "**This is cut off: a comment holds no more.**" in text
    assert text.count("<details>") == text.count("</details>") > 1


@pytest.mark.parametrize("text", HOSTILE[::5])
def test_nothing_that_somebody_wrote_becomes_markup(text: str) -> None:
    changes = (PolicyChange("changed", text, text, (text,)),)
    found = made(Difference((text,), (text,), group(text), (hours(0, HOUR),)), policies=changes)
    names = NameChanges(SetNames((text,), (), ()), NONE, (text,), (SettingChange(text, text, text),))
    shown = markdown(found._replace(names=names, environments=(text,), changes=(text, "other")), HOME)
    plain = re.sub(r"<code>[^<]*</code>|`[^`\n]*`", "", shown.replace("<br>", ""))
    assert text not in plain or text in _OURS
    assert re.findall(r"<(?!/?(?:details|summary)>)[\w!]", plain) == []


_OURS = "opens closes , / - ` > "
"""What is in the text anyway."""


def test_the_headline_groups_environments_and_shortens_many() -> None:
    def every(count: int, length: int, first: int = 0, *, opens: bool = True) -> list[Difference]:
        return [
            Difference(
                (f"env-{first + number}",), ("normal",), group("api"), (hours(0, length, opens=opens),)
            )
            for number in range(count)
        ]

    assert headline(made(*every(2, HOUR))) == "Opens 1 hour, closes none, in env-0 and env-1"
    assert headline(made(*every(1, 90 * 60, opens=False))) == ("Closes 1 hour 30 min, opens none, in env-0")
    both = Difference(("env-0",), ("normal",), group("api"), (hours(0, HOUR), hours(DAY, 60, opens=False)))
    assert headline(made(both)) == "Opens 1 hour and closes 1 min in env-0"
    many = [each for number in range(6) for each in every(1, (number + 1) * HOUR, number)]
    assert headline(made(*many, environments=6)).endswith("; and 3 more environments differ")
    assert headline(made(*every(6, HOUR), environments=6)).endswith("in env-0, env-1, env-2 and 3 more")
    assert listed(["a", "b", "c", "d"]) == "a, b, c and d"
    assert [hours_in_words(each) for each in (0, 1, HOUR, 1000 * HOUR)] == [
        "none",
        "1 min",
        "1 hour",
        "1,000 hours",
    ]


def test_a_span_names_a_second_day_or_zone_only_where_there_is_one() -> None:
    back = parse_instant("2026-10-25T00:30:00Z")
    assert span_in_words((NOW, NOW + HOUR), HOME, NOW) == "Sun 29 Nov 21:00 to 22:00 CET"
    assert span_in_words((NOW, NOW + 4 * HOUR), HOME, NOW) == "Sun 29 Nov 21:00 CET to Mon 30 Nov 01:00 CET"
    assert span_in_words((back, back + HOUR), HOME, NOW) == "Sun 25 Oct 02:30 CEST to Sun 25 Oct 02:30 CET"
