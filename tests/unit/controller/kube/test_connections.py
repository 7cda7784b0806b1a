"""Connections to the API server: requests as they are sent, answers of every form, and connections that break."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
from reconstruction_operator.controller.kube.connections import Connections, MalformedAnswerError

HEADERS = {"Accept": "application/json"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers each request with the next of these answers; closes the connection after the last one."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.requests: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self.answers:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            lengths = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
            body = await reader.readexactly(int(lengths[0].partition(b": ")[2])) if lengths else b""
            self.requests.append(head + body)
            self.asked.set()
            writer.write(self.answers.pop(0))
            await writer.drain()
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    serving = Server()
    listening = await asyncio.start_server(serving.serve, "127.0.0.1", 0)
    serving.port = listening.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    yield serving
    listening.close()


@pytest.fixture
async def connections(server: Server) -> AsyncIterator[Connections]:
    opened = Connections(f"http://127.0.0.1:{server.port}/behind/", ssl.create_default_context())  # type: ignore[attr-defined]
    yield opened
    await opened.close()


async def test_a_request_has_its_path_headers_and_content(server: Server, connections: Connections) -> None:
    server.answers = [OK]
    answer = await connections.request("PATCH", "/apis/x?y=1", HEADERS, b"[1]")

    assert (answer.status, answer.content) == (200, b"{}")
    lines = server.requests[0].split(b"\r\n")
    assert lines[0] == b"PATCH /behind/apis/x?y=1 HTTP/1.1"
    assert lines[1].startswith(b"Host: 127.0.0.1:")
    assert lines[2:] == [b"Accept: application/json", b"Content-Length: 3", b"", b"[1]"]


@pytest.mark.parametrize(
    ("sent", "status", "content"),
    [
        pytest.param(b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nabc", 404, b"abc", id="a length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n",
            200,
            b"abcd",
            id="chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\n\r\n",
            200,
            b"a",
            id="chunks with a trailer",
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", id="no content"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, b"{}", id="an interim answer before"),
    ],
)
async def test_an_answer_of_any_form_leaves_the_connection_open(
    server: Server, connections: Connections, sent: bytes, status: int, content: bytes
) -> None:
    server.answers = [sent, OK]
    answer = await connections.request("GET", "/x", HEADERS, None)
    await connections.request("GET", "/y", HEADERS, None)

    assert (answer.status, answer.content) == (status, content)
    assert (len(server.requests), server.connections) == (2, 1)


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na", b"a", id="as it says"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", b"a", id="of an old server"),
    ],
)
async def test_a_connection_that_is_to_be_closed_is_not_used_again(
    server: Server, connections: Connections, sent: bytes, content: bytes
) -> None:
    server.answers = [sent, OK]
    answer = await connections.request("GET", "/x", HEADERS, None)
    await connections.request("GET", "/y", HEADERS, None)

    assert answer.content == content
    assert server.connections == 2


async def test_an_answer_without_a_length_ends_with_its_connection(server: Server, connections: Connections) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\n\r\nabc"]
    assert (await connections.request("GET", "/x", HEADERS, None)).content == b"abc"


async def test_a_connection_that_the_server_has_closed_is_replaced(server: Server, connections: Connections) -> None:
    server.answers = [OK]
    await connections.request("GET", "/x", HEADERS, None)
    (idle,) = connections._idle
    await idle.reader.read()  # until it is closed
    server.answers = [OK]

    assert (await connections.request("GET", "/x", HEADERS, None)).status == 200
    assert server.connections == 2


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", id="cut off"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", id="endless"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", id="no length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", id="no chunk"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"x" * (2 << 20), id="an endless head"),
    ],
)
async def test_what_is_no_answer_is_an_error_and_its_connection_is_given_up(
    server: Server, connections: Connections, sent: bytes
) -> None:
    server.answers = [sent]
    with pytest.raises(OSError):  # of any kind: the caller has no answer
        await connections.request("GET", "/x", HEADERS, None)
    assert connections._idle == []


async def test_the_answer_to_a_cancelled_request_is_no_other_ones(server: Server, connections: Connections) -> None:
    server.answers = [b"", OK]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await connections.request("GET", "/x", HEADERS, None)
    assert connections._idle == []


async def test_a_connection_in_use_is_closed_when_its_answer_is_in(server: Server, connections: Connections) -> None:
    server.answers = [OK]
    under_way = asyncio.create_task(connections.request("GET", "/x", HEADERS, None))
    await server.asked.wait()
    await connections.close()

    assert (await under_way).status == 200
    assert connections._idle == []


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/x HTTP/1.1\r\nHost: other\r\n\r\nGET /y", {}, id="a path with a line break"),
        pytest.param("/a b", {}, id="a path with a space"),
        pytest.param("/ä", {}, id="a path that is not encoded"),
        pytest.param("/x", {"Authorization": "Bearer a\nb"}, id="a token with a line break"),
    ],
)
async def test_what_would_be_another_request_is_not_sent(
    server: Server, connections: Connections, path: str, headers: dict[str, str]
) -> None:
    with pytest.raises(MalformedAnswerError, match="no valid request"):
        await connections.request("GET", path, headers, None)
    assert server.connections == 0
