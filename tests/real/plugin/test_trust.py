"""The published gallery: no token is sent to an address that the user has not confirmed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from devcluster.harness.gallery import start_gallery
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from devcluster.servers.ports import free_ports
from tests.real.gallery.test_access import know
from tests.support.plugin import Program
from tests.support.systems import QUICK, SharedSystems, wait_published


@pytest.fixture(scope="module")
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def system(start_system: SharedSystems, port: int) -> System:
    return start_system(QUICK, operator={"GALLERY_ADDRESS": f"http://127.0.0.1:{port}"})


def test_a_published_address_gets_no_token_before_the_user_confirms_it(
    jobs: Jobs, recon: Program, port: int, tmp_path: Path
) -> None:
    address = f"http://127.0.0.1:{port}"
    wait_published(jobs.system, address)
    name = jobs.create_in("Succeeded")
    user = Program(recon.kubeconfig, recon.namespace, {"XDG_CONFIG_HOME": str(tmp_path / "config")})
    read = ("logs", name)

    with socket.create_server(("127.0.0.1", port)) as stranger:
        stranger.setblocking(False)
        refused = user(*read)
        code, shown = user.on_terminal(*read, answers={"[y/N]": "n\n"})
        with pytest.raises(BlockingIOError):
            stranger.accept()

    assert refused.returncode == 2
    assert f"--gallery {address}" in " ".join(refused.stderr.split())
    assert (code, "nothing was sent" in shown) == (2, True)
    gallery = start_gallery(jobs.system, port=port, GALLERY_LOGS_DIR=str(jobs.system.folder))
    know(gallery, jobs, name)
    code, shown = user.on_terminal(*read, answers={"[y/N]": "y\n"})
    assert (code, " worker " in shown) == (0, True), shown
    again = user(*read)
    assert (again.returncode, " worker " in again.stdout) == (0, True), again.stderr
    gallery.process.stop()
