"""Keep compiled templates between starts, as Python keeps its modules: in `__pycache__`, if it is writable.

Compiling all templates takes half a second of processor time; reading them takes a tenth of that.
"""

import contextlib
import sys
from pathlib import Path

from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket


class TemplateBytecode(FileSystemBytecodeCache):
    """Compiled templates in a folder; a template that has changed is compiled anew."""

    def __init__(self, folder: Path) -> None:
        """Keep them in a folder, which is made with the first one."""
        super().__init__(str(folder), f"%s.{sys.implementation.cache_tag}.jinja")
        self._folder = folder

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template, if Python keeps modules (not with ``python -B``) and the folder is writable."""
        if sys.dont_write_bytecode:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            super().dump_bytecode(bucket)
