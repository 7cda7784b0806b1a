"""Connections beyond the limit: those of the address with the most end, at a cost that does not
grow with their number.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import ClassVar

import uvicorn
from reconstruction_gallery.web.connections import Connection
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

MOST, FLOOD = 60, 160
STRANGER, ANOTHER = "127.0.0.2", "127.0.0.3"


LIMITED = """
import resource
from reconstruction_gallery.web.connections import most_within, raise_descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 1000))
print(raise_descriptors(), resource.getrlimit(resource.RLIMIT_NOFILE)[0], most_within(1000), most_within(8192))
"""


class Counted(Connection):
    """A connection that counts how often any of them is asked for its address."""

    most: ClassVar[int] = MOST
    _held: ClassVar[dict[str, dict[Connection, None]]] = {}
    asked: ClassVar[int] = 0

    @property
    def address(self) -> str:
        type(self).asked += 1
        return super().address


async def answer(_request: object) -> PlainTextResponse:
    return PlainTextResponse("ok")


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    """Serve "ok" within the block, and yield the port."""
    app = Starlette(routes=[Route("/", answer)])
    config = uvicorn.Config(app, http=Counted, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:  # noqa: ASYNC110  # uvicorn has only this flag
            await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
        await task


async def is_open(connection: socket.socket) -> bool:
    with suppress(BlockingIOError):
        try:
            return bool(connection.recv(1))
        except ConnectionError:
            return False
    return True


def test_a_flood_ends_connections_of_its_own_address_at_a_cost_for_each_that_does_not_grow() -> None:
    async def flooded() -> tuple[int, bytes]:
        async with served() as port:
            loop = asyncio.get_running_loop()
            with ExitStack() as stack:

                async def connected(address: str) -> socket.socket:
                    connection = stack.enter_context(socket.socket())
                    connection.setblocking(False)
                    connection.bind((address, 0))
                    await loop.sock_connect(connection, ("127.0.0.1", port))
                    return connection

                other = await connected(ANOTHER)
                flood = [await connected(STRANGER) for _ in range(FLOOD)]
                await asyncio.sleep(0.2)
                left = [await is_open(connection) for connection in flood].count(True)
                await loop.sock_sendall(other, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                response = b""
                while part := await loop.sock_recv(other, 4096):
                    response += part
                return left, response

    left, response = asyncio.run(flooded())

    assert left == MOST - 1
    assert response.endswith(b"ok")
    assert Counted.asked < 10 * FLOOD


def test_the_limit_of_connections_is_below_that_of_the_process() -> None:
    """As in a container whose soft limit is low."""
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1000", "1000", "180", "3000"]
