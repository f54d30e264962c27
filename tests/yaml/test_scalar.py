import pytest

from app.core.errors import MalformedValueError
from app.yaml.scalar import plain_scalar


@pytest.mark.parametrize(
    "text",
    [
        *(
            "14:00",
            "22:30",
            "1:30",
            "190:20:30",
            "NO",
            "no",
            "on",
            "off",
            "yes",
            "y",
            "Y",
            "n",
            "tRue",
            "nULL",
        ),
        *("2026-11-27", "2026-11-27 13:59", "12-20", "fri 14:00", "24h", "0b101", "1_000", "0x", "0o", "0o8"),
        *("+", "-", ".", "-.", "e3", ".e3", "1e", "1.2.3", "--1", "+-1", "0xg", "١٢", "<<", "=", "~~", "- 1"),
    ],
)
def test_what_only_yaml_1_1_took_for_something_else_is_a_text(text: str) -> None:
    assert plain_scalar(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, None) for text in ("", "~", "null", "Null", "NULL")),
        *((text, True) for text in ("true", "True", "TRUE")),
        *((text, False) for text in ("false", "False", "FALSE")),
        *(("0", 0), ("-19", -19), ("+12", 12), ("010", 10), ("0o14", 12), ("0x3A", 58), ("0xff", 255)),
        *(
            ("0.", 0.0),
            ("-0.0", -0.0),
            (".5", 0.5),
            ("+12e03", 12000.0),
            ("1e3", 1000.0),
            ("-2E+05", -200000.0),
        ),
    ],
)
def test_the_core_schema_of_yaml_1_2_knows_null_truth_and_numbers(text: str, value: object) -> None:
    found = plain_scalar(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text", [".inf", "-.inf", "+.Inf", ".INF", ".nan", ".NaN", ".NAN", "1e999", "-1e999", "9" * 31]
)
def test_a_number_that_is_none_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(MalformedValueError):
        plain_scalar(text)
