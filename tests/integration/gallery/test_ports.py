"""A gallery whose port is in use: its probes never say that it is ready."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from devcluster.servers.ports import free_ports
from devcluster.waiting import wait_until
from tests.support.gallery import environment

SECONDS = 30.0


def test_probes_are_not_served_if_the_port_of_the_pages_is_in_use(tmp_path: Path) -> None:
    port, probe_port = free_ports(2)
    settings = environment(tmp_path, port, probe_port)
    program = Path(sys.executable).with_name("reconstruction-gallery")
    served = []

    def ended() -> bool:
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", probe_port), SECONDS).close()
            served.append(probe_port)
        return process.poll() is not None

    with (
        socket.create_server(("127.0.0.1", port)),
        subprocess.Popen([program], env=settings, stderr=subprocess.PIPE, text=True) as process,
    ):
        wait_until(ended, "the gallery to end", timeout_seconds=SECONDS)
        _, log = process.communicate()

    assert (process.returncode, served) == (3, [])
    assert "address already in use" in log.lower()
