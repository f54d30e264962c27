"""Keep compiled templates between starts, as Python keeps its modules: in `__pycache__`, if it is writable.

Compiling all templates takes half a second of processor time; reading them takes a tenth of that.
"""

import contextlib
import os
import sys
from pathlib import Path

import jinja2
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from app import __version__


class TemplateBytecode(BytecodeCache):
    """Compiled templates in a folder; what has changed, or another version wrote, is compiled anew."""

    def __init__(self, folder: Path, made_by: str = f"{__version__} {jinja2.__version__}") -> None:
        """Keep them in a folder, which is made with the first one; `made_by` names what compiles them."""
        self._folder = folder
        self._made_by = made_by

    def get_source_checksum(self, source: str) -> str:
        """Return the checksum of a template and of what compiles it."""
        return super().get_source_checksum(f"{self._made_by}\n{source}")

    def load_bytecode(self, bucket: Bucket) -> None:
        """Load a template, if it is kept and whole."""
        try:
            bucket.bytecode_from_string(self._file(bucket).read_bytes())
        except OSError:
            return
        except Exception:  # noqa: BLE001 - a damaged file may raise anything, and is written anew
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template, if Python keeps modules (not with ``python -B``) and the folder is writable."""
        if sys.dont_write_bytecode:
            return
        file = self._file(bucket)
        beside = file.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            beside.write_bytes(bucket.bytecode_to_string())
            beside.replace(file)

    def _file(self, bucket: Bucket) -> Path:
        return self._folder / f"{bucket.key}.{sys.implementation.cache_tag}.jinja"
