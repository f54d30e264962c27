import asyncio

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from app.server import protocol
from app.server.protocol import GateProtocol

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def answer(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def test_a_head_that_never_ends_is_given_up_and_a_whole_one_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE", 0.2)
    config = uvicorn.Config(answer, http=GateProtocol, lifespan="off", ws="none", log_config=None)
    config.load()
    state = uvicorn.Server(config).server_state
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: GateProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    silent, _silent = await asyncio.open_connection("127.0.0.1", port)
    slow, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    whole, asking = await asyncio.open_connection("127.0.0.1", port)
    asking.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await whole.readline()).startswith(b"HTTP/1.1 200")
    assert await asyncio.wait_for(silent.read(), 10) == b""
    assert await asyncio.wait_for(slow.read(), 10) == b""
    for each in (_silent, writer, asking):
        each.close()
    server.close()
    await server.wait_closed()
