"""The steps of the Dockerfile, run in a folder instead of an image: no container engine is needed.

``python -m tests.deploy.image FOLDER`` runs them as they stand, with packages from the index.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click

from tests.live.gate import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
_ROOTS = re.compile(r"(?<![\w.])/(?=(?:opt|src|tmp|etc|usr|data)\b)")


class Image(NamedTuple):
    """A folder in place of the root of the image."""

    root: Path

    def mapped(self, text: str) -> str:
        """A text with the absolute paths of the image in it."""
        return _ROOTS.sub(f"{self.root}/", text)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image sets."""
        [line] = re.findall(r"^ENV (FREEZEGATE.*)$", joined_lines(), re.MULTILINE)
        return dict(each.split("=", 1) for each in shlex.split(self.mapped(line)))

    def command(self, instruction: str) -> list[str]:
        """The command of an instruction: ``ENTRYPOINT``, ``CMD``, or ``HEALTHCHECK``."""
        [found] = re.findall(rf"^{instruction}\b.*?(\[.*\])$", joined_lines(), re.MULTILINE)
        return [self.mapped(word) for word in json.loads(found)]


def joined_lines() -> str:
    return DOCKERFILE.replace("\\\n", " ")


def labels() -> dict[str, str]:
    [line] = re.findall(r"^LABEL (.*)$", joined_lines(), re.MULTILINE)
    return dict(each.split("=", 1) for each in shlex.split(line))


def build(root: Path, *, packages: Path | None = None) -> Image:
    """Run every step.

    Args:
        root: an empty folder, the root of the image.
        packages: installed packages that stand for those of the index, where there is no network.
    """
    image = Image(root)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    folder = root
    for line in joined_lines().splitlines():
        instruction, _, rest = line.partition(" ")
        if instruction == "COPY":
            _copy(image, [word for word in rest.split() if not word.startswith("--chown")])
        elif instruction == "WORKDIR":
            folder = Path(image.mapped(rest))
        elif instruction == "RUN":
            words = [image.mapped(word) for word in json.loads(rest)]
            if packages is not None and "--require-hashes" in words:
                [site] = Path(words[0]).parents[1].glob("lib/python*/site-packages")
                (site / "packages.pth").write_text(f"{packages}\n")
                continue
            words[0] = sys.executable if words[0] == "python" else words[0]
            subprocess.run(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    return image


def _copy(image: Image, words: list[str]) -> None:
    from_build = words[0] == "--from=build"
    *sources, target = words[from_build:]
    goal = Path(image.mapped(target))
    for source in sources:
        path = Path(image.mapped(source)) if from_build else ROOT / source
        to = goal / path.name if target.endswith("/") else goal
        if path == to:
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, to)


def locked_packages() -> Path:
    """The folder of the packages that the tests run with."""
    return Path(click.__file__).parents[1]


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
