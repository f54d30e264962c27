"""Rules of the house that no linter knows."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from tests.live.gate import ROOT

# Counted line by line, it takes twice as long and covers no line that nothing else does.
pytestmark = pytest.mark.no_cover

HEAVY = ("fastapi", "starlette", "uvicorn", "sqlalchemy", "alembic", "httpx")
SHADY_NAMES = ("util", "common", "helper", "manager")


def loaded_by(code: str) -> set[str]:
    """The modules that are loaded after running some code in a fresh interpreter."""
    program = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in ran.stdout.split()}


@pytest.mark.parametrize("command", ["check", "wait", "lint", "test", "calendar", "year", "import", "export"])
def test_a_client_command_loads_neither_web_framework_nor_database(command: str) -> None:
    loaded = loaded_by(f"import importlib; importlib.import_module('app.cli.commands.{command}')")
    assert not loaded & set(HEAVY)


def test_help_loads_little_more_than_click() -> None:
    loaded = loaded_by(
        "from app.cli import cli\ntry: cli.main(['--help'], standalone_mode=False)\nexcept SystemExit: pass"
    )
    assert not loaded & {*HEAVY, "pydantic", "yaml", "holidays"}


def test_importing_the_application_reads_and_opens_nothing(tmp_path: Path) -> None:
    code = "import os; os.chdir(%r)\nimport app.main" % str(tmp_path)  # noqa: UP031 - a path in code
    loaded_by(code)
    assert not list(tmp_path.iterdir())


def test_importing_the_application_loads_no_http_client_and_no_database_that_is_not_used() -> None:
    program = "import sys, app.main; print('\\n'.join(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    unused = (
        "httpx",
        "requests",
        "aiohttp",
        "urllib3",
        "alembic",
        "psycopg",
        "sqlalchemy.dialects.postgresql",
    )
    assert not [name for name in ran.stdout.split() if name.startswith(unused)]


def test_the_twin_shares_no_code_with_the_engine() -> None:
    for file in (ROOT / "tests/spec/twin.py", ROOT / "tests/spec/generate.py"):
        imported = {
            name
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in [getattr(node, "module", None) or node.names[0].name]
        }
        assert not [name for name in imported if name.split(".")[0] == "app"]


def test_no_two_modules_of_the_gate_import_each_other() -> None:
    """Imports for types count, too: who reads one of them has to read the other."""
    graph = grimp.build_graph("app")
    imported = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    gate = [name for name in imported if name.startswith("app.gate.")]
    assert [(name, each) for name in gate for each in imported[name] if name in imported[each]] == []


def test_only_the_clock_reads_the_time() -> None:
    for file in (ROOT / "app").rglob("*.py"):
        names = {
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
        read = names & {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}
        assert not read or file.name == "clock.py", file


def test_no_room_is_named_after_nothing() -> None:
    for path in (ROOT / "app").rglob("*"):
        # Alertmanager is what the program is called.
        own_name = path.stem.lower().replace("alertmanager", "")
        assert not any(name in own_name for name in SHADY_NAMES), path
        if path.suffix == ".py" and path.parent.name != "versions":
            assert ast.get_docstring(ast.parse(path.read_text())), path


def test_nothing_names_a_registry() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in file.read_text().replace("# ", "")


def test_the_container_runs_without_a_shell_and_without_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    lines = text.replace("\\\n", " ").splitlines()
    for line in lines:
        words = line.split(maxsplit=1)
        if words and words[0] in ("CMD", "ENTRYPOINT", "RUN"):
            assert words[1].startswith("["), line
        if words and words[0] == "COPY" and "--from" not in line:
            source = next(word for word in words[1].split() if not word.startswith("--"))
            assert (ROOT / source).exists(), line
    assert "HEALTHCHECK" in text
    assert 'CMD ["/opt' in text
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]


MOST_DECISIONS = 8
LONG_SHARE = 0.015
"""The share of functions that may decide more often: some tables of cases read best in one piece."""


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for file in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", node


def complexity(function: ast.AST) -> int:
    """Return the cyclomatic complexity without nested functions; boolean operators and loops count."""
    branches = ast.If | ast.For | ast.AsyncFor | ast.While | ast.ExceptHandler | ast.IfExp | ast.match_case
    found, inner = 1, list(ast.iter_child_nodes(function))
    while inner:
        node = inner.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        found += isinstance(node, branches)
        found += len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0
        found += 1 + len(node.ifs) if isinstance(node, ast.comprehension) else 0
        inner.extend(ast.iter_child_nodes(node))
    return found


def test_complexity_counts_what_a_reader_must_decide() -> None:
    code = "def f(a):\n    if a and a.b:\n        return [x for x in a if x]\n    return 1 if a else 2"
    assert complexity(ast.parse(code).body[0]) == 6


def test_few_functions_decide_more_than_eight_times() -> None:
    all_of_them = list(functions())
    long = [name for name, function in all_of_them if complexity(function) > MOST_DECISIONS]
    assert len(long) <= LONG_SHARE * len(all_of_them), "\n".join(long)


NO_VERBS = frozenset({"What", "Who", "Whom", "Whoever", "Whether", "Where", "How", "Somebody", "Nobody"})
"""First words of a relative clause or a pronoun where a docstring should open with the field's word."""


def documented() -> Iterator[tuple[str, str]]:
    for file in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                is_property = any(
                    "property" in ast.unparse(each) for each in getattr(node, "decorator_list", ())
                )
                if not is_property and (text := ast.get_docstring(node)):
                    yield f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", text


def test_docstrings_open_with_a_verb_or_the_noun_of_the_field() -> None:
    assert not [f"{place}: {text[:60]}" for place, text in documented() if text.split()[0] in NO_VERBS]
