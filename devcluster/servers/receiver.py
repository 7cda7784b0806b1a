"""Receiver: an HTTP server that takes the events of notifications, on a port that stays the same."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from devcluster.servers.ports import free_ports
from devcluster.servers.server import LOOPBACK
from devcluster.waiting import wait_until

KEY: Final = base64.b64encode(b"a key of a test, 32 bytes long..").decode()
SILENT: Final = 0
"""In place of a status: the event is accepted, and the connection is closed without a response."""
_LAST_GOOD: Final = 299


@dataclass(frozen=True)
class Received:
    """One POST, whatever was answered."""

    path: str
    headers: Message
    body: bytes
    answer: int

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers["ce-id"] or ""

    @property
    def data(self) -> Any:
        """The event's data."""
        return json.loads(self.body)

    @property
    def is_signed(self) -> bool:
        """Whether the signature is that of KEY, as the documentation describes it."""
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        digest = hmac.new(base64.b64decode(KEY), content, hashlib.sha256).digest()
        return self.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


class Receiver:
    """A receiver on 127.0.0.1, which may be stopped and started. `answer` is the status of its responses, unless
    `choose` chooses each of them.
    """

    def __init__(self, choose: Callable[[], int] | None = None) -> None:
        (self.port,) = free_ports(1)
        self.answer = 204
        self._choose = choose or (lambda: self.answer)
        self.received: list[Received] = []
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it takes events."""
        return f"http://{LOOPBACK}:{self.port}/jobs"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Accept connections."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver._choose()
                receiver.received.append(Received(self.path, self.headers, body, status))
                if status == SILENT:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer((LOOPBACK, self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def accepted(self, uid: str = "") -> list[Received]:
        """Return the events that were accepted, of that job or of all."""
        return [one for one in self.received if one.answer <= _LAST_GOOD and one.id.startswith(uid)]

    def wait(self, uid: str, *kinds: str, timeout_seconds: float = 20.0) -> list[Received]:
        """Wait until the events of these kinds of that job were accepted, in that order, and return them."""
        expected = [f"{uid}-1-{kind}" for kind in kinds]

        def accepted() -> list[Received]:
            return [one for one in self.accepted(uid) if one.id in expected]

        wait_until(
            lambda: list(dict.fromkeys(one.id for one in accepted())) == expected,
            f"{expected}",
            timeout_seconds=timeout_seconds,
            seen=lambda: [(one.id, one.answer) for one in self.received],
        )
        return accepted()
