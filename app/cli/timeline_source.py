"""The policies of files on this machine, in force as on a gate, for the commands that show timelines."""

from pathlib import Path
from typing import TYPE_CHECKING

from app.clock import SystemClock

if TYPE_CHECKING:
    from app.gate.in_force import InForce


def read_in_force(path: Path) -> "InForce":
    """Read and check policy files with their calendars; there are no ad-hoc freezes.

    Raises:
        PolicyFileError: the policies have errors.
        UndecidedError: a calendar could not be fetched.
    """
    from app.cli.calendars import read_with_calendars
    from app.cli.files import loaded_from
    from app.gate.in_force import InForce

    source, snapshot = read_with_calendars(path, SystemClock())
    return InForce(loaded_from(source, snapshot).engine, snapshot, 0, ())
