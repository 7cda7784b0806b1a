"""Page server: on the loopback interface only, below a random path.

Other users of the machine can connect to it, and pages of other sites can through the browser (DNS rebinding). So the
path is secret, and requests for another host are rejected.
"""

from __future__ import annotations

import http.server
import math
import mimetypes
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

_TYPES: Final = {".glb": "model/gltf-binary", ".js": "text/javascript", ".ply": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Page:
    """A response: text, or the content of a file."""

    content: str | Path = ""
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    framed: bool = False  # sent only to a frame: in a tab of its own, its scripts could lead the browser to any host


@contextmanager
def served(pages: Mapping[str, Page], *, once_within: float = math.inf) -> Iterator[str]:
    """Serve these pages by their path below the secret path. Yield the address of the page "".

    `once_within`: with a number of seconds, each page is sent once, and only in that time.
    """
    secret = secrets.token_urlsafe(16)
    left = dict(pages)
    until = time.monotonic() + once_within

    def page_of(name: str) -> Page | None:
        take = left.get if until == math.inf else left.pop
        return take(name, None) if time.monotonic() < until else None

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(page_of, f"/{secret}/")) as server:
        thread = threading.Thread(target=server.serve_forever, name="pages", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{secret}/"
        finally:
            server.shutdown()


def files_below(folder: Path) -> dict[str, Page]:
    """Return a page for each file of a folder, by its path. Links that lead out of the folder are skipped."""
    root = folder.resolve()
    return {
        path.relative_to(folder).as_posix(): Page(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.resolve().is_relative_to(root)
    }


def _handler(page_of: Callable[[str], Page | None], prefix: str) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # a name of the base class
            path = unquote(urlsplit(self.path).path)
            _, port = self.connection.getsockname()[:2]
            own = self.headers.get("Host") in (f"127.0.0.1:{port}", f"localhost:{port}")
            page = page_of(path.removeprefix(prefix)) if own and path.startswith(prefix) else None
            if page is None or (page.framed and self.headers.get("Sec-Fetch-Dest") != "iframe"):
                page = Page("Page not found, or opened before.", HTTPStatus.NOT_FOUND)
            with suppress(ConnectionError):  # the browser closed the connection
                self._answer(page)

        def _answer(self, page: Page) -> None:
            file = page.content if isinstance(page.content, Path) else None
            text = page.content.encode() if isinstance(page.content, str) else b""
            kind = "text/html; charset=utf-8"
            if file is not None:
                guess = mimetypes.guess_type(file.name)[0]
                kind = _TYPES.get(file.suffix.lower()) or guess or "application/octet-stream"
            self.send_response(page.status)
            headers = {
                "Content-Type": kind,
                "Content-Length": str(file.stat().st_size if file else len(text)),
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",  # the path is a secret
                "X-Content-Type-Options": "nosniff",
                **page.headers,
            }
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if file is None:
                self.wfile.write(text)
            else:
                with file.open("rb") as content:
                    shutil.copyfileobj(content, self.wfile)

        def log_message(self, *_: Any) -> None:
            """Log nothing: the terminal shows the output of the command."""

    return Handler
