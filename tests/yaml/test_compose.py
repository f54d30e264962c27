import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from app.yaml.compose import Events, libyaml_events, python_events, read_document
from app.yaml.document import Document, Place
from app.yaml.syntax import LARGEST, Position

PARSERS = pytest.mark.parametrize("events", [libyaml_events, python_events])

Parser = Callable[[str], Events]


def read(text: str, events: Parser = libyaml_events) -> Document:
    return read_document("policies.yaml", text, events)


def good(text: str, events: Parser = libyaml_events) -> Any:
    document = read(text, events)
    assert document.problems == []
    assert document.whole
    return document.data


def complaints(text: str, events: Parser = libyaml_events) -> list[str]:
    return [str(problem).removeprefix("policies.yaml:") for problem in read(text, events).problems]


def test_libyaml_is_what_reads_the_files_here() -> None:
    assert type(libyaml_events("")).__name__ == "CParser"


def test_without_libyaml_the_parser_in_python_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml._yaml", None)
    assert isinstance(libyaml_events(""), yaml.BaseLoader)
    assert good("a: [1]") == {"a": [1]}


@PARSERS
def test_lists_mappings_and_scalars_come_out_as_plain_values(events: Parser) -> None:
    text = "a: [1, {b: 14:00}]\nc:\n  - d: NO\n    e: on\n  - 'true'\nf: |\n  two\n  lines\ng: {}\nh: []\n"
    assert good(text, events) == {
        "a": [1, {"b": "14:00"}],
        "c": [{"d": "NO", "e": "on"}, "true"],
        "f": "two\nlines\n",
        "g": {},
        "h": [],
    }


@PARSERS
def test_a_quoted_scalar_is_always_a_text(events: Parser) -> None:
    text = "['1', \"true\", 'null', '', \"~\", '1e3']"
    assert good(text, events) == ["1", "true", "null", "", "~", "1e3"]


@PARSERS
def test_a_key_is_a_text_just_as_it_is_written(events: Parser) -> None:
    text = "404: a\non: b\nnull: c\n~: d\n1.0: e\n'<<': f\n\"\": g\n"
    expected = {"404": "a", "on": "b", "null": "c", "~": "d", "1.0": "e", "<<": "f", "": "g"}
    assert good(text, events) == expected


@PARSERS
def test_a_byte_order_mark_at_the_beginning_is_passed_over(events: Parser) -> None:
    assert good("\ufeffa: 1", events) == {"a": 1}


@PARSERS
def test_a_single_explicit_document_of_yaml_1_2_is_read(events: Parser) -> None:
    assert good("%YAML 1.2\n---\na: 1\n...\n", events) == {"a": 1}


@PARSERS
def test_an_alias_stands_for_what_its_anchor_names(events: Parser) -> None:
    assert good("a: &x [1, &y two]\nb: *x\nc: [*y, *x]\n&k d: *k\n", events) == {
        "a": [1, "two"],
        "b": [1, "two"],
        "c": ["two", [1, "two"]],
        "d": "d",
    }


@PARSERS
def test_an_anchor_given_again_names_the_later_value(events: Parser) -> None:
    assert good("[&a 1, *a, &a 2, *a]", events) == [1, 1, 2, 2]


@PARSERS
def test_every_duplicate_key_is_told_with_both_lines_and_the_first_value_kept(events: Parser) -> None:
    text = "a: 1\nb:\n  c: 1\n  d: 2\n  c: [3, {x: y}]\n  e: 4\na: {c: d}\nf: 5\n"
    document = read(text, events)
    assert document.data == {"a": 1, "b": {"c": 1, "d": 2, "e": 4}, "f": 5}
    assert complaints(text, events) == [
        '5:3: b.c: the key "c" is here twice, first in line 3',
        '7:1: a: the key "a" is here twice, first in line 1',
    ]


@PARSERS
def test_positions_stay_right_behind_an_entry_that_was_dropped(events: Parser) -> None:
    document = read("a: 1\na: {b: [c, d]}\n<<: {x: y}\ne: {f: g}\n", events)
    assert document.place(("e", "f")) == Place(Position(4, 5), Position(4, 8))


