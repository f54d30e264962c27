import re
from pathlib import Path

from app.core.counted import counted, noun_for

ROOT = Path(__file__).parents[2]
OWN_PLURAL = re.compile(
    r"""['"]s?['"] if [^{}\n]{1,60} == 1 else ['"]s?['"]|"(\w+)" if [^{}"\n]{1,60} == 1 else "\1s\""""
    r"""|\{[a-z_][a-z_.]*\} (?:events|files|keys|rows|texts|tokens|uses)\b"""
)


def test_a_number_has_its_noun_in_the_right_form() -> None:
    assert [counted(number, "file") for number in (0, 1, 2, 1_234)] == [
        "0 files",
        "1 file",
        "2 files",
        "1,234 files",
    ]
    assert counted(1, "policy", "policies") == "1 policy"
    assert counted(2, "row differs", "rows differ") == "2 rows differ"
    assert (noun_for(1, "is", "are"), noun_for(0, "is", "are")) == ("is", "are")


def test_one_helper_makes_plurals() -> None:
    paths = [
        path
        for package in ("cli", "core", "gate", "policies")
        for path in ROOT.glob(f"app/{package}/**/*.py")
    ]
    found = [f"{path.name}: {each[0]}" for path in paths for each in OWN_PLURAL.finditer(path.read_text())]
    assert found == []
