"""Ports: free ones on the loopback address.

They are chosen at random below the kernel's range for outgoing connections: a server that is killed and started again
must find its port free, so no client may get it in the meantime. If another program takes a port before the server
binds it, `Running.start` tries again. Programs that choose at the same time choose different ports: each holds a UDP
socket of the same number.
"""

from __future__ import annotations

import atexit
import contextlib
import random
import socket
from collections import deque

_RANGE = range(20_000, 30_000)  # Linux uses the ports from 32,768 on for outgoing connections
_HELD: deque[socket.socket] = deque(maxlen=100)  # more than are chosen before their servers listen


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that can be bound on 127.0.0.1."""
    ports: list[int] = []
    for port in random.SystemRandom().sample(_RANGE, len(_RANGE)):
        if len(ports) == count:
            break
        if _can_bind(port) and _hold(port):
            ports.append(port)
    return ports


def _hold(port: int) -> bool:
    """Return whether no other program holds the port. It is held until this program ends or has chosen many others."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        holder.close()
        return False
    if len(_HELD) == _HELD.maxlen:
        _HELD.popleft().close()
    _HELD.append(holder)
    atexit.register(holder.close)
    return True


def _can_bind(port: int) -> bool:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As the servers do: a connection in TIME_WAIT does not occupy a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