@PARSERS
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{<<: {a: b}, c: d}", '1:2: ["<<"]: merge keys (<<) are not read; write the keys out'),
        ("{? [a] : b}", '1:4: ["?"]: a key must be a word, not a list; is it a template not filled in?'),
        ("{{a: b}: c}", '1:2: ["?"]: a key must be a word, not a mapping; is it a template not filled in?'),
        ("a: &x b\n*x : c", '2:1: ["?"]: an alias can\'t be a key; write the key out'),
        ("?\n: b", '1:2: [""]: a key is missing before ":"'),
        ("a: *x", "1:4: a: no anchor &x comes before this alias"),
        ("a: &x [b, *x]", "1:11: a[1]: this alias stands inside what it names, so it would never end"),
        ("a: [b, !!str c]", "1:8: a[1]: tags such as !name have no meaning here; leave it out"),
        ("a: !!set {b}", "1:4: a: tags such as !name have no meaning here; leave it out"),
        ("a: ! b", "1:4: a: tags such as !name have no meaning here; leave it out"),
        ("a: [.nan]", "1:5: a[0]: infinity and not-a-number are no values here"),
    ],
)
def test_what_is_yaml_but_not_read_here_is_told_with_its_path(
    text: str, complaint: str, events: Parser
) -> None:
    document = read(text, events)
    assert complaints(text, events) == [complaint]
    assert document.whole


@PARSERS
def test_a_key_that_is_none_takes_its_value_with_it(events: Parser) -> None:
    assert read("{a: b, [c, {d: e}]: {f: g}, h: i}", events).data == {"a": "b", "h": "i"}


@PARSERS
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "1:1: the file is empty"),
        ("# only a comment\n", "1:1: the file is empty"),
        ("---\n...\n", "1:1: the file is empty"),
        ("null", "1:1: the file is empty"),
        ("a: 1\n---\nb: 2\n", "2:1: a second document begins here; a file holds one"),
        ("%YAML 1.1\n---\na: 1", "1:1: files are read as YAML 1.2; leave the %YAML line out"),
        ("a: 1\nb: \0", "2:4: a NUL character can't stand in a policy file"),
        ("a: \ud800", "1:4: the character U+D800 can't stand in a policy file"),
        ("a: b\x85c", "1:5: the line break U+0085 can't stand in a policy file"),
        (
            "a: 1\r\n\ufeffb: 1",
            "2:1: a byte order mark in the middle of the file can't stand in a policy file",
        ),
        ("a:\n\t- b", "2:1: a tab can't indent a line in YAML; use spaces"),
        ("a: 1\n\tb: 2\n", "2:1: a tab can't indent a line in YAML; use spaces"),
        ("a: @b", '1:4: a text that begins with "@" needs quotes'),
        ("a: 'b\n", "1:4: the quotes opened here are never closed"),
        ("a: 'b\n---\nc'\n", "1:4: the quotes opened here are never closed"),
        ("a: [b\nc: d", '2:2: "," or "]" is missing here, in the list that begins in line 1'),
        ("a: {b: c\nd: e", '2:2: "," or "}" is missing here, in the mapping that begins in line 1'),
        ("a: [\n", "2:1: the file ends here, in the middle of a list or mapping"),
        ("a: b: c", '1:5: a ":" is out of place here; put a text that holds ": " in quotes'),
        ("a: 1\nb\nc: 2", '2:1: a ":" is missing after this key, or the indentation is off'),
        (" a: 1\nb: 2", "2:1: the document ends here, but the file goes on; check the indentation"),
        ("a: *", "1:5: an alias (*) needs a name of letters and digits"),
        ("a: & b", "1:5: an anchor (&) needs a name of letters and digits"),
        ("a: !e!b c", "1:4: tags such as !name have no meaning here; leave it out"),
        ("[" * 65 + "]" * 65, "1:65: nested deeper than 64 levels"),
        ("- " * 65 + "a", "1:129: nested deeper than 64 levels"),
    ],
)
def test_what_ends_the_reading_is_told_in_our_words(text: str, complaint: str, events: Parser) -> None:
    document = read(text, events)
    assert complaints(text, events) == [complaint]
    assert not document.whole


@PARSERS
def test_a_syntax_error_does_not_hide_what_was_wrong_before_it(events: Parser) -> None:
    assert complaints("a: {b: 1, b: 2}\nc: [\n", events) == [
        '1:11: a.b: the key "b" is here twice, first in line 1',
        "3:1: the file ends here, in the middle of a list or mapping",
    ]


@PARSERS
def test_sixty_four_levels_are_not_too_deep(events: Parser) -> None:
    assert read("[" * 64 + "]" * 64, events).whole


