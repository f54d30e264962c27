import json

import pytest

from app.yaml.problem import (
    PolicyFileError,
    Problem,
    Severity,
    did_you_mean,
    format_path,
    nearest,
    quoted,
)


def test_a_problem_is_written_as_compilers_write_it() -> None:
    problem = Problem("policies.yaml", 14, 9, "policies[2].when[0].weekly.from", "not a time")
    assert str(problem) == "policies.yaml:14:9: policies[2].when[0].weekly.from: not a time"
    assert str(problem._replace(path="")) == "policies.yaml:14:9: not a time"
    assert (
        str(problem._replace(path="", severity=Severity.WARNING)) == "policies.yaml:14:9: warning: not a time"
    )


def test_a_problem_is_json_by_its_field_names() -> None:
    problem = Problem("a.yaml", 1, 2, "policies", "nothing is ever frozen", Severity.WARNING)
    assert json.loads(json.dumps(problem.to_json())) == {
        "file": "a.yaml",
        "line": 1,
        "column": 2,
        "path": "policies",
        "message": "nothing is ever frozen",
        "severity": "warning",
    }


def test_the_error_holds_all_problems_a_line_each() -> None:
    problems = [Problem("a.yaml", line, 1, "", "wrong") for line in (1, 2)]
    error = PolicyFileError(iter(problems))
    assert error.problems == tuple(problems)
    assert str(error) == "a.yaml:1:1: wrong\na.yaml:2:1: wrong"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("policies", 2, "when", 0, "weekly", "from"), "policies[2].when[0].weekly.from"),
        (("services", "docs-site", "tags"), "services.docs-site.tags"),
        (("services", "a.b/c", "tags"), 'services["a.b/c"].tags'),
        ((0, "a b"), '[0]["a b"]'),
        (("",), '[""]'),
        (("x" * 70,), '["' + "x" * 59 + '…"]'),
    ],
)
def test_a_path_is_written_as_people_do(path: tuple[str | int, ...], text: str) -> None:
    assert format_path(path) == text


def test_what_the_author_wrote_is_repeated_on_one_line_and_not_in_full() -> None:
    assert quoted("a\nb\x1b[31m\u202e") == r'"a\nb\x1b[31m\u202e"'
    assert quoted("é😀") == '"é😀"'
    assert len(quoted("x" * 1000)) == 62


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("weekley", "weekly"),
        ("Weekly", "weekly"),
        ("applies-to", "applies_to"),
        ("aplies_to", "applies_to"),
        ("prod", "production"),
        ("pro", "production"),
        ("pr", None),
        ("hourly", None),
        ("", None),
        ("x" * 200, None),
    ],
)
def test_a_name_is_near_when_people_would_say_so(text: str, near: str | None) -> None:
    assert nearest(text, ["weekly", "applies_to", "production", "staging"]) == near


def test_a_beginning_of_two_names_is_near_to_neither() -> None:
    assert nearest("team", ["team-red-and-blue", "team-green-and-yellow"]) is None


def test_among_too_many_names_none_is_looked_for() -> None:
    assert nearest("name-1", [f"name-{number}x" for number in range(5000)]) is None


def test_the_question_is_asked_only_where_a_name_is_near() -> None:
    assert did_you_mean("staging2", ["staging"]) == '; did you mean "staging"?'
    assert did_you_mean("qa", ["staging"]) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:word@cal.example.com/private-1234/basic.ics", '"https://cal.example.com/…"'),
        ("see HTTPS://cal.example.com?key=1234 now", '"see HTTPS://cal.example.com/… now"'),
        ("webcal://cal.example.com/private", '"webcal://cal.example.com/…"'),
        ("http://gate:1400", '"http://gate:1400"'),
        ("a" * 100, f'"{"a" * 59}…"'),
    ],
)
def test_of_a_url_only_the_host_is_quoted(text: str, shown: str) -> None:
    assert quoted(text) == shown
