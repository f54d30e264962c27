"""``python -m release FOLDER``: build the wheel, the sdist, the bill of materials and their checksums.

The same sources give the same bytes: the time of all files is that of the last commit, or SOURCE_DATE_EPOCH.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from app import __version__
from release.sbom import NAME, bill_of_materials

ROOT: Final = Path(__file__).parents[1]
CHECKSUMS: Final = "SHA256SUMS"


def build(folder: Path, built: int) -> list[Path]:
    """Build a release in an empty folder.

    Args:
        folder: where the files are written.
        built: the time of all files, in seconds since 1970.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder.resolve())],
        cwd=ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(built)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    bill = bill_of_materials(ROOT / "requirements", __version__, built)
    (folder / f"{NAME}-{__version__}.cdx.json").write_text(bill, encoding="utf-8")
    files = sorted(folder.iterdir())
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    (folder / CHECKSUMS).write_text(sums, encoding="utf-8")
    return [*files, folder / CHECKSUMS]


def _time_of_build() -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        command = ["git", "log", "-1", "--format=%ct"]
        given = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return int(given)


if __name__ == "__main__":
    for each in build(Path(sys.argv[1]), _time_of_build()):
        sys.stdout.write(f"{each}\n")
