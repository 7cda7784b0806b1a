"""A worker at its limit of processes: jobs of no tenant fail for it, and no flood of connections brings it there."""

from __future__ import annotations

import contextlib
import resource
import socket
import urllib.request
from collections.abc import Iterator

import psutil
import pytest
import redis
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.state import calls, reads

from devcluster import wait_until
from devcluster.harness.workers import Farm
from devcluster.servers.ports import free_ports
from tests.support.limited import Limit
from tests.support.paths import PHOTOS
from tests.support.refs import make_attempt

_CONNECTIONS = 1_100
_ROOM = 400  # processes and threads; a worker of two slots and a model use about 30


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Let this process hold the connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * _CONNECTIONS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return str(answer.read().decode())


def waiting(farm: Farm) -> int:
    with redis.Redis.from_url(farm.server.url(0)) as broker:
        return int(broker.llen("celery"))


def silent(port: int, stack: contextlib.ExitStack) -> None:
    for _ in range(_CONNECTIONS):
        stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))


@pytest.mark.usefixtures("descriptors")
def test_jobs_succeed_beside_silent_connections(own_farm: Farm, job_id: str) -> None:
    metrics_port, probe_port = free_ports(2)
    ports = {"WORKER_METRICS_PORT": str(metrics_port), "WORKER_PROBE_PORT": str(probe_port)}
    own_farm.start_worker(concurrency=2, launcher=Limit(_ROOM).launcher, **ports)
    own_farm.photo(job_id)

    with contextlib.ExitStack() as stack:
        silent(metrics_port, stack)
        assert page(probe_port, "/healthz") == "ok\n"
        own_farm.wait_state(own_farm.send(job_id, "rough-good"), "SUCCESS")
        assert "reconstruction_worker_exhausted 0.0" in page(metrics_port, "/metrics")
    with contextlib.ExitStack() as stack:
        silent(probe_port, stack)
        assert page(probe_port, "/healthz") == "ok\n"


class Limited:
    """A worker whose pool process has a limit of its own, while the main process has room."""

    def __init__(self, farm: Farm, limit: Limit) -> None:
        self.farm = farm
        self.limit = limit
        main = psutil.Process(farm.processes["worker"].pid)
        (self.child,) = main.children()

    def leave_room(self, processes: int) -> None:
        used = min(self.limit.used() for _ in range(5))  # the main process tries a few threads each second
        self.limit.change(self.child.pid, used + processes)

    def end_of(self, job_id: str, attempt: int) -> End:
        """Send an attempt, and return its end."""
        task_id = f"{job_id}-{attempt}"
        self.farm.put_record(job_id, attempt)
        envelope = Envelope(make_attempt(job_id, attempt), input_uri=f"file://{PHOTOS}/lund").to_json()
        self.farm.send(job_id, "rough-good", envelope, task_id=task_id)
        return wait_until(lambda: self.farm.seen(job_id, task_id).end, f"the end of {task_id}", seen=self.farm.log_ends)


@pytest.fixture
def limited(own_farm: Farm) -> Limited:
    limit = Limit(_ROOM)
    own_farm.start_worker(concurrency=1, launcher=limit.launcher, INPUT_ROOTS=str(PHOTOS))
    return Limited(own_farm, limit)


def test_an_attempt_that_cannot_start_is_given_back_without_a_failure(limited: Limited, job_id: str) -> None:
    for attempt, room in enumerate(
        range(4), start=1
    ):  # the heartbeat, the progress, the preparation, the model's process
        limited.leave_room(room)
        end = limited.end_of(job_id, attempt)
        assert (end.outcome, end.reason) == (Outcome.STOPPED, "WORKER_EXHAUSTED")
        assert "had reached its limit of processes" in end.message

    limited.leave_room(_ROOM // 2)
    assert limited.end_of(job_id, 5).outcome is Outcome.SUCCEEDED


def test_a_bare_task_that_cannot_start_is_requeued(limited: Limited, job_id: str) -> None:
    limited.leave_room(0)
    result = limited.farm.send(job_id, "placeholder")
    log = limited.farm.processes["worker"].log
    wait_until(lambda: "is requeued: this worker can start no thread" in log.read_text(), "the task to be requeued")

    limited.leave_room(_ROOM // 2)

    limited.farm.wait_state(result, "SUCCESS")


def test_an_exhausted_worker_takes_no_messages_and_says_so_until_it_has_room(own_farm: Farm, job_id: str) -> None:
    metrics_port, probe_port = free_ports(2)
    ports = {"WORKER_METRICS_PORT": str(metrics_port), "WORKER_PROBE_PORT": str(probe_port)}
    limit = Limit(_ROOM)
    worker = own_farm.start_worker(concurrency=1, launcher=limit.launcher, WORKER_TTL_SECONDS="3", **ports)

    def queues() -> tuple[str, ...]:
        (registered,) = calls.run(own_farm.state, reads.live_workers(Keys()))
        return registered.queues

    limit.change(worker.pid, 1)
    wait_until(lambda: "exhausted 1.0" in page(metrics_port, "/metrics"), "the metric", seen=worker.log_end)
    assert page(probe_port, "/healthz").startswith("Takes no jobs")
    wait_until(lambda: queues() == (), "the worker to serve no queue", seen=queues)
    result = own_farm.send(job_id, "placeholder")
    wait_until(lambda: queues() == (), "the worker to register again", seen=queues)
    assert waiting(own_farm) == 1
    assert "this worker takes no jobs: its limit of processes is reached" in worker.log.read_text()

    limit.change(worker.pid, limit.most)

    own_farm.wait_state(result, "SUCCESS")
    assert page(probe_port, "/healthz") == "ok\n"
    wait_until(lambda: "celery" in queues(), "the worker to serve its queues", seen=queues)
