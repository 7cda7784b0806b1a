"""The published gallery: no token is sent to an address that the user has not confirmed."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devcluster.harness.gallery import start_gallery
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from devcluster.servers.ports import free_ports
from tests.real.gallery.test_access import know
from tests.support.photos import make_photo
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
        code, output = user.on_terminal(*read, answers={"[y/N]": "n\n"})
        with pytest.raises(BlockingIOError):
            stranger.accept()

    assert refused.returncode == 2
    assert f"--gallery {address}" in " ".join(refused.stderr.split())
    assert (code, "nothing was sent" in output) == (2, True)
    gallery = start_gallery(jobs.system, port=port, GALLERY_LOGS_DIR=str(jobs.system.folder))
    know(gallery, jobs, name)
    code, output = user.on_terminal(*read, answers={"[y/N]": "y\n"})
    assert (code, " worker " in output) == (0, True), output
    again = user(*read)
    assert (again.returncode, " worker " in again.stdout) == (0, True), again.stderr
    gallery.process.stop()


@pytest.mark.parametrize(("options", "bound"), [((), True), (("--write",), False)], ids=["reading", "write"])
def test_open_sends_the_api_servers_token_of_an_account_only_to_write(
    jobs: Jobs, recon: Program, options: tuple[str, ...], bound: bool
) -> None:
    name = jobs.create_in("Succeeded")

    with recording() as (address, tokens):
        recon("open", "--no-browser", name, "--gallery", address, "--account", account(jobs), *options)

    (token,) = tokens
    assert accepted(jobs, token) is not bound


@pytest.mark.parametrize("command", ["submit", "logs"])
def test_other_commands_never_send_the_api_servers_token_of_an_account(
    jobs: Jobs, recon: Program, tmp_path: Path, command: str
) -> None:
    photos = tmp_path / "vase"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(make_photo())
    arguments = {"submit": (photos, "--force", "--model", "placeholder"), "logs": (jobs.create_in("Succeeded"),)}

    with recording() as (address, tokens):
        recon(command, *arguments[command], "--gallery", address, "--account", account(jobs))

    assert tokens
    assert not any(accepted(jobs, token) for token in tokens)


def account(jobs: Jobs) -> str:
    """Make a service account that may edit jobs."""
    kubectl, name = jobs.system.cluster.kubectl, "me"
    kubectl("-n", jobs.namespace, "create", "serviceaccount", name)
    role = ("--clusterrole=reconstruction-editor", f"--serviceaccount={jobs.namespace}:{name}")
    kubectl("-n", jobs.namespace, "create", "rolebinding", name, *role)
    return name


def accepted(jobs: Jobs, token: str) -> bool:
    """Return whether the API server accepts the token for itself."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    status = jobs.system.cluster.api.post("/apis/authentication.k8s.io/v1/tokenreviews", body)["status"]
    return bool(status.get("authenticated"))


@contextmanager
def recording() -> Iterator[tuple[str, set[str]]]:
    """Run a gallery that refuses every request, and yield its address and the tokens that it got."""
    tokens = set[str]()

    class Handler(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            tokens.add(self.headers.get("Authorization", "").removeprefix("Bearer ") or json.loads(body)["token"])
            self.send_error(503)

        do_GET = do_POST = do_DELETE = do_PUT = refuse  # noqa: N815  # names of the standard library

        def log_message(self, *_: object) -> None:
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", tokens
        server.shutdown()
