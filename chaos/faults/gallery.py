"""Gallery faults: one address holds connections whose downloads it does not read, or whose bodies it sends slowly.

After each, the gallery must be the same process, and have closed all of them in time. While they are held, it serves
another address and the kubelet.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Final

import psutil

from chaos.faults.table import Context, Fault, Heal, Inject
from chaos.polling import wait_for
from chaos.system.scene import Scene
from devcluster import DevclusterError
from devcluster.servers.server import LOOPBACK

_STRANGER: Final = "127.0.0.2"
_FILE: Final = "/static/vendor/model-viewer.min.js"  # 1 MB, for everybody
_READERS: Final = 600
_SENDERS: Final = 3_100  # more than the gallery's places
_PAUSE_SECONDS: Final = 0.001  # between two connections: the fault must not take a core
_BYTE_SECONDS: Final = 1.0  # between two bytes of each
_TIMEOUT_SECONDS: Final = 0.2
_RECEIVED_BYTES: Final = 4096
_ANSWER_SECONDS: Final = 20.0
_ENDED_SECONDS: Final = 60.0  # 10 s in a queue and 10 s without progress, or 20 s for a body, on a busy machine
_MAX_BYTES: Final = 300 << 20  # of memory that it takes more; the chart's limit is 512 MiB for all
_JOIN_SECONDS: Final = 30.0
_OK: Final = 200


def _request(line: str, *headers: str) -> bytes:
    return "\r\n".join([line, "Host: gallery", *headers, "", ""]).encode()


def _unread(_scene: Scene) -> bytes:
    return _request(f"GET {_FILE} HTTP/1.1")


def _slow_body(scene: Scene) -> bytes:
    origin = f"Origin: {scene.gallery.url}"  # of the page itself: its sign-in reads a body
    head = _request("POST /api/session HTTP/1.1", origin, "Content-Type: application/json", "Content-Length: 60000")
    return head.replace(b"Host: gallery", f"Host: {LOOPBACK}:{scene.gallery.port}".encode())


def _holds(number: int, begin: Callable[[Scene], bytes], *, more: bytes = b"") -> Inject:
    """Hold so many connections that begin so, and send `more` on each again and again."""

    def inject(context: Context) -> Heal:
        scene = context.scene
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        before = scene.gallery.process
        used = _used_bytes(before.pid)
        flood = _Flood(scene.gallery.port, begin(scene), more)
        thread = threading.Thread(target=flood.hold, args=(number,), name="holder", daemon=True)
        thread.start()

        def heal() -> None:
            flood.enough.set()
            try:
                _judge(scene, before.pid, used)
            finally:
                flood.over.set()
                thread.join(_JOIN_SECONDS)

        return heal

    return inject


@dataclass(eq=False)
class _Flood:
    """Connections of one address that begin so, and send `more` again and again."""

    port: int
    begin: bytes
    more: bytes
    enough: threading.Event = field(default_factory=threading.Event)  # open no more: a busy machine takes long for all
    over: threading.Event = field(default_factory=threading.Event)  # close all

    def hold(self, number: int) -> None:
        """Open so many connections, unless there are `enough` before, and hold them until it is `over`."""
        held: list[socket.socket] = []
        for _ in range(number):
            if self.enough.wait(_PAUSE_SECONDS):
                break
            with contextlib.suppress(OSError):  # the gallery has closed it again
                held.append(connection := socket.socket())
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED_BYTES)
                connection.settimeout(_TIMEOUT_SECONDS)
                connection.bind((_STRANGER, 0))
                connection.connect((LOOPBACK, self.port))
                connection.sendall(self.begin)
        while not self.over.wait(_BYTE_SECONDS):
            for connection in held if self.more else ():
                with contextlib.suppress(OSError):  # likewise
                    connection.send(self.more)
        for connection in held:
            connection.close()


def _judge(scene: Scene, pid: int, used: int) -> None:
    """Raise DevclusterError if others are not served, or if the connections cost the gallery too much or too long."""
    for port, path in ((scene.gallery.port, _FILE), (scene.gallery.probe_port, "/healthz")):
        if problem := _problem(port, path):
            raise DevclusterError(f"held connections keep the gallery from another client: {path}: {problem}")
    more = _used_bytes(pid) - used
    ended = wait_for(lambda: not _connections(pid), _ENDED_SECONDS, scene.supervise)
    if scene.gallery.process.pid != pid:
        raise DevclusterError("held connections ended the gallery")
    if more > _MAX_BYTES:
        raise DevclusterError(f"held connections cost the gallery {more >> 20} MiB")
    if ended is None:
        raise DevclusterError(f"the gallery still has {_connections(pid)} held connections after {_ENDED_SECONDS:g} s")


def _problem(port: int, path: str) -> str:
    """Request a path as another client; return what was wrong, or an empty text."""
    with contextlib.closing(HTTPConnection(LOOPBACK, port, timeout=_ANSWER_SECONDS)) as connection:
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
        except (OSError, HTTPException) as error:
            return repr(error)
    return "" if response.status == _OK else f"status {response.status}"


def _connections(pid: int) -> int:
    """Return how many connections of the stranger the gallery has."""
    try:
        every = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return 0
    return sum(bool(one.raddr) and one.raddr.ip == _STRANGER for one in every)


def _used_bytes(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


FAULTS: Final = (
    Fault("gallery: unread downloads", "gallery", _holds(_READERS, _unread), hold=(4.0, 8.0)),
    Fault("gallery: slow bodies", "gallery", _holds(_SENDERS, _slow_body, more=b" "), hold=(6.0, 10.0)),
)
