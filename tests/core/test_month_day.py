"""The notation of days of the month: what is read, how it is written again, and what errors suggest."""

import pytest

from app.core.errors import MalformedValueError
from app.core.month_day import (
    LAST,
    MonthBound,
    MonthDay,
    describe_month_bound,
    format_month_bound,
    format_nth,
    parse_month_bound,
    parse_months,
)

READ = {
    "15": MonthBound(MonthDay("day", 15), None),
    "last": MonthBound(MonthDay("day", LAST), None),
    "last -2": MonthBound(MonthDay("day", LAST, -2), None),
    "31 +31 23:59:59": MonthBound(MonthDay("day", 31, 31), 86_399),
    "1st workday": MonthBound(MonthDay("workday", 1), None),
    "2nd tue +2 18:00": MonthBound(MonthDay("tue", 2, 2), 64_800),
    "last fri 08:00": MonthBound(MonthDay("fri", LAST), 28_800),
    "last workday -2 18:00": MonthBound(MonthDay("workday", LAST, -2), 64_800),
    "23rd workday": MonthBound(MonthDay("workday", 23), None),
    "5th sun 00:00": MonthBound(MonthDay("sun", 5), 0),
}


@pytest.mark.parametrize("text", READ)
def test_each_form_is_read_and_written_again_alike(text: str) -> None:
    assert parse_month_bound(text) == READ[text]
    assert format_month_bound(READ[text]) == text


def test_the_same_day_may_be_written_in_other_ways() -> None:
    assert parse_month_bound(15) == parse_month_bound("15")
    assert parse_month_bound("05  08:00") == parse_month_bound("5 08:00")
    assert parse_month_bound("first workday") == parse_month_bound("1st workday")
    assert parse_month_bound("last  workday  -02") == parse_month_bound("last workday -2")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        *(
            ("Second Tuesday", "2nd tue"),
            ("2nd-tue", "2nd tue"),
            ("2 tue", "2nd tue"),
            ("2th tue", "2nd tue"),
        ),
        *(("tue#2 18:00", "2nd tue 18:00"), ("FRIL", "last fri"), ("LW", "last workday"), ("L", "last")),
        *(("last workday-2", "last workday -2"), ("last workday - 2 workdays", "last workday -2")),
        *(("2nd tue + 2 days", "2nd tue +2"), ("15+2", "15 +2"), ("31st", "31"), ("day 15", "15")),
        *(("-1", "last"), ("-3", "last -2"), ("end of month", "last"), ("first day", "1")),
        *(("second to last workday", "last workday -1"), ("penultimate workday", "last workday -1")),
        *(("3rd last day", "last -2"), ("last weekday", "last workday"), ("1st wd", "1st workday")),
        *(
            ("the last business day of the month at 9:00", "last workday 09:00"),
            ("last fri 18h", "last fri 18:00"),
        ),
    ],
)
def test_another_notation_gets_a_suggestion_that_can_be_read(text: str, meant: str) -> None:
    with pytest.raises(MalformedValueError, match=f'did you mean "{meant}"'.replace("+", r"\+")):
        parse_month_bound(text)
    assert parse_month_bound(meant)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (32, "a month has no day 32"),
        ("0", "a month has no day 0"),
        (True, "expected a text"),
        (1.5, "expected a text"),
        ("12-20", "which goes in a yearly window"),
        ("6th tue", "no month has a 6th tue; the last one is last tue"),
        ("last workday -32", "an offset is 31 at most, not 32"),
        ("2nd tue +100 18:00", "an offset is 31 at most, not 100"),
        ("24th workday", "not a day of the month"),
        ("last 24:00", "not a day of the month"),
        ("2027-01-08", "not a day of the month"),
        ("15 " * 40, "not a day of the month"),
        ("", "not a day of the month"),
    ],
)
def test_what_is_no_day_of_the_month_is_refused_with_the_reason(value: object, sentence: str) -> None:
    with pytest.raises(MalformedValueError, match=sentence) as caught:
        parse_month_bound(value)
    assert "did you mean" not in str(caught.value)


def test_months_are_read_by_name_and_in_ranges_that_wrap() -> None:
    assert parse_months("mar") == (3,)
    assert parse_months("nov-feb") == (11, 12, 1, 2)
    written: object
    for written, meant in (("March", "mar"), ("Sept", "sep"), ("July-august", "jul-aug"), (12, "dec")):
        with pytest.raises(MalformedValueError, match=f'did you mean "{meant}"'):
            parse_months(written)
    for written in (13, 0, True, None, "q1", "", ["mar"]):
        with pytest.raises(MalformedValueError, match=r'such as "jan-mar"$'):
            parse_months(written)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("15", "the 15th"),
        ("last", "the last day"),
        ("2nd tue 18:00", "18:00 on the second Tuesday"),
        ("2nd tue +1", "1 day after the second Tuesday"),
        ("last workday -2 18:00", "18:00, 2 workdays before the last workday"),
        ("12th workday", "the 12th workday"),
    ],
)
def test_a_bound_is_said_in_words(text: str, said: str) -> None:
    assert describe_month_bound(parse_month_bound(text)) == said


def test_ordinals_of_the_teens_end_alike() -> None:
    numbers = [1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 31]
    assert [format_nth(each) for each in numbers] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "31st"]
    )
