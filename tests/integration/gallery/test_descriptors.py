"""A flood of connections while the gallery may have few descriptors: it serves its page and its probes."""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from devcluster.servers.ports import free_ports
from devcluster.waiting import wait_until
from tests.support.gallery import environment

DESCRIPTORS, FLOOD = 700, 800
SECONDS = 30.0
PIPELINED = b"GET / HTTP/1.1\r\nHost: gallery\r\n\r\n" * 400  # the page is read from a file
PROGRAM = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {DESCRIPTORS}))
from reconstruction_gallery.main import main
raise SystemExit(main())
"""


@dataclass(frozen=True, slots=True)
class Limited:
    """A gallery without an API server."""

    process: subprocess.Popen[bytes]
    port: int
    probe_port: int
    log: Path

    def status(self, port: int, path: str) -> int:
        """Return the status of a response to another address than the flood's. Raises OSError."""
        with closing(HTTPConnection("127.0.0.1", port, SECONDS, source_address=("127.0.0.2", 0))) as client:
            client.request("GET", path)
            answer = client.getresponse()
            answer.read()
            return answer.status


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Limited]:
    port, probe_port = free_ports(2)
    settings = environment(tmp_path, port, probe_port)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", PROGRAM], env=settings, stdout=output, stderr=output)
    limited = Limited(process, port, probe_port, log)
    try:
        wait_until(lambda: limited.status(port, "/") == 200, "the page", seen=log.read_text)
        yield limited
    finally:
        process.terminate()
        process.wait(SECONDS)


@pytest.fixture
def connect() -> Iterator[Callable[[int], socket.socket]]:
    """Begin to connect to a port, and wait for nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * FLOOD)), hard))
    with ExitStack() as stack:

        def connect(port: int) -> socket.socket:
            connection = stack.enter_context(socket.socket())
            connection.setblocking(False)
            with suppress(BlockingIOError):
                connection.connect(("127.0.0.1", port))
            return connection

        yield connect
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("sent", [pytest.param(b"", id="idle"), pytest.param(PIPELINED, id="unread-pages")])
def test_a_flood_leaves_descriptors_for_others(
    gallery: Limited, connect: Callable[[int], socket.socket], sent: bytes
) -> None:
    gallery.process.send_signal(signal.SIGSTOP)  # so that all arrive at once
    flood = [connect(gallery.port) for _ in range(FLOOD)]
    for connection in flood:
        with suppress(OSError):
            connection.send(sent)
    gallery.process.send_signal(signal.SIGCONT)

    for port, path in ((gallery.port, "/"), (gallery.probe_port, "/healthz"), (gallery.port, "/")):
        assert gallery.status(port, path) == 200
    log = gallery.log.read_text()
    assert "Too many open files" not in log
    assert "out of system resource" not in log
