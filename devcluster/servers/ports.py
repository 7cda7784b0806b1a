"""Free loopback ports.

Chosen at random below the range from which the kernel serves outgoing connections: a server that is killed and started
again must find its port free, and no client may get it in the meantime. Another program may still take a port before the
server binds it: see `running.retried_on_taken_port`.
"""

from __future__ import annotations

import contextlib
import random
import socket

_RANGE = range(20_000, 30_000)  # Linux serves outgoing connections from 32,768 on


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that can be bound on 127.0.0.1."""
    found: list[int] = []
    for port in random.SystemRandom().sample(_RANGE, len(_RANGE)):
        if len(found) == count:
            break
        if _can_bind(port):
            found.append(port)
    return found


def _can_bind(port: int) -> bool:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # Like the servers do: a connection in TIME_WAIT does not take a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
