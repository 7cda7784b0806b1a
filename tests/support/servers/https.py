"""HTTPS server for tests: runs in this process, on loopback, with pages that a test chooses."""

from __future__ import annotations

import http.server
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from reconstruction_operator.transfer.https import download
from reconstruction_operator.transfer.limits import Limits

from devcluster.servers.certificates import Authority
from devcluster.servers.running import answering

Handle = Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """A server. `pages` has the handler of each path; `hosts` collects the Host headers."""

    port: int
    tls: ssl.SSLContext
    target: Path
    pages: dict[str, Handle] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)

    def url(self, path: str, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"

    def get(
        self,
        uri: str,
        limits: Limits,
        *,
        tick: Callable[[float, str], None] = lambda *_: None,
        resolve: Callable[[str, int], list[str]] = lambda *_: ["127.0.0.1"],
    ) -> bytes:
        """Download `uri`, and return the content."""
        download.download(uri, self.target, limits, tick, resolve=resolve, tls=self.tls)
        return self.target.read_bytes()


def sending(content: bytes, *, length: int | str | None = None) -> Handle:
    """Return the handler of a page with that content. `length`: announced instead of its size."""

    def handle(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        with suppress(OSError):  # the client has read enough
            handler.wfile.write(content)

    return handle


@contextmanager
def running_https(folder: Path) -> Iterator[Server]:
    """Run a server on a free port. `folder` gets the authority's certificate `ca.crt` and the downloads, `download`."""
    authority = Authority(folder)
    pair = authority.issue("server", user="server", hosts=("localhost", "nas.example", "xn--bcher-kva.example"))
    running = Server(0, ssl.create_default_context(cafile=str(authority.certificate)), folder / "download")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.hosts.append(self.headers["Host"])
            running.pages.get(self.path.partition("?")[0], lambda handler: handler.send_error(404))(self)

        def log_message(self, *_: object) -> None:
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    running.port = listening.server_address[1]
    with answering(listening):
        yield running
