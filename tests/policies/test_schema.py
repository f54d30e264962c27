"""The JSON Schema that editors use says what the loader does, as far as a schema can."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from app.policies.load import load
from app.policies.schema import FILE, schema, text
from app.policies.source import Snapshot
from app.yaml.compose import read_document

ROOT = Path(__file__).parents[2]
BROKEN = Path(__file__).parent / "broken"
SHIPPED = (ROOT / "policies.yaml").read_text(encoding="utf-8")

# Broken in ways that no schema can see: names that are not defined, local times that do not exist,
# rules between two values, tests that fail. Everything else an editor underlines.
BEYOND_A_SCHEMA = {
    *("change-unknown", "environment-unknown", "environment-unknown-near-none", "policy-id-twice"),
    *("service-glob-matches-nothing", "service-not-in-the-catalogue", "tag-glob-matches-nothing"),
    *(
        "tag-not-in-the-catalogue",
        "refuse-without-a-catalogue",
        "version-not-whole",
        "policy-timezone-misspelt",
    ),
    *("override-looser-than-the-default", "override-looser-than-the-file", "timezone-misspelt"),
    *("timezone-in-lower-case", "timezone-of-the-system", "timezone-right", "timezone-without-region"),
    *(
        "cron-duration-of-nothing",
        "cron-malformed",
        "cron-never-fires",
        "cron-of-six-fields",
        "cron-shorthand",
    ),
    *(
        "cron-with-both-ends",
        "cron-without-an-end",
        "daily-from-equals-to",
        "dates-no-such-day",
        "dates-reversed",
    ),
    *("holidays-category-unknown", "holidays-country-and-market", "holidays-country-in-lower-case"),
    *("holidays-country-unknown", "holidays-market-unknown", "holidays-name-unknown", "holidays-of-nowhere"),
    *("holidays-added-and-removed", "holidays-added-days-without-end", "holidays-removed-from-nothing"),
    *("holidays-subdivision-of-nowhere", "holidays-title-unknown", "holidays-weekend-of-seven-days"),
    *(
        "cron-day-of-month-out-of-range",
        "cron-day-of-week-out-of-range",
        "cron-day-of-week-sixth",
        "cron-day-of-week-wraps",
        "timezone-abbreviation",
        "holidays-many-values-unknown",
        "holidays-subdivision-unknown",
        "icalendar-file-absolute",
        "icalendar-file-missing",
    ),
    *(
        "icalendar-file-required",
        "icalendar-too-many-urls",
        "icalendar-url-escaped",
        "icalendar-url-fragment",
    ),
    *("icalendar-url-of-a-number", "icalendar-url-with-a-password"),
    *("icalendar-file-outside", "yearly-from-equals-to", "yearly-no-such-day"),
    *(
        "test-at-a-date",
        "test-at-malformed",
        "test-at-no-such-day",
        "test-at-out-of-range",
        "test-at-skipped",
    ),
    *("test-at-twice", "test-by-unknown", "test-by-where-allowed", "test-change-unknown"),
    *("test-duration-malformed", "test-duration-too-long", "test-environment-left-out"),
    *("test-environment-unknown", "test-fails", "test-fails-by-another", "test-fails-on-next-change"),
    *(
        "test-next-change-malformed",
        "test-service-refused",
        "weekly-starting-no-such-day",
        "monthly-day-its-months-lack",
        "monthly-from-equals-to",
        "monthly-sixth-weekday",
        "monthly-workdays-of-no-use",
        "monthly-workdays-of-nothing",
    ),
    *("notify-before-too-early", "notify-before-twice"),
}

VALIDATOR = Draft7Validator(schema())


def data_of(yaml_text: str) -> Any:
    document = read_document("policies.yaml", yaml_text)
    assert document.problems == []
    return document.data


def errors(yaml_text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(data_of(yaml_text))]


def test_the_shipped_schema_is_the_one_that_the_models_make() -> None:
    shipped = (ROOT / FILE).read_text(encoding="utf-8")
    assert shipped == text(), "run: python -m app.policies.schema"


def test_the_module_writes_it_where_it_is_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app.policies.schema"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    assert (tmp_path / FILE).read_text(encoding="utf-8") == text()


def parts(part: Any = None) -> Iterator[dict[str, Any]]:
    """Every schema within the schema."""
    part = schema() if part is None else part
    yield part
    for key in ("properties", "patternProperties", "definitions"):
        for each in part.get(key, {}).values():
            yield from parts(each)
    for each in (
        *part.get("anyOf", ()),
        *part.get("allOf", ()),
        *([part["items"]] if "items" in part else ()),
    ):
        yield from parts(each)


def test_it_is_a_schema_of_the_draft_that_schemastore_asks_for() -> None:
    assert (
        schema()["$schema"]
        == Draft7Validator.META_SCHEMA["$schema"]
        == "http://json-schema.org/draft-07/schema#"
    )
    Draft7Validator.check_schema(schema())


def test_every_keyword_is_one_of_the_draft() -> None:
    known = {*Draft7Validator.META_SCHEMA["properties"], "$schema", "$id", "definitions"}
    assert {key for part in parts() for key in part} <= known


def test_nothing_stands_beside_a_reference_where_the_draft_would_ignore_it() -> None:
    assert [part for part in parts() if "$ref" in part and len(part) > 1] == []


def test_every_limit_stands_beside_the_type_that_it_limits() -> None:
    types = {
        "object": ("properties", "required", "additionalProperties", "minProperties", "maxProperties"),
        "array": ("items", "minItems"),
        "string": ("pattern", "minLength", "maxLength"),
        "integer": ("minimum", "maximum"),
    }
    for part in parts():
        for wanted, keywords in types.items():
            assert part.get("type") == wanted or not part.keys() & set(keywords), part


def test_every_default_and_example_is_good_by_its_own_schema() -> None:
    whole, checked = schema(), 0
    for part in parts():
        validator = Draft7Validator({**part, "definitions": whole["definitions"]})
        for value in (*part.get("examples", ()), *([part["default"]] if "default" in part else ())):
            assert list(validator.iter_errors(value)) == [], (part.get("description"), value)
            checked += 1
    assert checked > 80


def test_every_key_has_an_example() -> None:
    keys = [(key, part) for whole in parts() for key, part in whole.get("properties", {}).items()]
    assert [key for key, part in keys if not part.get("examples")] == []


def test_it_names_no_host_but_those_of_its_dialect_its_home_and_its_examples() -> None:
    made = text()
    assert sorted(set(re.findall(r"[a-z]+://[^\"\s\\]+", made.replace("https?://", "")))) == [
        "http://json-schema.org/draft-07/schema#",
        "https://calendar.example.com/releases.ics",
        "https://json.schemastore.org/freezegate-policies.json",
        "https://wiki.example.com/deploy-freeze",
    ]


def test_the_shipped_policies_name_it_in_their_first_line() -> None:
    assert SHIPPED.splitlines()[0] == f"# yaml-language-server: $schema=./{FILE}"


def test_the_shipped_policies_are_good_by_the_schema() -> None:
    assert errors(SHIPPED) == []


def test_a_file_of_broken_form_is_bad_by_the_schema_and_only_what_no_schema_sees_passes() -> None:
    passes = set()
    for path in BROKEN.glob("*.yaml"):
        if path.stem in ("not-utf8", "utf16"):
            continue  # no text at all
        document = read_document(path.name, path.read_text(encoding="utf-8"))
        if not document.problems and VALIDATOR.is_valid(document.data):
            passes.add(path.stem)
    assert passes == BEYOND_A_SCHEMA


def test_every_key_is_explained() -> None:
    def unexplained(part: Any, where: str) -> Iterator[str]:
        if isinstance(part, dict):
            for key, value in part.get("properties", {}).items():
                if "description" not in value:
                    yield f"{where}.{key}"
            for key, value in part.items():
                yield from unexplained(value, f"{where}.{key}")

    assert list(unexplained(schema(), "")) == []


def test_nothing_may_be_null_but_the_next_change_of_a_test() -> None:
    def nullable(part: Any, key: str) -> Iterator[str]:
        if isinstance(part, dict):
            if {"type": "null"} in part.get("anyOf", []) or ("default" in part and part["default"] is None):
                yield key
            for name, value in part.items():
                yield from nullable(value, name)

    assert list(nullable(schema(), "")) == ["next_change"]


def test_the_examples_in_the_comments_of_the_shipped_policies_are_good_as_well() -> None:
    lines = []
    for line in SHIPPED.splitlines():
        catalogue = re.fullmatch(r"# (services:|unknown_services:.*|  [a-z-]+: +\{tags.*)", line)
        policy = re.fullmatch(r"( +)# ((?:- |  |except_when:).*)", line)
        lines.append(catalogue[1] if catalogue else policy[1] + policy[2] if policy else line)
    full = "\n".join(lines)
    policies = SHIPPED.count("- id:")
    assert full.count("- id:") == policies
    # With everything closed, the tests of the shipped policies can't come out.
    full = full.partition("\ntests:")[0] + "\n"
    assert errors(full) == []
    kinds = json.dumps(data_of(full))
    for kind in ("weekly", "monthly", "daily", "dates", "yearly", "holidays", "cron", "icalendar", "always"):
        assert f'"{kind}"' in kinds
    calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nEND:VCALENDAR\r\n"
    assert len(load(Snapshot.of(full, calendars={"payroll.ics": calendar})).policy_set.policies) == policies
