"""The generated parts of the reference pages: `python -m tests.docs.reference` writes them anew.

Prose is written by hand around them. A test fails when a page is not what the models, the OpenAPI
document, the commands and the settings say.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.docs import commands, files, policies, routes
from tests.docs.markdown import filled

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"

PAGES: Final[Mapping[str, Callable[[], Mapping[str, str]]]] = {
    "api.md": routes.blocks,
    "command-line.md": commands.blocks,
    "identity-file.md": files.identity,
    "integrations-file.md": files.integrations,
    "policies.md": policies.blocks,
    "receivers-file.md": files.notifications,
    "settings.md": files.settings,
}
"""Each page, and the blocks of it that are generated."""


def rendered(page: str) -> str:
    """Return a page as it ought to be."""
    return filled((FOLDER / page).read_text(encoding="utf-8"), PAGES[page]())


def main() -> None:
    """Write every page."""
    for page in PAGES:
        (FOLDER / page).write_text(rendered(page), encoding="utf-8")
        sys.stdout.write(f"docs/reference/{page}\n")


if __name__ == "__main__":
    main()
