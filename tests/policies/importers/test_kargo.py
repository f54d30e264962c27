from typing import Any

import pytest

from app.core.instant import parse_instant
from app.policies.importers.convert import Converted, convert
from app.policies.importers.imported import ImportOptions, SourceText
from tests.policies.importers import kargo_reading as reading
from tests.policies.importers.differential import Imported, differing, imported, is_caught
from tests.policies.importers.kargo_reading import AMS, config, window

NOW = parse_instant("2026-11-29T12:00:00Z")


@pytest.fixture(scope="module")
def files() -> list[Imported]:
    return [imported("kargo", case) for case in reading.CASES]


def test_every_file_answers_like_kargo(files: list[Imported]) -> None:
    assert len(files) >= 20
    assert not differing(files, reading.reading)


@pytest.mark.parametrize("mutation", reading.MUTATIONS)
def test_a_rule_that_is_read_otherwise_is_noticed(files: list[Imported], mutation: str) -> None:
    assert is_caught(files, reading.reading, mutation)


def converted(text: str, **keys: Any) -> Converted:
    return convert("kargo", [SourceText("kargo.yaml", text)], ImportOptions(NOW, **keys))


def daily(rule: str = "FREQ=DAILY", **keys: Any) -> dict[str, Any]:
    return {**window("Deny", "20260105T080000", "20260105T180000", rule, AMS), **keys}


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("deny", "expected a mapping"),
        (daily(kind="Block"), "kind is neither Allow nor Deny"),
        (daily(rule="FREQ=DAILY", stage="x"), 'unknown key "stage"'),
        (daily("FREQ=HOURLY"), "FREQ is none of DAILY, WEEKLY, MONTHLY, YEARLY"),
        (daily("FREQ=DAILY;INTERVAL=3"), "only weekly rules may have an INTERVAL"),
        (daily("FREQ=WEEKLY;INTERVAL=2"), "an INTERVAL of several weeks has no equal in a zone"),
        (daily("FREQ=DAILY;COUNT=3;UNTIL=20270101"), "COUNT and UNTIL exclude each other"),
        (daily("FREQ=DAILY;COUNT=0"), 'COUNT: "0" is no number above 0'),
        (daily("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2"), '"BYSETPOS=2" is not read'),
        (daily("FREQ=DAILY;FREQ=DAILY"), '"FREQ=DAILY" is not read'),
        (daily("FREQ=WEEKLY;BYDAY=MON"), '"MON" is no day'),
        (daily("FREQ=WEEKLY;BYDAY=1MO"), '"1MO" counts weekdays of no month'),
        (daily("FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=5"), "BYDAY and BYMONTHDAY together have no equal"),
        (daily("FREQ=MONTHLY;BYMONTHDAY=0"), "BYMONTHDAY: there is no day 0"),
        (daily("FREQ=YEARLY;BYMONTH=13"), 'BYMONTH: "13" is not from 1 to 12'),
        (daily("FREQ=MONTHLY;BYDAY=-2MO"), "dtstart is no occurrence of the rrule"),
        (daily("FREQ=MONTHLY;BYMONTHDAY=-27"), "days counted from the end of the month, but the last one"),
        (daily("FREQ=DAILY;BYHOUR=8,2"), "would begin in an hour that is skipped"),
        (daily("FREQ=WEEKLY;BYDAY=TU"), "dtstart is no occurrence of the rrule"),
        (daily(dtstart="TZID=Europe/Amsterdm:20260105T080000"), "is not an IANA time zone; did you mean"),
        (daily(dtstart="2026-01-05T08:00:00Z"), "is not a date-time such as 20260101T090000"),
        (daily(dtstart="20260132T080000"), "is not a date-time such as 20260101T090000"),
        (window("Deny", "20270328T023000", "20270328T080000", None, AMS), "dtstart is skipped when clocks"),
        (daily(dtend=""), "dtend is missing, or not a text"),
        (daily(dtend="20250101T000000Z"), "dtend isn't after dtstart, within 366 days"),
        (daily(projectSelector={"name": "x"}), "projectSelector is for ClusterConfig only"),
        (daily(stageSelector={"matchLabels": {"a": "b"}}), "stageSelector: only a name is read"),
        (daily(stageSelector={"name": "regex:.*"}), "a regular expression has no equal"),
        (daily(stageSelector={"name": "qa"}), "--map 'stages/qa=environment:NAME'"),
    ],
)
def test_a_window_without_an_equal_is_refused(entry: Any, sentence: str) -> None:
    [remark] = converted(config(entry)).refused
    assert sentence in remark.sentence


def test_promotion_freezes_are_refused_by_name() -> None:
    text = "kind: ClusterConfig\nspec:\n  promotionFreezes: [{name: x}]\n"
    [remark] = converted(text).refused
    assert remark.origin.line == 3
    assert "promotionFreezes aren't read" in remark.sentence


def test_stages_and_projects_can_be_mapped() -> None:
    mapped = {
        "stages/regex:prod-.*": ("environments", "production"),
        "stages/glob:qa-*": ("environments", "qa"),
        "projects/shop": ("services", "shop-*"),
    }
    entries = [daily(stageSelector={"name": "regex:prod-.*"}), daily(stageSelector={"name": "glob:qa-*"})]
    text = converted(config(*entries), mapped=mapped).text
    assert "environments: [production, qa]" in text
    assert '- {services: ["shop-*"], environments: [production]}' in text
    assert '- {services: ["shop-*"], environments: [qa]}' in text


def test_the_mapping_that_an_error_suggests_is_taken() -> None:
    text = config(daily(stageSelector={"name": "glob:qa-*"}))
    [sentence] = [remark.sentence for remark in converted(text).refused]
    assert "--map 'stages/qa-*=environment:NAME'" in sentence
    assert converted(text, mapped={"stages/qa-*": ("environments", "qa")}).policies == 1


def test_allow_windows_that_end_are_only_imported_alone() -> None:
    ends = window("Allow", "20260105T080000Z", "20260105T180000Z", "FREQ=DAILY;COUNT=9")
    other = window("Allow", "20260105T200000Z", "20260105T210000Z", "FREQ=DAILY")
    assert not converted(config(ends)).refused
    refused = converted(config(ends, other)).refused
    assert [remark.sentence for remark in refused] == [
        "Allow windows that begin later or end can't be joined into one policy"
    ] * 2


def test_a_rule_of_every_hour_is_refused() -> None:
    hours = ",".join(map(str, range(24)))
    entry = window("Deny", "20260105T000000", "20260105T001000", f"FREQ=DAILY;BYHOUR={hours}", "Asia/Tokyo")
    assert converted(config({**entry, "rrule": f"RRULE:FREQ=DAILY;BYHOUR={hours}"})).policies == 1
    stepped = {**entry, "rrule": f"FREQ=MONTHLY;BYHOUR={hours}"}
    assert "write one longer window" in converted(config(stepped)).refused[0].sentence


def test_lists_as_kubectl_prints_them_are_read() -> None:
    text = config(daily()).removeprefix("---\n").replace("\n", "\n    ").rstrip()
    assert converted(f"kind: List\nitems:\n  - {text}\n").policies == 1
