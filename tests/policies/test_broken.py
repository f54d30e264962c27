"""Every file in broken/ is refused at the right place with the right sentence, and no other.

Beside each broken file (or folder) stands what is expected: a line for each problem, in order, as
`line:column: path: the beginning of the sentence`; in front of it the file's name if it is a folder.
"""

from pathlib import Path

import pytest

from app.policies.load import load
from app.policies.source import Source
from app.yaml.problem import PolicyFileError, Severity

BROKEN = Path(__file__).parent / "broken"
CASES = sorted(path for path in BROKEN.iterdir() if path.suffix != ".expected")

PYDANTIC_WORDS = ("input should", "valid dictionary", "instance of", "value error", "validator", "pydantic")


def problems_of(path: Path) -> list[str]:
    with pytest.raises(PolicyFileError) as caught:
        load(Source(path).read())
    assert all(problem.severity is Severity.ERROR for problem in caught.value.problems)
    lines = str(caught.value).splitlines()
    return [line.removeprefix(f"{path.name}:") for line in lines]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_broken_file_is_refused_with_every_problem_at_its_place(path: Path) -> None:
    expected = path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()
    found = problems_of(path)
    assert len(found) == len(expected), "\n".join(found)
    for line, beginning in zip(found, expected, strict=True):
        assert line.startswith(beginning)
        assert not any(word in line.lower() for word in PYDANTIC_WORDS)


def test_there_are_far_more_than_forty_kinds_of_broken_file_and_none_is_like_another() -> None:
    assert len(CASES) >= 140
    contents = [path.read_bytes() for path in CASES if path.is_file()]
    assert len(set(contents)) == len(contents)


def test_every_expectation_belongs_to_a_broken_file() -> None:
    expectations = {path.stem for path in BROKEN.iterdir() if path.suffix == ".expected"}
    assert expectations == {path.stem for path in CASES}
