"""The one node that a person leaves running: `python -m devcluster node start --detach`.

As `devcluster.standing` does for the control plane alone: a launcher holds it until SIGTERM, and a file says where it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from devcluster.errors import DevclusterError
from devcluster.files import runs_folder, write_private
from devcluster.node import images
from devcluster.node.node import Node, sweep
from devcluster.node.packages import NODE_NEEDS, ensure
from devcluster.programs.building import NODE, built
from devcluster.programs.control_plane import programs
from devcluster.servers.pids import start_mark
from devcluster.waiting import wait_until

_LOOK_SECONDS = 2.0  # between two looks whether it still runs
_START_SECONDS = 600.0
_STOP_SECONDS = 180.0  # gigabytes of unpacked images are removed
_LOG_LINES = 40


@dataclass(frozen=True)
class StandingNode:
    """What somebody needs who wants to use it or to stop it."""

    pid: int  # of the launcher
    mark: str
    inside_pid: int  # a process in the node's namespaces
    kubeconfig: str
    kubectl: str
    folder: str
    address: str

    def exports(self) -> str:
        """Return a shell line for `eval`."""
        return f"export KUBECONFIG={self.kubeconfig}"


def find() -> StandingNode | None:
    """Return the one that runs and is ready."""
    try:
        found = StandingNode(**json.loads(_state_file().read_text()))
    except FileNotFoundError:
        return None
    return found if start_mark(found.pid) == found.mark else None


def hold() -> NoReturn:
    """Start it, and hold it until SIGINT or SIGTERM, or until it ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    with _only_one(), Node() as node:
        mine = StandingNode(
            pid=os.getpid(),
            mark=start_mark(os.getpid()) or "",
            inside_pid=node.pid,
            kubeconfig=str(node.kubeconfig),
            kubectl=str(node.kubectl_program),
            folder=str(node.folder),
            address=node.addresses.node,
        )
        write_private(_state_file(), json.dumps(asdict(mine)).encode())
        try:
            print(mine.exports(), flush=True)
            forever = threading.Event()
            while not forever.wait(_LOOK_SECONDS):
                node.check()
        finally:
            _state_file().unlink(missing_ok=True)
    raise AssertionError  # the loop ends by an exception alone


def detach() -> StandingNode:
    """Start it in the background, wait until it is ready, and return it."""
    # Here and not in the background, so that one sees the progress of a build and what is missing.
    ensure(NODE_NEEDS)
    programs()
    built(NODE)
    images.pause_image()
    with _log_file().open("wb") as out:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "devcluster", "node", "start"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=Path(__file__).parents[2],  # from where the package can be imported
            start_new_session=True,
        )

    def ready() -> StandingNode | None:
        if launcher.poll() is not None:
            raise DevclusterError(f"the launcher ended with status {launcher.returncode}:\n{_log_end()}")
        return find()

    try:
        found = wait_until(ready, "the node to be ready", timeout_seconds=_START_SECONDS, seen=_log_end)
    except BaseException:  # Ctrl-C as well
        launcher.terminate()
        launcher.wait()
        raise
    assert found is not None  # noqa: S101 -- for the type checker: waited for
    launcher.returncode = 0  # it goes on without us: not a child that was forgotten
    return found


def end() -> list[str]:
    """Stop it, and clean up after launchers that were killed; say what was done."""
    said = []
    found = find()
    if found is not None:
        os.kill(found.pid, signal.SIGTERM)
        wait_until(
            lambda: start_mark(found.pid) != found.mark,
            f"the end of the launcher {found.pid}",
            timeout_seconds=_STOP_SECONDS,
            seen=_log_end,
        )
        said.append(f"stopped the node of process {found.pid}")
    _state_file().unlink(missing_ok=True)
    said += [f"removed {what}, left by a launcher that was killed" for what in sweep()]
    return said


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    with (runs_folder() / "standing-node.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DevclusterError("another launcher holds the node already, or is about to start it") from None
        yield


def _leave(number: int, _frame: object) -> NoReturn:
    # Once: a second Ctrl-C must not interrupt the stopping.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(0 if number == signal.SIGTERM else 128 + number)


def _state_file() -> Path:
    return runs_folder() / "standing-node.json"


def _log_file() -> Path:
    return runs_folder() / "standing-node.log"


def _log_end() -> str:
    return "\n".join(_log_file().read_text(errors="replace").splitlines()[-_LOG_LINES:])
