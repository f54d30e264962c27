"""A difference in words is short, names what a reader looks for, and hides nothing."""

from typing import Any

import pytest

from app.core.diff import Diff, in_words
from app.core.diff.markdown import markdown
from app.core.diff.period import LONGEST_DAYS
from app.core.instant import DAY
from app.core.wallclock import zone
from tests.core.diff.test_difference import FRIDAY, PERIOD, a_set, between, friday

HOME = zone("Europe/Amsterdam")
SPAN = "Mon 30 Nov 01:00 CET to Fri 29 Jan 2027 01:00 CET"
NIGHTLY = {
    "id": "bank-night",
    "title": "Not at night",
    "reason": "Settlement.",
    "when": [{"daily": {"from": "22:00", "to": "06:00"}}],
}


def lines(found: Diff) -> list[str]:
    return in_words(found, HOME)


def services(*names: str, **more: Any) -> dict[str, Any]:
    return {"services": {name: {} for name in names}, **more}


def test_a_moved_freeze_is_one_line() -> None:
    assert lines(between(a_set(friday()), a_set(friday("fri 15:00")))) == [
        "Opens 8 hours, closes none, in production and staging.",
        f"From {SPAN}, Europe/Amsterdam time. Ad-hoc freezes are left out.",
        "Policies:",
        "  changed friday: when",
        "In production and staging, every service:",
        "  opens Fri 14:00 to 15:00, 8 times: 4 Dec … 22 Jan 2027; no more veto by friday",
    ]


def test_utc_is_named_beside_each_time_alone() -> None:
    _, period, *_ = in_words(between(a_set(friday()), a_set(friday("fri 15:00"))), zone("UTC"))
    assert period == ("From Mon 30 Nov 00:00 UTC to Fri 29 Jan 2027 00:00 UTC. Ad-hoc freezes are left out.")


def test_equal_sets_say_so() -> None:
    head, *_ = lines(between(a_set(friday()), a_set(friday())))
    assert head == "No hours open or close: the policies have the same content."


def test_a_change_of_words_alone_opens_nothing() -> None:
    head, *_ = lines(between(a_set(friday()), a_set(friday(title="Other"))))
    assert head == "No hours open or close."


def test_without_a_whole_comparison_no_line_says_that_nothing_opens() -> None:
    found = between(a_set(friday()), a_set(friday(title="Other")))._replace(limits=("Too many.",))
    head, *_, last = lines(found)
    assert (head, last) == ("No difference found; not all was compared.", "Too many.")


def test_what_closes_names_the_policy_that_vetoes() -> None:
    once = {
        **FRIDAY,
        "id": "party",
        "when": [{"dates": {"from": "2026-12-11 12:00", "to": "2026-12-11 18:00"}}],
    }
    twice = {
        **once,
        "when": [*once["when"], {"dates": {"from": "2026-12-18 12:00", "to": "2026-12-18 18:00"}}],
    }
    nothing = a_set(environments=["production"])
    assert lines(between(nothing, {**nothing, "policies": [once]}))[-1] == (
        "  closes Fri 11 Dec 12:00 to 18:00 CET; veto by party"
    )
    assert lines(between(nothing, {**nothing, "policies": [twice]}))[-1] == (
        "  closes Fri 12:00 to 18:00, twice: 11 Dec and 18 Dec; veto by party"
    )


def test_a_large_difference_counts_services_and_environments_and_names_a_few() -> None:
    catalogue = {f"service-{number}": {"tags": ["shop" if number % 3 else "bank"]} for number in range(300)}
    more = {"services": catalogue, "environments": [f"region-{number}" for number in range(12)]}
    scope = {"applies_to": {"tags": ["bank"], "environments": ["region-0", "region-1"]}}
    later = {**NIGHTLY, **scope, "when": [{"daily": {"from": "22:00", "to": "07:00"}}]}
    later["exempt"] = {"changes": ["hotfix"]}
    old, new = a_set(friday(), {**NIGHTLY, **scope}, **more), a_set(friday("fri 15:00"), later, **more)
    found = lines(between(old, new))
    assert len(found) == 12
    bank = "service-0, service-102, service-105 and 97 more"
    assert [line for line in found if line.startswith("In ")] == [
        "In all 12 environments, every service:",
        f"In region-0 and region-1, for normal and rollback changes, {bank}:",
        f"In region-0 and region-1, for hotfix changes, {bank}:",
    ]


