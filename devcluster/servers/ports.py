"""Ports: free ones on the loopback address.

They are chosen at random below the kernel's range for outgoing connections: a server that is killed and started again
must find its port free, so no client may get it in the meantime. If another program takes a port before the server
binds it, `Running.start` tries again.
"""

from __future__ import annotations

import contextlib
import random
import socket

_RANGE = range(20_000, 30_000)  # Linux uses the ports from 32,768 on for outgoing connections


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that can be bound on 127.0.0.1."""
    ports: list[int] = []
    for port in random.SystemRandom().sample(_RANGE, len(_RANGE)):
        if len(ports) == count:
            break
        if _can_bind(port):
            ports.append(port)
    return ports


def _can_bind(port: int) -> bool:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As the servers do: a connection in TIME_WAIT does not occupy a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
