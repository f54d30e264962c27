"""The process that verifies pages of the record beside the one that was asked to, on another core.

``python -m app.gate.verify_worker`` reads requests from its input, one JSON array per line, and answers each
with a line of JSON. It ends with its input, so it doesn't outlive the process that started it.
"""

import contextlib
import gc
import json
import sys
from functools import partial
from typing import BinaryIO, Final

from app.core.audit import Checkpoint
from app.core.rollup import Weights
from app.gate.child_process import READY
from app.gate.page_check import PageCheck, PageRequest
from app.store.store import Store

_PATIENCE: Final = 60.0
"""Seconds that a query may take."""


def work(source: BinaryIO, target: BinaryIO) -> None:
    """Answer requests until they end; the first line is the URL of the database and the key of `Weights`."""
    url, key = json.loads(source.readline())
    store = Store(url, _PATIENCE)
    target.write(READY)
    target.flush()
    pages = PageCheck(Weights(bytes.fromhex(key)))
    for line in source:
        after, against, most = json.loads(line)
        request = PageRequest(after, None if against is None else Checkpoint(*against), most)
        found = store.query(partial(pages.check_ahead, request=request))
        target.write(json.dumps(found and found.to_json()).encode() + b"\n")
        target.flush()
    store.let_go()


if __name__ == "__main__":
    # A page is in no cycle, and makes thousands of rows: look for cycles seldom.
    gc.set_threshold(200_000)
    with contextlib.suppress(BrokenPipeError):
        work(sys.stdin.buffer, sys.stdout.buffer)
