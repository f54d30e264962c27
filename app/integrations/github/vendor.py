"""GitHub's table entry."""

from typing import Final

from app.integrations.github.section import GitHub
from app.integrations.vendor import Vendor

VENDOR: Final = Vendor("github", section=GitHub)
