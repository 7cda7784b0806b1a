"""The server's connections: those that are silent or not read end, hold little memory, and do not keep other clients
out.
"""

import select
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import ClassVar

import pytest
import uvicorn
from reconstruction_gallery.web.connections import Connection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

SECONDS = 30.0  # deadline
BODY_BYTES = 16 << 20
SMALL_BYTES = BODY_BYTES // 8
REQUEST = b"GET / HTTP/1.1\r\nHost: gallery\r\n\r\n"


@pytest.fixture
def limited() -> type[Connection]:
    """The gallery's connections, with short limits."""

    class Limited(Connection):
        most = 20
        quiet_seconds = 0.5
        _held: ClassVar[dict[str, dict[Connection, None]]] = {}
        _unread: ClassVar[dict[Connection, int]] = {}

    return Limited


@pytest.fixture
def port(limited: type[Connection]) -> Iterator[int]:
    """The port of a server with these connections."""

    async def answer(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("x" * BODY_BYTES)

    async def answer_small(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("x" * SMALL_BYTES)

    async def take(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{len(await request.body())}")

    app = Starlette(routes=[Route("/", answer), Route("/small", answer_small), Route("/body", take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, http=limited, log_config=None, timeout_keep_alive=60))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def received(connection: socket.socket, enough: int = sys.maxsize) -> int:
    """Read until the server ends the connection, or more than `enough` bytes came. Return their number."""
    received = 0
    with suppress(ConnectionResetError):
        while received <= enough and (content := connection.recv(1 << 20)):
            received += len(content)
    return received


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="silent"),
        pytest.param(REQUEST[:-2], id="half-a-header"),
        pytest.param(REQUEST + REQUEST[:20], id="half-a-second-header"),
    ],
)
def test_a_connection_without_a_request_is_closed(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        connection.sendall(sent)

        received(connection)  # or a TimeoutError


def test_silent_connections_do_not_keep_others_out(port: int, limited: type[Connection]) -> None:
    limited.quiet_seconds = 600.0
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS)) for _ in range(100)]
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS))
        connection.sendall(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        ended, _, _ = select.select(silent, [], [], SECONDS)
        assert len(ended) >= 80


def test_a_response_that_is_not_read_is_aborted(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        connection.sendall(REQUEST)
        for _ in range(4):  # each ends after `quiet_seconds`
            with socket.create_connection(("127.0.0.1", port), SECONDS) as silent:
                received(silent)

        assert received(connection) < BODY_BYTES


def test_what_clients_leave_unread_is_bounded_and_other_addresses_are_served(
    port: int, limited: type[Connection]
) -> None:
    limited.quiet_seconds = 600.0
    limited.max_unread_bytes = 4 * BODY_BYTES
    with ExitStack() as stack:

        def connected(address: str) -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", port), SECONDS, source_address=(address, 0))
            stack.enter_context(connection).sendall(REQUEST)
            return connection

        other = connected("127.0.0.2")
        unread = [connected("127.0.0.1") for _ in range(10)]
        for connection in unread:  # each is answered before any is read
            with suppress(ConnectionResetError):
                connection.recv(1, socket.MSG_PEEK)

        lengths = [received(connection, BODY_BYTES) for connection in unread]
        assert sum(length < BODY_BYTES for length in lengths) >= 6
        assert received(other, BODY_BYTES) > BODY_BYTES


def test_many_small_responses_left_unread_do_not_make_room_for_large_ones(port: int, limited: type[Connection]) -> None:
    limited.quiet_seconds = 600.0
    limited.max_unread_bytes = limit = 2 * BODY_BYTES
    with ExitStack() as stack:
        unread = []
        for path in ["/small"] * 10 + ["/"] * 8:
            unread.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS)))
            unread[-1].sendall(REQUEST.replace(b"GET /", f"GET {path}".encode()))
            with suppress(ConnectionResetError):
                unread[-1].recv(1, socket.MSG_PEEK)

        small = [received(connection, SMALL_BYTES) for connection in unread[:10]]
        large = [received(connection, BODY_BYTES) for connection in unread[10:]]
        assert all(length > SMALL_BYTES for length in small)
        assert 10 * SMALL_BYTES + sum(length > BODY_BYTES for length in large) * BODY_BYTES <= limit


def test_one_address_with_all_places_does_not_keep_another_out(port: int, limited: type[Connection]) -> None:
    limited.quiet_seconds = 600.0
    with ExitStack() as stack:
        busy = []
        for _ in range(20):  # answered only when the body is complete
            busy.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS)))
            busy[-1].sendall(
                b"POST /body HTTP/1.1\r\nHost: gallery\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
            )
            assert busy[-1].recv(12) == b"HTTP/1.1 100"
        other = socket.create_connection(("127.0.0.1", port), SECONDS, source_address=("127.0.0.2", 0))
        stack.enter_context(other).sendall(REQUEST)

        assert other.recv(15) == b"HTTP/1.1 200 OK"
        ended, _, _ = select.select(busy, [], [], SECONDS)
        assert busy[0] in ended
