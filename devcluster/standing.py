"""Standing servers: the one cluster, and the one node, that a user leaves running (`make cluster`).

A launcher, a separate process, holds the servers until SIGTERM, and they cannot outlive it. A state file describes
them. A lock, which the launcher holds for its whole life, makes it the only one.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from devcluster import interrupts
from devcluster.errors import DevclusterError
from devcluster.files import CHECKOUT, locked_if_free, runs_folder, write_private
from devcluster.node import addresses, images
from devcluster.node.node import Node
from devcluster.node.packages import NODE_NEEDS, ensure
from devcluster.programs import building
from devcluster.programs.building import built
from devcluster.programs.toolchain import redis_server
from devcluster.servers import runs
from devcluster.servers.cluster import Cluster
from devcluster.servers.pids import start_mark
from devcluster.servers.redis import Redis
from devcluster.servers.running import Running
from devcluster.waiting import wait_until

_CHECK_SECONDS = 2.0  # between two checks whether the servers still run
_LOG_LINES = 40


@dataclass(frozen=True)
class Description:
    """What a user needs to use the servers, and the launcher that holds them."""

    text: str
    kubectl: str
    exports: dict[str, str]  # settings of kubectl, the operator and the worker: variable -> value
    inside_pid: int = 0  # a process in a node's namespaces
    pid: int = 0  # the launcher
    mark: str = ""  # when the launcher started

    def shell(self) -> str:
        """Return shell lines for `eval`."""
        return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in self.exports.items())


Served = AbstractContextManager[tuple[Description, Sequence[Running]]]


@dataclass(frozen=True)
class Standing:
    """One kind of servers, of which at most one set runs."""

    name: str
    file_name: str
    command: tuple[str, ...]  # of devcluster: holds the servers
    prepare: Callable[[], None]  # downloads and builds: in the foreground, so that the user sees the progress
    serve: Callable[[], Served]  # the servers in a `with` block; yields their description and the servers
    sweep: Callable[[], list[str]]  # removes what killed launchers left, and returns its names
    start_seconds: float
    stop_seconds: float

    def find(self) -> Description | None:
        """Return the servers if they are ready."""
        try:
            description = Description(**json.loads(self._state_file.read_text()))
        except FileNotFoundError:
            return None
        return description if start_mark(description.pid) == description.mark else None

    def hold(self) -> NoReturn:
        """Start the servers, and hold them until SIGINT, SIGTERM, or the end of a server."""
        interrupts.interruptible(lambda number: SystemExit(0 if number == signal.SIGTERM else 128 + number))
        try:
            with locked_if_free(runs_folder() / f"{self.file_name}.lock") as free:
                if not free:
                    raise DevclusterError(f"another launcher already holds the {self.name}, or is starting it")
                with self.serve() as (described, servers):
                    self._hold(described, servers)
        finally:
            interrupts.uninterruptible()

    def detach(self) -> Description:
        """Start the servers in the background, wait until they are ready, and return them."""
        self.prepare()
        with self._log_file.open("wb") as out:
            launcher = subprocess.Popen(
                [sys.executable, "-m", "devcluster", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=CHECKOUT,  # the package can be imported from there
                start_new_session=True,
            )

        def ready() -> Description | None:
            if launcher.poll() is not None:
                raise DevclusterError(f"the launcher ended with status {launcher.returncode}:\n{self._log_end()}")
            return self.find()

        try:
            description = wait_until(
                ready, f"the {self.name} to be ready", timeout_seconds=self.start_seconds, seen=self._log_end
            )
        except BaseException:  # also on an interrupt
            launcher.terminate()
            launcher.wait()
            raise
        assert description is not None  # noqa: S101 -- for the type checker: waited for
        launcher.returncode = 0  # avoids a warning: the launcher outlives this process
        return description

    def end(self) -> list[str]:
        """Stop the servers, clean up after killed launchers, and return a line for each thing done."""
        done = []
        description = self.find()
        if description is not None:
            os.kill(description.pid, signal.SIGTERM)
            wait_until(
                lambda: start_mark(description.pid) != description.mark,
                f"the end of the launcher {description.pid}",
                timeout_seconds=self.stop_seconds,
                seen=self._log_end,
            )
            done.append(f"stopped the {self.name} of process {description.pid}")
        self._state_file.unlink(missing_ok=True)
        return done + [f"removed {what}, left by a launcher that was killed" for what in self.sweep()]

    def _hold(self, described: Description, servers: Sequence[Running]) -> NoReturn:
        mine = asdict(described) | {"pid": os.getpid(), "mark": start_mark(os.getpid())}
        try:
            write_private(self._state_file, json.dumps(mine).encode())
            print(described.shell(), flush=True)
            _check_for_ever(servers)
        finally:
            self._state_file.unlink(missing_ok=True)

    @property
    def _state_file(self) -> Path:
        return runs_folder() / f"{self.file_name}.json"

    @property
    def _log_file(self) -> Path:
        return runs_folder() / f"{self.file_name}.log"

    def _log_end(self) -> str:
        return "\n".join(self._log_file.read_text(errors="replace").splitlines()[-_LOG_LINES:])


def _check_for_ever(servers: Sequence[Running]) -> NoReturn:
    # A separate function: CPython 3.13 has no handler at the jump of a loop that is directly in a `try`. An interrupt
    # at that moment would skip the `finally`.
    while True:
        time.sleep(_CHECK_SECONDS)
        for server in servers:
            server.check()


def _prepare_cluster() -> None:
    built()
    built(building.CONTROLLERS)
    redis_server()


@contextmanager
def _serve_cluster() -> Iterator[tuple[Description, Sequence[Running]]]:
    with Cluster() as cluster, Redis(password=secrets.token_urlsafe(32)) as redis:
        exports = {
            "KUBECONFIG": str(cluster.kubeconfig),
            "CELERY_BROKER_URL": redis.url(0),
            "CELERY_RESULT_BACKEND": redis.url(0),
            "REDIS_STATE_DB": redis.url(1),
        }
        text = "a control plane and a Redis"
        described = Description(text, str(cluster.kubectl_program), exports)
        yield described, (cluster, redis)


def _prepare_node() -> None:
    ensure(NODE_NEEDS)
    built()
    built(building.CONTROLLER_MANAGER)
    built(building.NODE)
    images.pause_image()


@contextmanager
def _serve_node() -> Iterator[tuple[Description, Sequence[Running]]]:
    with Node() as node:
        text = f"a node at {node.addresses.node}, logs in {node.folder}/var/log"
        exports = {"KUBECONFIG": str(node.kubeconfig)}
        yield Description(text, str(node.kubectl_program), exports, node.pid), (node,)


CLUSTER = Standing(
    name="cluster",
    file_name="standing",
    command=("start",),
    prepare=_prepare_cluster,
    serve=_serve_cluster,
    sweep=lambda: [str(folder) for folder in runs.sweep()],
    start_seconds=300.0,
    stop_seconds=30.0,
)
NODE = Standing(
    name="node",
    file_name="standing-node",
    command=("node", "start"),
    prepare=_prepare_node,
    serve=_serve_node,
    sweep=addresses.sweep,
    start_seconds=600.0,
    stop_seconds=180.0,  # gigabytes of unpacked images are removed
)
