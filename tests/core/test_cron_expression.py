"""The errors for cron expressions of other dialects, and for invalid ones."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.core.cron_expression import Expression

READER = TypeAdapter(Expression)


def complaint(text: str) -> str:
    with pytest.raises(ValidationError) as caught:
        READER.validate_python(text)
    return str(caught.value.errors()[0]["ctx"]["error"])


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("0 18 * * FRIL", 'the last FRI of a month is 5L; did you mean "0 18 * * 5L"?'),
        ("0 18 * * sunl", 'the last SUN of a month is 0L; did you mean "0 18 * * 0L"?'),
        ("0 18 * * SAT-SUN", "a range does not wrap, write SAT,SUN"),
        ("0 18 * * FRI-MON", "a range does not wrap, write FRI,SAT,SUN,MON"),
        ("0 18 * * 5-1", "a range does not wrap, write 5,6,0,1"),
        ("0 18 * * SAT-SUN,FRIL", 'the last FRI of a month is 5L; did you mean "0 18 * * SAT,SUN,5L"?'),
        ("0 18 ? * FRIL", '? is not read, write *; did you mean "0 18 * * 5L"?'),
        ("0 18 ? * FRI", '? is not read, write *; did you mean "0 18 * * FRI"?'),
        ("H 18 * * 5", "H, by which Jenkins spreads its load, is none"),
        ("0 0 18 ? * FRI", "if the first of yours are seconds, leave them out"),
        ("CRON_TZ=Europe/Amsterdam 0 18 * * 5", "the zone goes to the policy's timezone"),
        ("@weekly", 'write five fields, such as "0 0 * * 0"'),
        ("@reboot", 'write five fields, such as "0 0 * * *"'),
    ],
)
def test_a_dialect_of_another_program_gets_a_suggestion(text: str, advice: str) -> None:
    assert complaint(text).endswith(advice)


@pytest.mark.parametrize("text", ["0 18 * * 5L", "0 18 * * SAT,SUN", "0 18 * * SAT,SUN,5L", "0 0 * * 0"])
def test_a_suggestion_can_be_parsed(text: str) -> None:
    assert READER.validate_python(text) == text
