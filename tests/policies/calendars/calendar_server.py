"""A calendar server that answers with exactly the bytes it is told to, on this machine only."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\n"
    "BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261101T000000Z\r\nSUMMARY:Freeze\r\n"
    "DTSTART:20261224T080000Z\r\nDTEND:20261224T170000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)

Serve = Callable[[asyncio.StreamWriter], Awaitable[None]]


def reply(content: bytes | str = CALENDAR, status: str = "200 OK", **headers: str) -> bytes:
    """An answer; names of headers with _ for -."""
    body = content.encode() if isinstance(content, str) else content
    fields = {"Content-Length": str(len(body)), "Content-Type": "text/calendar; charset=utf-8"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return reply("", status, Location=location)


class CalendarServer:
    """Answers each path by its bytes, or by what a function writes; anything else is 404."""

    def __init__(self) -> None:
        self.replies: dict[str, bytes | Serve] = {}
        self.requests: list[str] = []
        """The heads of the requests."""
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            answer = self.replies.get(head.split(" ", 2)[1], reply("", "404 Not Found"))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
