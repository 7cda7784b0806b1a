"""Serving: clients that are silent, slow, many or wrong take neither place nor time from others."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge
from reconstruction_operator.telemetry import serving
from reconstruction_operator.telemetry.serving import MetricsPage, Page, Server, ServingThread, measured_in

_LARGE = b"x" * (64 << 20)  # more than the buffers of two sockets
Ask = Callable[[bytes], "asyncio.Future[bytes]"]


async def small() -> Page:
    return Page(b"small")


async def large() -> Page:
    return Page(_LARGE)


async def defect() -> Page:
    raise ValueError("a defect of the page")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = Server({"/small": small, "/large": large, "/defect": defect})
    number = server.listen("127.0.0.1", 0)
    await server.serve()
    yield number
    await server.close()
    await server.close()


async def ask(port: int, request: bytes) -> bytes:
    """Return everything that comes until the server ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    return answer


async def test_a_flood_from_one_address_replaces_no_connection_of_another(port: int) -> None:
    """Many connections are accepted at once, before the server reads from any."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    flood = [
        await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
        for _ in range(3 * serving._CONNECTIONS)
    ]
    writer.write(b"GET /small HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(30):
        assert b"200 OK" in await reader.read()
    for _, other in flood:
        other.close()
    writer.close()


@pytest.mark.parametrize(
    ("request_line", "status", "body"),
    [
        (b"GET /small HTTP/1.1", 200, b"small"),
        (b"GET /small?a=b HTTP/1.0", 200, b"small"),
        (b"HEAD /small HTTP/1.1", 200, b""),
        (b"GET /other HTTP/1.1", 404, b"Not Found\n"),
        (b"POST /small HTTP/1.1", 405, b"Method Not Allowed\n"),
        (b"", 405, b"Method Not Allowed\n"),
        (b"\xff\x00 \xff", 405, b"Method Not Allowed\n"),
    ],
)
async def test_one_request_is_answered_and_the_connection_ends(
    port: int, request_line: bytes, status: int, body: bytes
) -> None:
    head, _, received = (await ask(port, request_line + b"\r\nHost: a\r\n\r\n")).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in head
    assert received == body


async def test_a_head_that_is_too_long_ends_the_connection(port: int) -> None:
    assert await ask(port, b"GET /small HTTP/1.1\r\nA: " + b"a" * 100_000) == b""


async def test_a_defect_ends_one_connection_and_is_logged(port: int, caplog: pytest.LogCaptureFixture) -> None:
    assert await ask(port, b"GET /defect HTTP/1.1\r\n\r\n") == b""
    assert await ask(port, b"GET /small HTTP/1.1\r\n\r\n") != b""

    assert "a defect of the page" in caplog.text


async def test_silent_connections_end_once_their_places_are_needed(port: int) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10 * serving._CONNECTIONS)]

    assert (await ask(port, b"GET /small HTTP/1.1\r\n\r\n")).endswith(b"small")
    async with asyncio.timeout(30):
        for reader, writer in silent[: -serving._CONNECTIONS]:
            assert await reader.read() == b""
            writer.close()
    for _, writer in silent[-serving._CONNECTIONS :]:
        writer.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET /small HTT", b"GET /large HTTP/1.1\r\n\r\n"], ids=["none", "half", "unread"]
)
async def test_a_connection_ends_in_time_whatever_its_client_does(sent: bytes) -> None:
    server = Server({"/small": small, "/large": large}, seconds=0.05)
    number = server.listen("127.0.0.1", 0)
    await server.serve()
    with socket.create_connection(("127.0.0.1", number)) as client:
        client.sendall(sent)  # and reads nothing
        async with asyncio.timeout(30):
            if not sent.startswith(b"GET /large"):
                assert await asyncio.to_thread(client.recv, 1) == b""
            else:
                await asyncio.to_thread(client.recv, 1)
                await asyncio.wait(set(server._tasks))
        assert not server._open
    await server.close()


async def test_metrics_are_made_once_a_second_for_all_clients() -> None:
    now, measured = 100.0, 0
    registry = CollectorRegistry()
    gauge = Gauge("rounds", "", registry=registry)

    async def measure() -> None:
        nonlocal measured
        measured += 1
        gauge.set(measured)

    text = MetricsPage(registry, measure=measure, monotonic=lambda: now)

    pages = await asyncio.gather(*(text() for _ in range(50)))
    assert {page.body for page in pages} == {pages[0].body}
    assert measured == 1
    now += 1.0
    assert b"rounds 2.0" in (await text()).body


async def test_a_thread_serves_metrics_also_while_the_loop_that_updates_them_hangs() -> None:
    hanging = asyncio.new_event_loop()
    over = threading.Event()
    hanging.call_soon(over.wait)
    other = threading.Thread(target=hanging.run_forever)
    other.start()
    measure = measured_in(hanging, lambda: None, seconds=0.05)
    server = Server({"/metrics": MetricsPage(CollectorRegistry(), measure=measure)})
    number = server.listen("127.0.0.1", 0)
    thread = ServingThread(server)
    thread.start()

    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{number}/metrics") as response:
        assert response.status == 200
    await asyncio.to_thread(thread.close)
    thread.close()
    over.set()
    hanging.call_soon_threadsafe(hanging.stop)
    other.join()
    hanging.close()


def test_an_address_of_ipv6_is_served_too() -> None:
    listener = serving._listener("::1", 0)
    assert listener.family == socket.AF_INET6
    listener.close()
