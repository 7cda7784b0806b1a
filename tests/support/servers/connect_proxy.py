"""HTTP proxy for tests: connects its clients to any server (CONNECT), and records the servers."""

from __future__ import annotations

import base64
import contextlib
import http.server
import select
import socket
from collections.abc import Iterator

from devcluster.servers.running import answering

_CHUNK_BYTES = 65_536
_SECONDS = 20.0


class ConnectProxy(http.server.ThreadingHTTPServer):
    """A running proxy. With `user_info`, `user:password`, it serves only clients that send it."""

    daemon_threads = True

    def __init__(self, user_info: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.user_info = user_info
        self.connected: list[str] = []  # host:port of each server

    @property
    def url(self) -> str:
        """The proxy's URL, with the password."""
        return f"http://{self.user_info}{'@' if self.user_info else ''}127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ConnectProxy
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        wanted = "Basic " + base64.b64encode(self.server.user_info.encode()).decode()
        if self.server.user_info and self.headers.get("Proxy-Authorization") != wanted:
            self.send_error(407)
            return
        self.server.connected.append(self.path)
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=_SECONDS) as there:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: there, there: self.connection}
            while ready := select.select(list(ends), [], [], _SECONDS)[0]:
                for readable in ready:
                    data = readable.recv(_CHUNK_BYTES)
                    if not data:
                        return
                    ends[readable].sendall(data)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def running_proxy(user_info: str = "") -> Iterator[ConnectProxy]:
    """Run a proxy on a free port."""
    proxy = ConnectProxy(user_info)
    with answering(proxy):
        yield proxy
