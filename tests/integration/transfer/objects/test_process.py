"""Transfer process: it exits with its worker, and as soon as the worker no longer wants the transfer."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import process
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.requests import FetchRequest

from devcluster import wait_until
from devcluster.servers.running import answering
from tests.support.servers.objects import EmptyPages
from tests.support.settings import configure

_WORKER = """
import sys
from pathlib import Path
from reconstruction_operator.transfer.objects import process
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.requests import FetchRequest
address = ObjectAddress("s3", "photos", "set", True)
process.perform(FetchRequest(address, Path(sys.argv[1]), 1, 1), lambda *_: None)
"""


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An endpoint that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            monkeypatch.setenv(name, "any")
        monkeypatch.setenv("STORAGE_STALL_SECONDS", "600")  # of the worker in a process of its own
        configure(monkeypatch, STORAGE_STALL_SECONDS=600.0)
        yield


@pytest.mark.usefixtures("silent")
def test_the_process_exits_when_its_worker_is_killed(tmp_path: Path) -> None:
    worker = subprocess.Popen([sys.executable, "-c", _WORKER, str(tmp_path)])
    try:
        (transfer,) = wait_until(psutil.Process(worker.pid).children, "the process that transfers", timeout_seconds=120)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    wait_until(lambda: not transfer.is_running() or transfer.status() == psutil.STATUS_ZOMBIE, "its end")


@pytest.mark.usefixtures("silent")
def test_an_exception_of_the_worker_ends_the_process_while_the_server_is_silent(tmp_path: Path) -> None:
    class UnwantedError(Exception):
        pass

    reports: list[int] = []
    before = psutil.Process().children()  # of other tests in this process

    def stop(*_: int) -> None:
        reports.append(1)
        if len(reports) > 5:
            raise UnwantedError

    wanted = FetchRequest(ObjectAddress("s3", "photos", "set", is_folder=True), tmp_path, 1, 1)
    with pytest.raises(UnwantedError):
        process.perform(wanted, stop)
    assert [child for child in psutil.Process().children() if child not in before] == []


@pytest.mark.usefixtures("silent")
def test_a_list_without_an_end_fails_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), EmptyPages)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    configure(monkeypatch, STORAGE_STALL_SECONDS=2.0)  # more than a busy machine delays one empty page
    wanted = FetchRequest(ObjectAddress("s3", "photos", "set", is_folder=True), tmp_path, 1, 1)
    with (
        answering(server),
        pytest.raises(StorageError, match="INPUT_UNREACHABLE: s3://photos/set/ was not listed within 2 s"),
    ):
        process.perform(wanted, lambda *_: None, list_stalls=1)


def test_settings_of_the_workers_that_cannot_be_used_are_named_in_one_line(tmp_path: Path) -> None:
    address = ObjectAddress("az", "photos", "set", is_folder=True)
    with pytest.raises(OSError, match=r"Account must be specified$"):
        process.perform(FetchRequest(address, tmp_path, 1, 1), lambda *_: None)
