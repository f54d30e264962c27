"""Build hook of the wheel: package `app/` under the name `freezegate`.

The repository keeps its import package in `app/`, a name that other projects use as well. Two packages of one
name can't be installed side by side, so the wheel contains the same modules as `freezegate`.
"""

import ast
import io
import re
import shutil
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE: Final = "app"
INSTALLED: Final = "freezegate"

BINARY: Final = frozenset({".woff2"})
"""Suffixes of files that hold no text."""

_IGNORED: Final = shutil.ignore_patterns("__pycache__", "*.pyc")
_LAYOUT: Final = frozenset({"NEWLINE", "NL", "INDENT", "DEDENT"})
_TEXT: Final = frozenset({"STRING", "FSTRING_MIDDLE", "TSTRING_MIDDLE", "COMMENT"})
"""Kinds of token whose text may name a module; the middles are those of Python 3.12 and 3.14."""

_MODULE: Final = re.compile(rf"(?<![\w.]){SOURCE}(?!\w)")
"""The package in the name of a module, unless that is relative."""


class RenameError(Exception):
    """The package can't be renamed."""


class WheelHook(BuildHookInterface[Any]):
    """Make the renamed package the content of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the renamed package to a temporary folder and include it.

        Raises:
            RenameError: see `write_package`; or the build is editable.
        """
        if version == "editable":
            raise RenameError("an editable install could not be imported as freezegate; use `make run`")
        self._folder = Path(tempfile.mkdtemp(prefix="freezegate-wheel-"))
        write_package(Path(self.root, SOURCE), self._folder / INSTALLED)
        build_data["force_include"][str(self._folder / INSTALLED)] = INSTALLED

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatchling's signature
        """Remove the temporary folder."""
        shutil.rmtree(self._folder)


def write_package(source: Path, target: Path) -> None:
    """Copy a package and rename every reference to it.

    Raises:
        RenameError: see `rename`; or a file that is not Python refers to the package.
    """
    shutil.copytree(source, target, ignore=_IGNORED)
    reference = references_to(source)
    for file in sorted(path for path in target.rglob("*") if path.is_file() and path.suffix not in BINARY):
        text = file.read_text(encoding="utf-8")
        try:
            renamed = (rename if file.suffix == ".py" else _unchanged)(text, reference)
        except RenameError as error:
            raise RenameError(f"{file.relative_to(target)}: {error}") from None
        file.write_text(renamed, encoding="utf-8")


def references_to(package: Path) -> re.Pattern[str]:
    """Match the name of a package where one of its modules follows.

    In "app.main:app" that is the first word; the key of `scope["app"]` is none.
    """
    modules = {path.stem for path in package.iterdir() if path.name != "__pycache__"} | {"__version__"}
    return re.compile(rf"(?<![\w./-]){package.name}(?=[./](?:{'|'.join(sorted(modules))})\b)")


def rename(code: str, reference: re.Pattern[str]) -> str:
    """Rename the package in the imports, strings, docstrings and comments of a module.

    Raises:
        RenameError: something refers to the package in another way. `import app.main` does: it binds the name
            `app`, whose uses can't be told from those of variables.
    """
    parts, end = [], 0
    for start, stop, is_module in _spans(code):
        pattern = _MODULE if is_module else reference
        parts += [code[end:start], pattern.sub(INSTALLED, code[start:stop])]
        end = stop
    renamed = "".join([*parts, code[end:]])
    for line, name in _left(renamed, reference):
        raise RenameError(f"line {line}: can't rename {name}")
    return renamed


def _unchanged(text: str, reference: re.Pattern[str]) -> str:
    """Return a text that is not Python, once it is known that it needs no renaming."""
    if found := reference.search(text):
        raise RenameError(f"refers to {found[0]}, and is not Python")
    return text


def _spans(code: str) -> Iterator[tuple[int, int, bool]]:
    """Yield the offsets of texts, and of the modules in `from … import`; True for modules."""
    lines = [0, *(match.end() for match in re.finditer("\n", code)), len(code)]
    first, module = True, None
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        kind = tokenize.tok_name[token.type]
        start = lines[token.start[0] - 1] + token.start[1]
        stop = lines[token.end[0] - 1] + token.end[1]
        if module is not None and token.string == "import":
            yield module, start, True
            module = None
        elif kind in _TEXT:
            yield start, stop, False
        elif token.string == "from" and first:  # not that of `yield from` and `raise … from`
            module = stop
        first = kind in _LAYOUT or token.string in {":", ";"} or (first and kind == "COMMENT")


def _left(code: str, reference: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines that still refer to the package, and the references."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import(names=names):
                found = [name.name for name in names]
            case ast.ImportFrom(module=str(name), level=0):
                found = [name]
            case ast.Constant(value=str(text)):
                found = reference.findall(text)
            case _:
                continue
        for name in found:
            if name.partition(".")[0] == SOURCE:
                yield node.lineno, name