def test_a_time_is_said_once_with_all_its_places() -> None:
    names = [f"s{number}" for number in range(5)]
    nights = [
        {
            **NIGHTLY,
            "id": f"night-{name}",
            "applies_to": {"services": [name], "environments": ["production"]},
            "when": [{"dates": {"from": f"2026-12-0{day} 08:00", "to": f"2026-12-0{day} 09:00"}}],
        }
        for day, name in enumerate(names, 1)
    ]
    only = {"from": "2026-12-11 12:00", "to": "2026-12-11 18:00"}
    always = {**FRIDAY, "id": "audit", "when": [{"dates": only}], "applies_to": {"services": ["s4"]}}
    old, new = (
        a_set(friday(), **services(*names)),
        a_set(friday("fri 15:00"), *nights, always, **services(*names)),
    )
    found = lines(between(old, new))
    assert found[found.index("  added audit") + 1 :][:3] == [
        "In production and staging, every service:",
        "  opens Fri 14:00 to 15:00, 8 times: 4 Dec … 22 Jan 2027; no more veto by friday",
        "    but not 11 Dec in production and staging, s4",
    ]
    assert sum(line.startswith("  opens Fri 14:00") for line in found) == 1
    assert found[-2:] == [
        "In production, s3:",
        "  closes Fri 4 Dec 08:00 to 09:00 CET; veto by night-s3",
    ]


def test_services_that_are_left_out_are_named() -> None:
    always = {
        **FRIDAY,
        "id": "always",
        "when": [{"always": True}],
        "applies_to": {"services": ["web-*", "shop"]},
    }
    found = lines(between(a_set(friday(), always), a_set(always)))
    assert found[4] == "In production and staging, every service except shop and those like web-x (web-*):"


def test_unlisted_services_are_named_by_a_sample_and_their_globs() -> None:
    old = a_set(friday(applies_to={"services": ["a*"]}, exempt={"services": ["*b"]}))
    found = lines(between(old, a_set()))
    assert found[4] == "In production and staging, unlisted services like a (a*):"


def test_other_unlisted_services_are_told_from_those_with_a_pattern() -> None:
    names = [f"service-{number}" for number in range(20)]
    more = services(*names)
    narrow = {**friday(), "applies_to": [{"services": names}, {"services": ["web-*"]}]}
    found = lines(between(a_set(friday(), **more), a_set(narrow, **more)))
    assert found[4] == "In production and staging, every other unlisted service:"


def test_refused_services_are_said_to_be_refused() -> None:
    old = a_set(**services("api", unknown_services="refuse"), environments=["production"])
    allowing, refusing = (
        lines(between(*pair)) for pair in ((old, {**old, "unknown_services": "allow"}),) * 2
    )
    assert allowing[-1].endswith("; no longer refused as unknown")
    assert allowing == refusing
    assert lines(between({**old, "unknown_services": "allow"}, old))[-1].endswith("; refused as unknown")


def test_lists_and_settings_are_named() -> None:
    old = a_set(**services("api", "web"))
    new = a_set(
        services={"api": {"tags": ["pci"]}, "docs": {}},
        environments=["production"],
        changes=["normal", "config"],
        timezone="Asia/Tokyo",
    )
    found = between(old, new)
    assert not found.is_complete
    assert lines(found)[0] == "No difference found; not all was compared."
    assert lines(found)[2:] == [
        "Lists and settings:",
        "  kinds of change added: config",
        "  services added: docs",
        "  environments removed: staging",
        "  kinds of change removed: hotfix and rollback",
        "  services removed: web",
        "  services with other tags or another zone: api",
        "  timezone: Europe/Amsterdam → Asia/Tokyo",
        (
            "What only one set has is not compared: the environment staging and the kinds of change config, "
            "hotfix and rollback."
        ),
    ]


