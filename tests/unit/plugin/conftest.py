"""A server in this process with prepared responses, and an API client of it."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from kubectl_recon.kube.api import Api, connect

from devcluster.servers.running import answering
from tests.support.plugin import write_kubeconfig

_COMPRESSED_BYTES = 128 * 1024


@dataclass
class Server:
    """Sends `answers` (status, body) one after the other, or those of `respond`.

    `asked`: method, path with query, body.

    As the API server, it compresses large bodies for clients that accept that; `sent_bytes`: sizes of the bodies.
    """

    answers: list[tuple[int, bytes]] = field(default_factory=list)
    respond: Callable[[str], tuple[int, bytes]] | None = None  # by path with query
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sent_bytes: list[int] = field(default_factory=list)
    behind_seconds: float = 0.0  # how far the server's clock is behind this machine's

    def put(self, status: int, body: object) -> None:
        """Prepare a response: bytes unchanged, anything else as JSON."""
        self.answers.append((status, body if isinstance(body, bytes) else json.dumps(body).encode()))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def api(server: Server, tmp_path: Path) -> Iterator[Api]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.asked.append((self.command, self.path, body))
            server.headers.append(dict(self.headers))
            if server.respond is not None:
                status, content = server.respond(self.path)
            else:
                status, content = server.answers.pop(0) if server.answers else (500, b"{}")
            self.send_response(status)
            if len(content) > _COMPRESSED_BYTES and self.headers.get("Accept-Encoding") == "gzip":
                content = gzip.compress(content)
                self.send_header("Content-Encoding", "gzip")
            server.sent_bytes.append(len(content))
            self.send_header("Content-Length", str(len(content)))
            if status == HTTPStatus.TEMPORARY_REDIRECT:
                self.send_header("Location", "http://other.example.com/")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815  # the names of http.server

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string((timestamp or time.time()) - server.behind_seconds)

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with answering(running):
        api = connect(kubeconfig=str(write_kubeconfig(tmp_path, running.server_port))).api
        yield api
        api.close()
