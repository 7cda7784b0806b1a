"""A gallery whose port is in use: its probes never say that it is ready."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from devcluster.servers.ports import free_ports
from devcluster.waiting import wait_until
from tests.support.plugin import write_kubeconfig

SECONDS = 30.0


def test_probes_are_not_served_if_the_port_of_the_pages_is_in_use(tmp_path: Path) -> None:
    port, probe_port = free_ports(2)
    environment = os.environ | {
        "KUBECONFIG": str(write_kubeconfig(tmp_path)),
        "JOBS_DIR": str(tmp_path),
        "GALLERY_HOST": "127.0.0.1",
        "GALLERY_PORT": str(port),
        "GALLERY_PROBE_PORT": str(probe_port),
    }
    program = Path(sys.executable).with_name("reconstruction-gallery")
    served = []

    def ended() -> bool:
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", probe_port), SECONDS).close()
            served.append(probe_port)
        return process.poll() is not None

    with (
        socket.create_server(("127.0.0.1", port)),
        subprocess.Popen([program], env=environment, stderr=subprocess.PIPE, text=True) as process,
    ):
        wait_until(ended, "the gallery to end", timeout_seconds=SECONDS)
        _, log = process.communicate()

    assert (process.returncode, served) == (3, [])
    assert "address already in use" in log.lower()
