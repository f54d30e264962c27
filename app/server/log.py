"""The log: JSON, one object a line, on standard output.

Requests are written straight, gathered through one turn of the event loop; everything else comes
through the standard `logging`. Neither ever carries a token, a key or a query string.
"""

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

from app.core.instant import format_instant

logger: Final = logging.getLogger("freezegate")

_LEVEL_OF_REQUESTS: Final = logging.INFO


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger and message, the extra fields, and a traceback where there is one."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(level: str) -> None:
    """Send every logger's records to standard output as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def event(level: int, message: str, **fields: object) -> None:
    """Log something that happened, with fields of its own."""
    logger.log(level, message, extra={"fields": fields})


class RequestLog:
    """Writes a line a request; the lines of one turn of the event loop go out in one write."""

    def __init__(self, stream: BinaryIO | None = None) -> None:
        """Write to `stream`; to standard output if there is none."""
        self._stream = stream or sys.stdout.buffer
        self._lines: list[str] = []

    @property
    def enabled(self) -> bool:
        """Whether the level of the log lets requests through."""
        return logger.isEnabledFor(_LEVEL_OF_REQUESTS)

    def write(self, now: int, fields: str) -> None:
        """Take one line; `fields` are JSON members, already written."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self._lines.append(f'{{"time": "{format_instant(now)}", "level": "info", {fields}}}\n')

    def flush(self) -> None:
        """Write what has gathered; a log that can't be written must not stop the gate."""
        lines, self._lines = self._lines, []
        try:
            self._stream.write("".join(lines).encode())
            self._stream.flush()
        except (OSError, ValueError):
            return
