"""Freezegate: may this service be deployed to this environment now?"""

from typing import Final

__version__: Final = "0.1.0"
