"""Interpreter settings for serving. They hold for the whole process, so only `serve` applies them."""

import gc
import sys
from typing import Final

_SWITCH_INTERVAL: Final = 0.0002
"""Seconds. The writing thread needs the interpreter only for moments, but often; at the default of
5 ms each of them waits behind requests, and so do the claims in its commit."""

_THRESHOLDS: Final = (20_000, 50, 100)
"""Claims that wait for their commit are some hundred objects each. At the default of 700 the collector
scans them over and over: a third of the time of a claim."""


def tune() -> None:
    """Tune the interpreter for serving; call it when everything is imported and loaded."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.collect()
    # Objects that exist now live until the end of the process.
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
