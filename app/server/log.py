"""The log, on standard output: a JSON object a line, or words where the output is a terminal.

Requests are written straight, gathered through one turn of the event loop; everything else comes
through the standard `logging`. Neither ever carries a token, a key or a query string.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

from app.core.instant import format_instant

logger: Final = logging.getLogger("freezegate")

_LEVEL_OF_REQUESTS: Final = logging.INFO

_UNNAMED: Final = frozenset({"time", "level", "logger", "message", "exception"})
"""Members that a readable line shows without their names, or not at all."""


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger and message, the extra fields, and a traceback where there is one."""
        return json.dumps(self.members(record))

    def members(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the members of the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return line


class ReadableFormatter(JsonFormatter):
    """A log record as a line for people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the same as the JSON line, in words."""
        return readable_line(self.members(record))


def readable_line(line: Mapping[str, Any]) -> str:
    """Return a line of the log in words: time (UTC), level, message, `name=value` for each other field.

    Text from outside is escaped as in JSON, so that it can't control the terminal.
    """
    rest = {name: value for name, value in line.items() if name not in _UNNAMED}
    shown = f"{line['time'][11:]} {line['level']:<7} {_escaped(line['message'])}"
    shown += "".join(f" {name}={_word(value)}" for name, value in rest.items())
    return f"{shown}\n{line['exception']}" if "exception" in line else shown


def _word(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if text.isascii() and text.isprintable() and " " not in text else json.dumps(text)


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1].replace('\\"', '"')


def configure(level: str, *, readable: bool = False) -> None:
    """Send every logger's records to standard output, as JSON lines or as `readable` ones."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(ReadableFormatter() if readable else JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # At a terminal the banner has said that the gate starts.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING if readable else logging.NOTSET)


def event(level: int, message: str, **fields: object) -> None:
    """Log something that happened, with fields of its own."""
    logger.log(level, message, extra={"fields": fields})


class RequestLog:
    """Writes a line a request; the lines of one turn of the event loop go out in one write."""

    def __init__(self, stream: BinaryIO | None = None) -> None:
        """Write to `stream`; to standard output if there is none."""
        self._stream = stream or sys.stdout.buffer
        self._readable = stream is None and sys.stdout.isatty()
        self._lines: list[str] = []

    @property
    def enabled(self) -> bool:
        """Whether the level of the log lets requests through."""
        return logger.isEnabledFor(_LEVEL_OF_REQUESTS)

    def write(self, now: int, fields: str) -> None:
        """Take one line; `fields` are JSON members, already written."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        line = f'{{"time": "{format_instant(now)}", "level": "info", {fields}}}'
        self._lines.append(f"{readable_line(json.loads(line)) if self._readable else line}\n")

    def flush(self) -> None:
        """Write what has gathered; a log that can't be written must not stop the gate."""
        lines, self._lines = self._lines, []
        try:
            self._stream.write("".join(lines).encode())
            self._stream.flush()
        except (OSError, ValueError):
            return
