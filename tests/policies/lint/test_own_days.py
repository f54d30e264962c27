"""What lint says of days of one's own that change nothing, or less than their author may well expect."""

import pytest

from tests.policies.lint.test_holidays import of, problems, remarks

COMPANY = "{date: 2027-06-11, title: Company day}"


def own(remark: list[str]) -> list[str]:
    """Only what is said of `add`, `remove` and `weekend`."""
    return [each for each in remark if any(f".{key}" in each for key in ("add", "remove", "weekend"))]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (f"add: [{COMPANY}]", []),
        (f"country: NL, add: [{COMPANY}], remove: [2027-03-26]", []),
        ("country: NL, remove: [12-26, 2027-04-27]", []),
        (
            "add: [{date: 02-29, title: Leap day}]",
            ["add[0].date: is off in leap years only; write 02-28 or 03-01 as well if it is off in others"],
        ),
        (
            "country: NL, add: [{date: 12-25, title: Christmas}, {date: 2027-04-27, title: Party}]",
            [
                (
                    'add[0].date: is a holiday already: Fri 2026-12-25 "Christmas Day"; take it out, unless '
                    "the title is needed for names"
                ),
                (
                    'add[1].date: is a holiday already: Tue 2027-04-27 "King\'s Day"; take it out, unless '
                    "the title is needed for names"
                ),
            ],
        ),
        (
            "country: NL, remove: [2027-03-27, 2027-09-15, 2027-09-18]",
            [
                'remove[0]: is no holiday; Fri 2027-03-26 "Good Friday" is one',
                "remove[1]: is no holiday, so there is nothing to remove; take it out",
                "remove[2]: is no holiday but a weekend, which remains a day off; take it out",
            ],
        ),
        (
            "country: NL, remove: [03-26]",
            [
                (
                    'remove[0]: removes "Good Friday" on Fri 2027-03-26, and "Easter Monday" on Mon '
                    '2035-03-26; write the dates with their years, or except_names: ["Good Friday"]'
                )
            ],
        ),
        (
            "add: [{date: 2025-06-13, title: Company day}, {date: 2026-06-12, title: Company day}]",
            ["add: has no date to come: the last was Fri 2026-06-12; add those of the next year"],
        ),
        ("add: [{date: 2026-06-12, title: Company day}, {date: 2027-06-11, title: Company day}]", []),
        (
            f"add: [{COMPANY}], weekend: [fri, sat]",
            [
                (
                    "weekend: freezes no day, and changes nothing without eve_from, until or bridge_days; "
                    "to freeze weekends, add a daily or weekly window"
                )
            ],
        ),
        (f"add: [{COMPANY}], weekend: [fri, sat], bridge_days: true", []),
        (
            "country: GB, add: [{date: 06-12, title: Company day}]",
            [
                (
                    "add[0].date: falls on Sat 2027-06-12; other holidays of the calendar move to a working "
                    "day then, this one does not; add 2027-06-14 if it is off"
                )
            ],
        ),
        (
            "country: GB, add: [{date: 06-12, title: Company day}, {date: 2027-06-14, title: Company day}]",
            [],
        ),
        ("country: NL, add: [{date: 06-12, title: Company day}]", []),
    ],
)
def test_own_days_that_do_less_than_expected_are_pointed_out(keys: str, said: list[str]) -> None:
    found = own(remarks(f"{{{keys}}}"))
    assert [each.removeprefix("when[0].holidays.") for each in found] == said


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("country: HK", "is sun in the calendar, so Saturdays are working days; write weekend: [sun] if so"),
        ("country: IR", "is fri in the calendar, so Thursdays or Saturdays are working days; write"),
        ("country: BN", "is fri and sun in the calendar, so Thursdays or Saturdays are working days; write"),
    ],
)
def test_a_weekend_of_one_day_is_pointed_out_where_it_moves_eves(code: str, words: str) -> None:
    weekend = f"the weekend of {code[-2:]} {words}"
    assert len(of(remarks(f'{{{code}, eve_from: "14:00"}}'), weekend)) == 1
    assert of(remarks(f"{{{code}}}"), "the weekend of") == []
    assert of(remarks(f'{{{code}, eve_from: "14:00", weekend: [sat, sun]}}'), "the weekend of") == []
    assert of(remarks('{country: SA, eve_from: "14:00"}'), "the weekend of") == []


def test_a_weekend_of_one_day_is_pointed_out_where_workdays_are_counted() -> None:
    (problem,) = problems("{monthly: {from: last workday, to: last workday, workdays: {country: HK}}}")
    assert problem.path.endswith("monthly.workdays.country")
    assert "so Saturdays are working days" in problem.message


def test_days_of_the_own_list_alone_need_no_calendar_of_the_package() -> None:
    (remark,) = of(remarks("{add: [{date: 2025-06-13, title: Company day}]}"), "never opens")
    assert remark == (
        "when[0].holidays: never opens again; the last was Fri 2025-06-13; take it out, or write dates"
    )


def test_dates_under_add_write_out_what_a_calendar_does_not_know() -> None:
    def said(keys: str, words: str) -> int:
        return len(of(remarks(f"{{{keys}}}"), words))

    assert said("country: LK", "the calendar ends with 2026") == 1
    assert said("country: LK, add: [{date: 2027-01-15, title: Pongal}]", "the calendar ends") == 0
    eid = 'country: AE, categories: [public], names: ["Eid al-Fitr"]'
    assert said(eid, "estimated, for it follows the moon: Tue 2027-03-09") == 1
    assert said(f"{eid}, add: [{{date: 2027-03-09, title: Eid al-Fitr}}]", "the moon: Tue 2027-03-09") == 0
