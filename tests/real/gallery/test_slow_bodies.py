"""Bodies that are sent slowly: they end after 20 s in all, and keep neither another address nor the probes waiting."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse

import pytest

from devcluster.harness.gallery import Gallery
from devcluster.harness.jobs import Jobs
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import MakeUser

CONNECTIONS = 60
END_SECONDS = 60.0


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def begun(gallery: Gallery, path: str, sockets: ExitStack, *headers: str) -> socket.socket:
    """Send the beginning of a POST with a small body."""
    connection = sockets.enter_context(socket.create_connection(("127.0.0.1", gallery.port), END_SECONDS))
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{gallery.port}", "Content-Type: application/json", *headers]
    connection.sendall("\r\n".join([*lines, "Content-Length: 1000", "", "{"]).encode())
    return connection


def status_of(connection: socket.socket) -> int:
    answer = HTTPResponse(connection)
    answer.begin()
    return answer.status


def is_open(connection: socket.socket) -> bool:
    """Send another byte; return whether the server still waits for more."""
    try:
        connection.send(b" ")
        connection.setblocking(False)
        return bool(connection.recv(1 << 16))
    except BlockingIOError:
        return True
    except OSError:
        return False


@pytest.mark.release
def test_slow_sign_ins_end_and_others_sign_in_meanwhile(
    gallery: Gallery, jobs: Jobs, make_user: MakeUser, sockets: ExitStack
) -> None:
    origin = f"Origin: {gallery.url}"
    slow = [begun(gallery, "/api/session", sockets, origin) for _ in range(CONNECTIONS)]

    assert gallery.probe("/healthz") == 200
    with closing(HTTPConnection("127.0.0.1", gallery.port, 5.0, source_address=("127.0.0.2", 0))) as other:
        headers = {"Origin": gallery.url, "Content-Type": "application/json"}
        other.request("POST", "/api/session", json.dumps({"token": make_user("viewer")}), headers)
        assert other.getresponse().status == 204
    wait_until(
        lambda: not [connection for connection in slow if is_open(connection)],
        "the slow requests to end",
        timeout_seconds=END_SECONDS,
        seen=lambda: len(slow),
    )


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/api/session", 403, id="sign-in-of-another-site"),
        pytest.param("/api/namespaces/{namespace}/jobs", 401, id="create"),
        pytest.param("/api/namespaces/{namespace}/jobs/one/actions", 401, id="action"),
        pytest.param("/api/namespaces/{namespace}/uploads/0/job", 401, id="submit"),
    ],
)
def test_credentials_are_checked_before_the_body_is_read(
    gallery: Gallery, jobs: Jobs, sockets: ExitStack, path: str, status: int
) -> None:
    assert status_of(begun(gallery, path.format(namespace=jobs.namespace), sockets)) == status
