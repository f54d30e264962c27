"""What every importer shares: ids, safe texts, tests at the edges, a report of what is refused."""

import pytest

from app.core.instant import parse_instant
from app.policies.importers.assemble import assemble
from app.policies.importers.convert import Converted, MiswrittenError, check_written, convert
from app.policies.importers.evidence import prove
from app.policies.importers.formats import read_format
from app.policies.importers.imported import ImportOptions, SourceText
from app.policies.importers.writer import policy_text
from app.policies.lint.lint import lint
from app.policies.load import load
from app.policies.source import Snapshot
from app.yaml.compose import read_document
from app.yaml.problem import PolicyFileError, Severity

NOW = parse_instant("2026-11-29T12:00:00Z")
OPTIONS = ImportOptions(NOW)
HOSTILE = [
    'a "quote" and \\ a backslash',
    "# no comment",
    "two\nlines",
    "colon: {flow} [list] & * ! % @ `",
    "\u202eright to left\u202c \x00 \x1b[31m \x85 \u2028",
    "##vso[task.complete]",
    "::error::not of ours",
    "😀 {{ template }} ${variable}",
    "---",
    "x" * 700,
    "null",
    "…",
]


def converted(text: str, given: ImportOptions = OPTIONS) -> Converted:
    """Convert an Alertmanager file."""
    return convert("prometheus", [SourceText("alertmanager.yml", text)], given)


def interval(name: str, body: str = "weekdays: [saturday]") -> str:
    """Return one named interval."""
    quoted = "".join(f"\\U{ord(letter):08X}" for letter in name)
    return f'  - name: "{quoted}"\n    time_intervals:\n      - {{{body}}}\n'


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_a_text(name: str) -> None:
    result = converted("time_intervals:\n" + interval(name))
    assert not result.refused
    policy = load(Snapshot.of(result.text)).policy_set.policies[0]
    assert policy.title.startswith("No deploys in ")
    comments = [line for line in result.text.splitlines() if line.lstrip().startswith("#")]
    assert len(comments) == 2
    assert all(len(line) < 410 and line.isprintable() and "##" not in line for line in comments)
    assert not [line for line in result.text.splitlines() if line.startswith("::")]


def test_equal_names_get_different_ids() -> None:
    names = ["Week End", "week-end", "WEEK END!", "week-end-2"]
    result = converted("time_intervals:\n" + "".join(map(interval, names)))
    ids = [policy.id for policy in load(Snapshot.of(result.text)).policy_set.policies]
    assert ids == ["week-end", "week-end-2", "week-end-3", "week-end-2-2"]


def test_the_file_loads_passes_its_tests_and_has_no_lint_errors() -> None:
    result = converted("time_intervals:\n" + interval("weekend", "weekdays: ['saturday', 'sunday']"))
    loaded = load(Snapshot.of(result.text))
    assert [(test.test.at, test.test.expect) for test in loaded.tests] == [
        ("2026-12-04T23:59:59+00:00", "allow"),
        ("2026-12-05T00:00:00+00:00", "deny"),
        ("2026-12-06T23:59:59+00:00", "deny"),
        ("2026-12-07T00:00:00+00:00", "allow"),
    ]
    assert not [each for each in lint(Snapshot.of(result.text), NOW) if each.severity is Severity.ERROR]


def test_each_policy_has_the_place_of_its_window_in_a_comment() -> None:
    result = converted("time_intervals:\n" + interval("weekend"))
    assert "  # alertmanager.yml:4:9: weekend[0]\n  - id: weekend\n" in result.text


def test_a_refused_window_is_named_with_its_place_in_the_report_and_in_the_file() -> None:
    result = converted("time_intervals:\n" + interval("weekend") + interval("odd", "weekdays: [caturday]"))
    assert [str(remark) for remark in result.refused] == [
        'alertmanager.yml:7:9: odd[0]: weekdays: "caturday" is no weekday; did you mean "saturday"?'
    ]
    assert "# Not imported:\n# - alertmanager.yml:7:9: odd[0]: weekdays:" in result.text
    assert result.windows == 2
    assert result.policies == 1


def test_a_file_without_windows_is_refused() -> None:
    assert [remark.sentence for remark in converted("route: {receiver: x}\n").refused] == ["no windows found"]
    assert [remark.sentence for remark in converted("").refused] == ["no windows found"]


def test_an_error_of_yaml_is_refused_with_its_line() -> None:
    [remark] = converted("time_intervals:\n  - name: 'x\n").refused
    assert (remark.origin.line, remark.sentence) == (2, "the quotes opened here are never closed")


def test_the_services_and_environments_of_the_options_bound_the_policies() -> None:
    given = ImportOptions(NOW, environments=("staging",), services=("checkout", "docs-*"))
    result = converted("time_intervals:\n" + interval("weekend"), given)
    loaded = load(Snapshot.of(result.text))
    assert [*loaded.policy_set.environments] == ["staging"]
    assert {(test.test.service, test.test.environment) for test in loaded.tests} == {("checkout", "staging")}


def test_an_imported_policy_stays_in_its_environments_when_another_file_adds_some() -> None:
    result = converted("time_intervals:\n" + interval("weekend"))
    assert "    applies_to:\n      - {environments: [production]}\n" in result.text
    policy = load(Snapshot.of(result.text)).policy_set.policies[0]
    assert policy.matches("checkout", frozenset(), "production", "normal")
    assert not policy.matches("checkout", frozenset(), "staging", "normal")


def test_too_many_windows_are_refused_at_once() -> None:
    entry = "      - {weekdays: [saturday], years: ['2030']}\n"
    result = converted("time_intervals:\n  - name: x\n    time_intervals:\n" + entry * 5_001)
    assert result.refused[-1].sentence == "more than 5,000 windows; import the files one by one"
    assert result.policies == 0


def test_the_quotes_of_the_writer_give_the_same_text_back() -> None:
    from app.policies.importers.writer import quote

    text = "".join(map(chr, [*range(1, 0x800), 0x2028, 0x2029, 0xFEFF, 0xFFFD, 0x1F600, 0x10FFFF]))
    assert read_document("x", f"text: {quote(text)}\n").data == {"text": text}


def test_a_file_that_reads_back_as_something_else_is_a_bug() -> None:
    source = SourceText("alertmanager.yml", "time_intervals:\n" + interval("weekend"))
    imported = read_format("prometheus", [source], OPTIONS)
    assembled = assemble(imported, OPTIONS)
    proven = prove(assembled, imported, OPTIONS)
    text = policy_text(imported, assembled, proven, [])
    check_written(text, proven, {})
    for written, other in (("[sat]", "[sun]"), ("expect: deny", "expect: allow")):
        with pytest.raises((MiswrittenError, PolicyFileError)):
            check_written(text.replace(written, other), proven, {})
