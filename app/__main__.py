"""Entry point of the installed command, and of ``python -m`` with the name of the package."""

import os
import sys


def main() -> None:
    """Run the command line, without the folders that Python searches before the installed packages.

    In a pipeline, the working directory and PYTHONPATH are those of a repository, whose `json.py` must not
    run. The script of `make run` has that by ``python -I``; a package can't make installers set options.
    """
    if not sys.flags.safe_path:
        _restrict_path()
    from app.cli import main as run

    run()


def _restrict_path() -> None:
    """Drop the script's or the working directory and PYTHONPATH; keep the folder that this package is in."""
    added = {sys.path[0], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))}
    dropped = {os.path.realpath(folder) for folder in added}
    dropped.discard(os.path.realpath(__file__).rpartition(os.sep + __package__)[0])
    sys.path[:] = [folder for folder in sys.path if os.path.realpath(folder) not in dropped]


if __name__ == "__main__":
    main()
