"""The command and the variables of another process, which runs a module of the product."""

import os
import sys
from pathlib import Path
from typing import Final

READY: Final = b"ready\n"
"""Says that it has started; that takes as long as verifying some pages."""

_ROOT: Final = Path(__file__).parents[2]
_PASSED_ON: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONTZPATH", "PYTHONHOME", "LD_LIBRARY_PATH"),
    *("TMPDIR", "SQLITE_TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "KRB5CCNAME", "KRB5_CONFIG"),
)
"""The variables that the other process gets, beside those that lead libpq to its database (``PG…``)."""


def command_of(module: str) -> list[str]:
    """Return the command that runs a module; the working directory may hold others of the same names."""
    return [sys.executable, "-P", "-m", module]


def environment() -> dict[str, str]:
    """Return the variables of the other process: no secrets, and the path that this one imports from."""
    passed = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name[:2] == "PG"}
    return {**passed, "PYTHONPATH": os.pathsep.join([str(_ROOT), *_elsewhere()])}


def _elsewhere() -> list[str]:
    """Return the folders that this process imports from, without the working directory."""
    left_out = (str(_ROOT), str(Path.cwd()))
    return [each for each in sys.path if Path(each).is_absolute() and each not in left_out]
