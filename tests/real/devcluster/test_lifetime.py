"""Lifetime: no server outlives its launcher, however the launcher ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import devcluster
from devcluster import wait_until
from devcluster.servers.pids import start_mark

_ROOT = Path(devcluster.__file__).parent.parent
_DEADLINE_SECONDS = 180.0  # killing a server may take 25 s on a loaded machine

_LAUNCHER = """
import contextlib, json, signal, sys
import devcluster
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored if the tests run in the background
with contextlib.ExitStack() as stack:
    servers = [stack.enter_context(getattr(devcluster, name)()) for name in sys.argv[1:]]
    pids = [pid for one in servers for pair in one.pids.values() for pid in pair]
    print(json.dumps({"pids": pids, "folders": [str(one.folder) for one in servers]}), flush=True)
    sys.stdin.read()
"""


def started(program: str, *servers: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *servers]
    return subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Launcher:
    """A separate program that holds servers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        printed = json.loads(process.stdout.readline())
        self.marks = {pid: start_mark(pid) for pid in printed["pids"]}
        self.folders = [Path(folder) for folder in printed["folders"]]
        assert None not in self.marks.values()
        assert all(folder.exists() for folder in self.folders)

    def left(self) -> list[object]:
        """Return processes and folders that still exist."""
        pids = [pid for pid, mark in self.marks.items() if start_mark(pid) == mark]
        return [*pids, *(folder for folder in self.folders if folder.exists())]

    def assert_nothing_is_left(self) -> None:
        wait_until(
            lambda: not self.left(),
            "the end of processes and folders",
            seen=self.left,
            timeout_seconds=_DEADLINE_SECONDS,
        )


@contextlib.contextmanager
def launched(*servers: str) -> Iterator[Launcher]:
    with started(_LAUNCHER, *servers) as process:
        try:
            yield Launcher(process)
        finally:
            process.kill()


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    """A launcher of a Redis: the kind of server makes no difference to its end."""
    with launched("Redis") as running:
        yield running


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGKILL, id="kill -9"),
        pytest.param(signal.SIGTERM, id="SIGTERM, which the launcher does not handle"),
        pytest.param(signal.SIGINT, id="Ctrl-C"),
    ],
)
def test_launcher_ended_by_a_signal_leaves_nothing(launcher: Launcher, number: signal.Signals) -> None:
    launcher.process.send_signal(number)
    assert launcher.process.wait(_DEADLINE_SECONDS) == -number
    launcher.assert_nothing_is_left()


def test_launcher_that_ends_by_itself_leaves_nothing(launcher: Launcher) -> None:
    launcher.process.communicate(timeout=_DEADLINE_SECONDS)
    assert launcher.process.returncode == 0
    assert launcher.left() == []  # at once: the launcher has waited for the servers


def test_paused_servers_are_removed_too(control_plane_programs: None) -> None:
    with launched("Cluster", "Redis") as launcher:
        for pid in [*launcher.marks][1::2]:  # guard, server, guard, server, ...
            os.kill(pid, signal.SIGSTOP)
        launcher.process.kill()
        launcher.assert_nothing_is_left()


def test_a_server_ends_with_its_guard_and_is_started_again() -> None:
    with devcluster.Redis() as server:
        guard, pid = server.process.pids
        mark = start_mark(pid)
        os.kill(guard, signal.SIGKILL)
        wait_until(lambda: start_mark(pid) != mark, "the end of the server")
        with pytest.raises(devcluster.ServerEndedError, match="redis ended with status -9"):
            server.check()
        assert server.revive() == ["redis"]
        server.flushall()


def test_a_server_outlives_the_thread_that_started_it() -> None:
    server = devcluster.Redis()
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        server.flushall()
        server.check()


def test_a_forked_child_of_the_launcher_keeps_nothing_alive() -> None:
    program = """
import json, os, sys, time
import devcluster
with devcluster.Redis() as server:
    child = os.fork()
    if child == 0:
        sys.stdout.close()
        time.sleep(600)
    print(json.dumps([child, *server.process.pids]), flush=True)
    sys.stdin.read()
"""
    with started(program) as process:
        assert process.stdout is not None
        child, guard, server = json.loads(process.stdout.readline())
        marks = {pid: start_mark(pid) for pid in (guard, server)}
        process.kill()
        try:
            wait_until(lambda: all(start_mark(pid) != mark for pid, mark in marks.items()), "the end of the server")
            assert start_mark(child) is not None
        finally:
            os.kill(child, signal.SIGKILL)