@PARSERS
def test_columns_count_characters_and_lines_end_as_the_author_ends_them(events: Parser) -> None:
    document = read('a: "é😀", x\n', events)
    assert document.problems[0].column == 8
    for ending in ("\n", "\r\n", "\r"):
        document = read(f"ä: 😀{ending}b: {{é: ü, c: d}}{ending}", events)
        assert document.place(("b", "c")) == Place(Position(2, 11), Position(2, 14))


@PARSERS
def test_aliases_may_stand_for_as_much_as_is_allowed_and_not_for_more(events: Parser) -> None:
    hundred = f"a: &a [{', '.join('x' * 99)}]\nb: [{{}}]"
    assert read(hundred.replace("{}", ", ".join(["*a"] * 100)), events).whole
    document = read(hundred.replace("{}", ", ".join(["*a"] * 101)), events)
    assert [problem.message for problem in document.problems] == [
        "the aliases of this file stand for more than 10,000 values"
    ]


class Failing:
    """A parser that fails with a complaint of its own."""

    def __init__(self, error: yaml.YAMLError) -> None:
        self._error = error

    def get_event(self) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (yaml.YAMLError("?"), "1:1: the file can't be read as YAML"),
        (
            yaml.MarkedYAMLError("while dreaming", None, "woke up"),
            "1:1: this is not YAML: while dreaming: woke up",
        ),
        (
            yaml.MarkedYAMLError("dreaming", None, "woke up", yaml.Mark("", 0, 2, 4, None, 0)),
            "3:5: this is not YAML: dreaming: woke up",
        ),
    ],
)
def test_a_complaint_that_nobody_foresaw_is_passed_on(error: yaml.YAMLError, complaint: str) -> None:
    assert complaints("a: 1", lambda _: Failing(error)) == [complaint]


def test_a_long_file_may_use_its_aliases_as_often_as_it_has_values() -> None:
    text = "- &a [1, 2, 3]\n" + "- {b: c, d: [*a]}\n" * 4000
    assert read(text).whole


def test_a_bomb_of_aliases_is_refused_before_it_takes_any_room() -> None:
    rows = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert "stand for more than" in complaints("\n".join(rows))[0]


def test_a_text_that_is_too_long_is_refused_unread() -> None:
    assert complaints("a" * (LARGEST + 1)) == ["1:1: the file is larger than 16 MiB"]


# Any text at all, and texts made of what YAML is made of.
_SPICE = st.sampled_from(
    [
        *(
            "a",
            "b:",
            ": ",
            "- ",
            "\n",
            "  ",
            "\n  ",
            "\n- ",
            "? ",
            "{",
            "}",
            "[",
            "]",
            ",",
            "&a ",
            "*a",
            "<<",
            "!x ",
        ),
        *(
            "'",
            '"',
            "#",
            "|\n",
            ">-\n",
            "---\n",
            "...\n",
            "%YAML 1.2\n",
            "\t",
            "\\",
            "@",
            "`",
            "~",
            "1",
            "\r",
            "é",
        ),
    ]
)
_TEXTS = st.one_of(st.text(max_size=200), st.lists(_SPICE, max_size=60).map("".join))


@given(_TEXTS)
@example("? a\n? b\n")
@example("&a *a")
@example("{? &a a : *a}")
@example("&a a: &a b\n*a : c")
@example("- &a - *a")
def test_no_text_at_all_does_more_than_bring_out_problems(text: str) -> None:
    document = read(text)
    assert document.whole or document.problems
    lines = text.count("\n") + text.count("\r") + 1
    for problem in document.problems:
        assert 1 <= problem.line <= lines + 1
        assert problem.column >= 1


@given(_TEXTS)
def test_both_parsers_read_the_same_values_or_both_refuse(text: str) -> None:
    ours, theirs = read(text), read(text, python_events)
    if ours.whole and theirs.whole:
        assert ours.data == theirs.data
        assert [str(each) for each in ours.problems] == [str(each) for each in theirs.problems]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("ab :#-é\n'\"", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", min_size=1, max_size=3), inner)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text("xyz", min_size=1, max_size=3), _VALUES, min_size=1), st.booleans())
def test_what_is_written_out_as_yaml_is_read_back_and_every_place_is_found(data: Any, flow: bool) -> None:  # noqa: FBT001
    text = yaml.safe_dump(data, default_flow_style=flow, allow_unicode=True, width=1000)
    document = read(text)
    assert document.data == data
    lines = text.split("\n")
    for key in data:
        position = document.place((key,)).key
        assert position is not None
        assert lines[position.line - 1][position.column - 1 :].lstrip("'\"? ").startswith(key)
