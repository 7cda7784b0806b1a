"""The one cluster, with a Redis, that a person leaves running: `make cluster`.

A launcher of its own process holds both until it gets SIGTERM; nothing can outlive it. `standing.json` says where it is;
a lock that it holds for its whole life says that it is there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from devcluster.errors import DevclusterError
from devcluster.files import runs_folder, write_private
from devcluster.programs.control_plane import programs
from devcluster.programs.toolchain import redis_server
from devcluster.servers.cluster import Cluster
from devcluster.servers.pids import start_mark
from devcluster.servers.redis import Redis
from devcluster.servers.runs import sweep
from devcluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_SECONDS = 2.0  # between two looks whether the servers still run
_START_SECONDS = 300.0
_STOP_SECONDS = 30.0
_LOG_LINES = 40


@dataclass(frozen=True)
class Standing:
    """What somebody needs who wants to use it or to stop it."""

    pid: int
    mark: str
    kubeconfig: str
    kubectl: str
    broker_url: str
    state_url: str

    def exports(self) -> str:
        """Return shell lines for `eval`: the settings of kubectl, the operator and the worker."""
        variables = {
            "KUBECONFIG": self.kubeconfig,
            "CELERY_BROKER_URL": self.broker_url,
            "CELERY_RESULT_BACKEND": self.broker_url,
            "REDIS_STATE_DB": self.state_url,
        }
        return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def find() -> Standing | None:
    """Return the one that runs and is ready."""
    try:
        found = Standing(**json.loads(_state_file().read_text()))
    except FileNotFoundError:
        return None
    return found if start_mark(found.pid) == found.mark else None


def hold() -> NoReturn:
    """Start it, and hold it until SIGINT or SIGTERM, or until one of the servers ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    with _only_one(), Cluster() as cluster, Redis(password=secrets.token_urlsafe(32)) as server:
        mine = Standing(
            pid=os.getpid(),
            mark=start_mark(os.getpid()) or "",
            kubeconfig=str(cluster.kubeconfig),
            kubectl=str(cluster.kubectl_program),
            broker_url=server.url(0),
            state_url=server.url(1),
        )
        write_private(_state_file(), json.dumps(asdict(mine)).encode())
        try:
            print(mine.exports(), flush=True)
            forever = threading.Event()
            while not forever.wait(_LOOK_SECONDS):
                cluster.check()
                server.check()
        finally:
            _state_file().unlink(missing_ok=True)
    raise AssertionError  # the loop ends by an exception alone


def detach() -> Standing:
    """Start it in the background, wait until it is ready, and return it."""
    # Here and not in the background, so that one sees the progress of a build and what is missing.
    programs()
    redis_server()
    log = _log_file()
    with log.open("wb") as out:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "devcluster", "start"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=Path(__file__).parent.parent,  # from where the package can be imported
            start_new_session=True,
        )

    def ready() -> Standing | None:
        if launcher.poll() is not None:
            raise DevclusterError(f"the launcher ended with status {launcher.returncode}:\n{_log_end()}")
        return find()

    try:
        found = wait_until(ready, "the cluster to be ready", timeout_seconds=_START_SECONDS, seen=_log_end)
    except BaseException:  # Ctrl-C as well
        launcher.terminate()
        launcher.wait()
        raise
    assert found is not None  # noqa: S101 -- for the type checker: waited for
    # It goes on without us: not a child that was forgotten.
    launcher.returncode = 0
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
        said.append(f"stopped the cluster of process {found.pid}")
    _state_file().unlink(missing_ok=True)
    said += [f"removed {folder}, left by a launcher that was killed" for folder in sweep()]
    return said


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    with (runs_folder() / "standing.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DevclusterError("another launcher holds the cluster already, or is about to start it") from None
        yield


def _leave(number: int, _frame: object) -> NoReturn:
    # Once: a second Ctrl-C must not interrupt the stopping.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(0 if number == signal.SIGTERM else 128 + number)


def _state_file() -> Path:
    return runs_folder() / "standing.json"


def _log_file() -> Path:
    return runs_folder() / "standing.log"


def _log_end() -> str:
    return "\n".join(_log_file().read_text(errors="replace").splitlines()[-_LOG_LINES:])
