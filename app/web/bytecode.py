"""Keep compiled templates between starts, as Python keeps its modules: in `__pycache__`, where that can be written.

Compiling all templates takes seconds of processor time; reading them takes milliseconds.
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
        """Keep a template, unless Python keeps no modules either (``python -B``) or the folder can't be written."""
        if sys.dont_write_bytecode:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            super().dump_bytecode(bucket)
