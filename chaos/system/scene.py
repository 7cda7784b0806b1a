"""Scene of a fault run: a real control plane, a Redis, an S3 server, two operators, three workers, a gallery, and
proxies between them.

Faults break single parts. `heal` undoes all faults, and `supervise` restarts ended processes, as a kubelet would.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psutil
import redis
from PIL import Image

from chaos.system.disk import Disk, files_in_memory
from chaos.system.proxies.api import ApiProxy
from chaos.system.proxies.network import Network
from chaos.system.proxies.tcp import TcpProxy
from devcluster import Cluster, DevclusterError, Redis, wait_until
from devcluster.harness.gallery import Gallery, install_gallery, launch_gallery
from devcluster.harness.replicas import Replica
from devcluster.harness.system import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, REPOSITORY, System
from devcluster.servers.control_plane import write_kubeconfig
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.receiver import SILENT, Receiver
from devcluster.servers.server import LOOPBACK
from devcluster.servers.storage.s3 import S3

OPERATORS = ("operator-a", "operator-b")
WORKERS = ("worker-a", "worker-b", "worker-c")
GALLERY = "gallery"
NAMESPACES = ("red", "green", "blue")
"""The namespaces of the users."""

BUCKET = "results"
"""The bucket for results, on the S3 server."""

RETENTION_SECONDS = 3600
"""How long Redis keeps ends and claims: the minimum that the settings allow."""

PROGRESS_SECONDS = 0.5
"""The debounce interval of status writes."""

SETTINGS = {
    "RECONSTRUCTION_SIMULATE": "never",
    "BACKOFF_SECONDS": "0.5",
    "BACKOFF_MAX_SECONDS": "3",
    "SWEEP_SECONDS": "3",
    "LIST_SECONDS": "10",
    "ORPHANS_AT_ONCE": "1000000",  # faults delete all jobs at once, and the run does not wait for a clean-up in parts
    "ALIVE_TTL_SECONDS": "4",
    "BEAT_SECONDS": "0.5",
    "LOST_AFTER_SECONDS": "3",
    "EPOCH_GRACE_SECONDS": "5",
    "RESEND_SECONDS": "4",
    "STAGE_QUEUE_PATIENCE_SECONDS": "8",  # of the legs, some go back
    "DRAIN_SECONDS": "2",
    "LEASE_SECONDS": "5",
    "WORKER_TTL_SECONDS": "6",
    "REDIS_TIMEOUT_SECONDS": "2",
    "DISPATCH_WINDOW": "20",
    "PROGRESS_SECONDS": str(PROGRESS_SECONDS),
    "PROTOCOL_RETENTION_SECONDS": str(RETENTION_SECONDS),
    "RETAIN_SECONDS_AFTER_DELETION": "20",  # the disk is small
    "RESULT_EXPIRES_SECONDS": str(RETENTION_SECONDS),
    "VISIBILITY_TIMEOUT_SECONDS": "60",
    "STORAGE_SCHEMES": "s3",
    "STORAGE_STALL_SECONDS": "5",
}
"""Seconds instead of minutes, with the same order of magnitude among them as the defaults."""

_POOLS = {
    "worker-a": ("prefork", 5, "celery"),
    "worker-b": ("prefork", 5, "spare,celery"),
    "worker-c": ("threads", 4, "celery,spare"),
}
PREFORK = frozenset(name for name, (pool, _, _) in _POOLS.items() if pool == "prefork")
"""Workers that run each attempt in a separate process."""

CHAOS = Path(__file__).parents[1]
_MODEL = "reconstruction_operator.models.child"
_ACCEPTED, _UNAVAILABLE = 204, 503
_RECEIVES = (7, 1, 2)  # of ten events
_READY_SECONDS = 60.0
_GRACE_SECONDS = 30.0


class Scene:
    """All parts of a run, as a context manager."""

    def __init__(self, chance: random.Random, *, own_disk: bool) -> None:
        self._chance = chance
        self._stack = contextlib.ExitStack()
        self._own_disk = own_disk
        self.down: set[str] = set()  # processes that `supervise` must not restart
        self.skew_seconds: dict[str, int] = {}  # by worker: how far its clock is wrong
        self._worker_ports = {name: free_ports(2) for name in WORKERS}  # of metrics and probes
        self._gallery_ports = free_ports(2)  # of pages and probes

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            if self._own_disk:
                starting.enter_context(files_in_memory())
            self.cluster = starting.enter_context(Cluster())
            self.redis = starting.enter_context(Redis(persistent=True))
            self.objects = starting.enter_context(S3())
            network = starting.enter_context(Network())
            self.receiver = starting.enter_context(Receiver(self._receives))
            settings = SETTINGS | {"NOTIFICATIONS": f"*={self.receiver.url}", "NOTIFICATION_HOSTS": LOOPBACK}
            self.system = starting.enter_context(System(self.cluster, self.redis, settings=settings))
            self.jobs_dir = self.system.jobs_dir
            self.disk = Disk(self.jobs_dir, self._own_disk)
            self.journal_dir = self.system.folder / "journal"  # journals of the model processes
            self.photos = self.system.folder / "photos"  # the photos of all jobs: real ones, scaled down
            self.delivered = self.system.folder / "delivered"  # copies of results, on a disk that no fault touches
            self.bucket = self.objects.buckets / BUCKET  # where the S3 server stores its objects
            self.api_proxies: dict[str, ApiProxy] = {
                name: network.api(self.cluster.url, self.cluster.ca, self._chance) for name in OPERATORS
            }
            self.redis_proxies: dict[str, TcpProxy] = {
                name: network.tcp(self.redis.port) for name in (*OPERATORS, *WORKERS)
            }
            self.objects_proxy = network.tcp(self.objects.port)  # for all workers
            self.state = redis.Redis.from_url(self.redis.url(1), socket_timeout=5, decode_responses=True)
            self.broker = redis.Redis.from_url(self.redis.url(0), socket_timeout=5)
            starting.callback(self.state.close)
            starting.callback(self.broker.close)
            starting.callback(self._kill_all)  # no graceful shutdown is needed
            self._prepare(starting)
            for name in OPERATORS:
                self._start_operator(name)
            for name in WORKERS:
                self._start_worker(name)
            self._start_gallery()
            wait_until(self.leader, "an operator to lead", timeout_seconds=_READY_SECONDS, seen=self.system.log_ends)
            self._stack = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(DevclusterError, OSError):
            self.heal()
        self._stack.close()

    def _receives(self) -> int:
        """Return how the receiver of notifications responds: some events it refuses, to others it does not respond."""
        return self._chance.choices((_ACCEPTED, SILENT, _UNAVAILABLE), weights=_RECEIVES)[0]

    def logs(self) -> Iterator[Path]:
        """Yield the log of each part."""
        for part in (self.system, self.cluster, self.redis, self.objects):
            yield from sorted(part.folder.glob("*.log"))

    # -- processes

    def leader(self) -> str | None:
        """Return the operator that reports itself as leader, if any."""
        return next((name for name in OPERATORS if self.leads(name)), None)

    def leads(self, name: str) -> bool:
        """Return whether that operator reports itself as leader."""
        process = self.system.processes.get(name)
        return process is not None and process.alive and leads(self.system, name)

    def standby(self) -> str:
        """Return an operator that is not the leader."""
        leader = self.leader()
        return next(name for name in OPERATORS if name != leader)

    def process(self, name: str) -> Process:
        """Return the newest process of that name."""
        return self.system.processes[name]

    def ports(self) -> list[int]:
        """Return the ports that operators and workers serve."""
        operators = [port for ports in (self.system.metrics_ports, self.system.probe_ports) for port in ports.values()]
        return [*operators, *(port for ports in self._worker_ports.values() for port in ports)]

    def children(self, worker: str) -> list[psutil.Process]:
        """Return the pool processes of a prefork worker; empty for other pools, or if the worker does not run."""
        try:
            children = psutil.Process(self.process(worker).pid).children()
        except psutil.Error:
            return []
        return [child for child in children if not _is_model(child)]

    def model_processes(self) -> list[psutil.Process]:
        """Return the guards of all model processes: the leaders of their process groups."""
        models: list[psutil.Process] = []
        for worker in WORKERS:
            with contextlib.suppress(psutil.Error):
                below = psutil.Process(self.process(worker).pid).children(recursive=True)
                models += [
                    process for process in below if _is_model(process) and os.getpgid(process.pid) == process.pid
                ]
        return models

    def start(self, name: str) -> None:
        """Start a process again."""
        if name in OPERATORS:
            self._start_operator(name)
        elif name == GALLERY:
            self._start_gallery()
        else:
            self._start_worker(name)

    def supervise(self) -> list[str]:
        """Restart ended processes that no fault keeps down; return their names."""
        ended = [name for name, process in self.system.processes.items() if not process.alive and name not in self.down]
        for name in ended:
            self.start(name)
        return ended

    def heal(self) -> None:
        """Undo all faults. Ended processes are restarted by `supervise`."""
        self.down.clear()
        self.skew_seconds.clear()
        for api in self.api_proxies.values():
            api.heal()
        for proxy in (*self.redis_proxies.values(), self.objects_proxy):
            proxy.heal()
        for process in self.system.processes.values():
            if process.alive:
                process.resume()
        for model in self.model_processes():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(model.pid, signal.SIGCONT)
        self.redis.heal()
        self.cluster.processes["etcd"].resume()
        self.cluster.heal()
        with contextlib.suppress(redis.RedisError):
            self.broker.replicaof("NO", "ONE")
            self.broker.config_set("maxmemory", "0")
        self.disk.empty()
        self.disk.make_writable()

    # -- starting

    def _prepare(self, starting: contextlib.ExitStack) -> None:
        self.journal_dir.mkdir()
        self.photos.mkdir()
        self.delivered.mkdir()
        self.bucket.mkdir()
        for source in sorted((REPOSITORY / "examples" / "photos" / "banana").glob("*.jpg"))[:2]:
            with Image.open(source) as photo:
                photo.reduce(16).save(self.photos / source.name)
        starting.enter_context(self.disk.mounted())
        self.system.install()
        for namespace in NAMESPACES:
            self.cluster.api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        token = self.cluster.service_account_token(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)
        self._kubeconfigs: dict[str, Path] = {}
        for name, proxy in self.api_proxies.items():
            path = self.system.folder / f"{name}.kubeconfig"
            ca = self.cluster.ca.read_bytes()
            self._kubeconfigs[name] = write_kubeconfig(path, url=proxy.url, ca=ca, user={"token": token})
        self._kubeconfigs[GALLERY] = install_gallery(self.system)

    def _kill_all(self) -> None:
        for process in self.system.processes.values():
            process.kill()

    def _addresses(self, proxy: str) -> dict[str, str]:
        port = self.redis_proxies[proxy].port
        return {
            "CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0",
            "CELERY_RESULT_BACKEND": f"redis://127.0.0.1:{port}/0",
            "REDIS_STATE_DB": f"redis://127.0.0.1:{port}/1",
        }

    def _start_operator(self, name: str) -> None:
        self.system.start_operator(name, KUBECONFIG=str(self._kubeconfigs[name]), **self._addresses(name))

    def _start_gallery(self) -> None:
        self.gallery: Gallery = launch_gallery(self.system, self._kubeconfigs[GALLERY], self._gallery_ports, GALLERY)

    def _start_worker(self, name: str) -> None:
        pool, concurrency, queues = _POOLS[name]
        skew = self.skew_seconds.get(name, 0)
        path = [CHAOS / "skew", CHAOS / "models"] if skew else [CHAOS / "models"]
        self.system.start_worker(
            name,
            pool=pool,
            concurrency=concurrency,
            grace_seconds=_GRACE_SECONDS,
            PYTHONPATH=os.pathsep.join(map(str, path)),
            CHAOS_SKEW_SECONDS=str(skew),
            CHAOS_WORKER=name,
            WORKER_POOLS=queues,
            WORKER_METRICS_HOST=LOOPBACK,
            WORKER_METRICS_PORT=str(self._worker_ports[name][0]),
            WORKER_PROBE_PORT=str(self._worker_ports[name][1]),
            CHAOS_JOURNAL_DIR=str(self.journal_dir),
            INPUT_ROOTS=str(self.photos),
            OUTPUT_ROOTS=str(self.delivered),
            **self.objects.environment(self.objects_proxy.port),
            **self._addresses(name),
        )


def leads(system: System, name: str) -> bool:
    """Return whether the operator's metric reports it as leader; False while it is unreachable."""
    try:
        return Replica(system, name).metric("reconstruction_leader") == 1.0
    except OSError:
        return False


def _is_model(process: psutil.Process) -> bool:
    try:
        return _MODEL in process.cmdline()
    except psutil.Error:
        return False
