"""How the interpreter is set while it serves; for the whole process, so only `serve` asks for it."""

import gc
import sys
from typing import Final

_SWITCH_INTERVAL: Final = 0.0002
"""Seconds. The writing thread needs the interpreter only for moments, but often; at the default of
5 ms it waits for each of them behind requests, and whoever waits for the commit waits along."""

_THRESHOLDS: Final = (20_000, 50, 100)
"""Claims that wait for their commit are some hundred objects each. At the default of 700 the collector
takes them for garbage to be looked through, over and over: a third of the time of a claim."""


def tune() -> None:
    """Set the interpreter for serving; call it when everything is imported and loaded."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.collect()
    # What is there now stays till the end.
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
