"""Port faults: floods of connections at the ports of operators and workers, as any pod of a cluster can make them."""

from __future__ import annotations

import contextlib
import itertools
import resource
import socket
import threading
from collections import deque
from typing import Final

from chaos.faults.table import Context, Fault, Heal
from devcluster.servers.server import LOOPBACK

_HELD: Final = 1_000  # connections; older ones are replaced
_PAUSE_SECONDS: Final = 0.002  # between two: the fault must not take a core
_TIMEOUT_SECONDS: Final = 0.2
_SENT: Final = (
    b"",
    b"GET /metr",
    b"GET /metrics HTTP/1.1\r\n\r\n",
)  # silent, half a request, an answer that is not read
_JOIN_SECONDS: Final = 10.0


def _flood(context: Context) -> Heal:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    over = threading.Event()
    thread = threading.Thread(target=_connect, args=(context.scene.ports(), over), name="flood", daemon=True)
    thread.start()

    def heal() -> None:
        over.set()
        thread.join(_JOIN_SECONDS)

    return heal


def _connect(ports: list[int], over: threading.Event) -> None:
    held: deque[socket.socket] = deque()
    for port, text in zip(itertools.cycle(ports), itertools.cycle(_SENT), strict=False):
        if over.wait(_PAUSE_SECONDS):
            break
        with contextlib.suppress(OSError):  # it ended, or another fault has paused it
            connection = socket.create_connection((LOOPBACK, port), timeout=_TIMEOUT_SECONDS)
            held.append(connection)
            connection.sendall(text)
        if len(held) > _HELD:
            held.popleft().close()
    for connection in held:
        connection.close()


FAULTS: Final = (Fault("ports: a flood of connections", "ports", _flood, hold=(3.0, 12.0)),)
