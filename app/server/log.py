"""The log, on standard output: one JSON object per line, or readable lines on a terminal.

Request lines are written directly, batched over one turn of the event loop; all others come through the
standard `logging`. Neither ever carries a token, a key or a query string.
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
    """A formatter of log records as lines of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger, message, the extra fields and any traceback as JSON."""
        return json.dumps(self.members(record))

    def members(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the members of the JSON line."""
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
    """A formatter of log records as readable lines, for terminals."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the content of the JSON line as a readable line."""
        return readable_line(self.members(record))


def readable_line(line: Mapping[str, Any]) -> str:
    """Return a readable line of the log: time (UTC), level, message, `name=value` for each other field.

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
    """Send the records of all loggers to standard output, as JSON lines or as `readable` ones."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(ReadableFormatter() if readable else JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # At a terminal the banner already reports the start.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING if readable else logging.NOTSET)


def event(level: int, message: str, **fields: object) -> None:
    """Log a message with structured fields."""
    logger.log(level, message, extra={"fields": fields})


class RequestLog:
    """The log of requests, one line each; the lines of one turn of the event loop share one write."""

    def __init__(self, stream: BinaryIO | None = None) -> None:
        """Write to `stream`, or to standard output."""
        self._stream = stream or sys.stdout.buffer
        self._readable = stream is None and sys.stdout.isatty()
        self._lines: list[str] = []

    @property
    def enabled(self) -> bool:
        """Whether the log level includes requests."""
        return logger.isEnabledFor(_LEVEL_OF_REQUESTS)

    def write(self, now: int, fields: str) -> None:
        """Queue one line; `fields` are JSON members, already encoded."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        line = f'{{"time": "{format_instant(now)}", "level": "info", {fields}}}'
        self._lines.append(f"{readable_line(json.loads(line)) if self._readable else line}\n")

    def flush(self) -> None:
        """Write the queued lines; an unwritable log must not stop the gate."""
        lines, self._lines = self._lines, []
        try:
            self._stream.write("".join(lines).encode())
            self._stream.flush()
        except (OSError, ValueError):
            return