def test_many_changed_policies_are_counted_and_a_renamed_one_has_both_ids() -> None:
    policies = [{**FRIDAY, "id": f"p{number}", "when": FRIDAY_ONCE} for number in range(20)]
    found = lines(between(a_set(), a_set(*policies)))
    assert found[3] == f"  added 20: {', '.join(f'p{number}' for number in range(12))} and 8 more"
    renamed = lines(between(a_set(friday()), a_set(friday(id="weekend"))))
    assert renamed[3] == "  renamed friday to weekend"
    changed = lines(between(a_set(friday()), a_set(friday(id="weekend", title="T"))))
    assert changed[3] == "  renamed friday to weekend, with other title"


FRIDAY_ONCE = [{"dates": {"from": "2026-12-11", "to": "2026-12-11"}}]


def test_many_groups_and_times_are_counted() -> None:
    dates = [
        {"dates": {"from": f"2026-12-{day:02} {day:02}:00", "to": f"2026-12-{day:02} 23:30"}}
        for day in range(1, 21)
    ]
    policies = [
        {**FRIDAY, "id": f"p{number}", "when": dates[number:], "applies_to": {"services": [f"s{number}"]}}
        for number in range(14)
    ]
    found = lines(between(a_set(), a_set(*policies)))
    assert found[-1] == "And 2 more groups of services differ, also by p8 and p9; as JSON, all are listed."
    assert "  and 14 more times until Sun 20 Dec 23:30 CET" in found


def test_days_that_are_skipped_are_named() -> None:
    feast = {**FRIDAY, "id": "feast", "when": [{"dates": {"from": "2026-12-25", "to": "2027-01-01"}}]}
    found = between(a_set(friday(), feast), a_set(friday("fri 15:00"), feast))
    time = "opens Fri 14:00 to 15:00, 6 times: 4 Dec … 22 Jan 2027, not 25 Dec and 1 Jan 2027"
    assert lines(found)[-1] == f"  {time}; no more veto by friday"
    assert f"{time} (no longer `friday`)" in markdown(found, HOME)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((1, 17, 23), "Tue to Thu 12:00 to 18:00, 3 times: 1 Dec, 17 Dec and 23 Dec"),
        ((1, 8, 22), "Tue 12:00 to 18:00, 3 times: 1 Dec … 22 Dec, not 15 Dec"),
        (
            (*range(1, 9), 29, 30, 31),
            (
                "daily 12:00 to 18:00, 11 times: 1 Dec, 2 Dec, 3 Dec, 4 Dec, 5 Dec, 6 Dec, 7 Dec, 8 Dec and "
                "3 more until 31 Dec"
            ),
        ),
    ],
    ids=["more are skipped", "one is skipped", "too many to list"],
)
def test_dates_without_a_rule_are_listed(days: tuple[int, ...], expected: str) -> None:
    when = [{"dates": {"from": f"2026-12-{day:02} 12:00", "to": f"2026-12-{day:02} 18:00"}} for day in days]
    found = between(a_set(), a_set({**FRIDAY, "when": when}))
    assert lines(found)[-1] == f"  closes {expected}; veto by friday"
    assert f"closes {expected} (`friday`)" in markdown(found, HOME)


def test_windows_that_differ_after_the_period_alone_are_mentioned() -> None:
    def on(date: str, **more: Any) -> dict[str, Any]:
        return a_set({**FRIDAY, "when": [{"dates": {"from": date, "to": date}}], **more})

    later = on("2027-05-05"), on("2027-05-06")
    line = "Nothing differs until Fri 29 Jan 2027 01:00 CET; a later --to (API: to) may show more."
    found = between(*later)
    assert lines(found)[-1] == line
    assert f"\n\n{line}\n" in markdown(found, HOME)
    assert line in lines(between(on("2027-05-05"), a_set()))
    year = lines(between(on("2028-05-05"), on("2028-05-06"), (PERIOD[0], PERIOD[0] + LONGEST_DAYS * DAY)))
    assert year[-1].endswith("a later --from and --to (API: from and to) may show more.")
    for silent in (
        between(on("2027-05-05"), on("2027-05-05", title="Other")),
        between(on("2027-05-05", effect="warn"), on("2027-05-06", effect="warn")),
        between(on("2026-12-05"), on("2026-12-06")),
        found._replace(limits=("Too many.",)),
    ):
        assert not any("Nothing differs" in each for each in lines(silent))
