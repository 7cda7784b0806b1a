"""The project itself on a cluster and a Redis: operators and workers as processes of their own.

They run as a user would run them, on the shipped manifests:

    with Cluster() as cluster, Redis() as redis, System(cluster, redis) as system:
        system.install()
        system.start_operator()
        system.start_worker(pool="prefork", concurrency=4)
        cluster.kubectl("apply", "-f", "manifests/examples/placeholder.yaml")
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

from devcluster.errors import RefusedError
from devcluster.servers.cluster import Cluster
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import GRACE_SECONDS, Process
from devcluster.servers.redis import Redis
from devcluster.servers.runs import Run
from devcluster.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
OPERATOR_NAMESPACE = "reconstruction-system"
OPERATOR_ACCOUNT = "reconstruction-operator"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases/reconstruction-operator"
GROUP = "/apis/reconstruction.dev/v1alpha1"
JOBS = f"{GROUP}/reconstructionjobs"
_INHERITED_PREFIXES = ("CELERY_", "REDIS_", "RECONSTRUCTION_", "KUBECONFIG")  # the caller's own must not leak in

QUICK_SETTINGS = {
    "PLACEHOLDER_STEP_SECONDS": "0.4",
    "INPUT_ROOTS": f"{REPOSITORY}/examples/photos,{REPOSITORY}/tests/data/photos",
    "RECONSTRUCTION_SIMULATE": "never",
    "BACKOFF_SECONDS": "1",
    "SWEEP_SECONDS": "3",
    "LIST_SECONDS": "10",
    "ALIVE_TTL_SECONDS": "3",
    "BEAT_SECONDS": "0.5",
    "LOST_AFTER_SECONDS": "2",
    "EPOCH_GRACE_SECONDS": "4",
    "RESEND_SECONDS": "3",
    "DRAIN_SECONDS": "1",
    "LEASE_SECONDS": "4",
    "WORKER_TTL_SECONDS": "5",
}
"""Settings under which everything that takes minutes in a cluster takes seconds."""


class System:
    """Operators and workers that end with the `with` block. `settings` are environment variables for all of them."""

    def __init__(self, cluster: Cluster, redis: Redis, *, settings: Mapping[str, str] | None = None) -> None:
        self.cluster = cluster
        self.redis = redis
        self._run = Run.new("system")
        self._settings = dict(settings or {})
        self.processes: dict[str, Process] = {}
        self.probe_ports: dict[str, int] = {}
        self._kubeconfig: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """Where the logs lie until it is stopped."""
        return self._run.folder

    @property
    def jobs_dir(self) -> Path:
        """The job folders of all workers."""
        folder = self.folder / "jobs"
        folder.mkdir(exist_ok=True)
        return folder

    def install(self) -> None:
        """Apply the shipped manifests: the CRD, the namespace, and the operator's own account with its role.

        What an earlier system left on the cluster goes: its Lease, which would have to expire first, and its jobs, which
        this one's operator would take.
        """
        self.cluster.kubectl("apply", "-f", REPOSITORY / "manifests" / "crd")
        # Not `kubectl wait`: it gives up on a CRD that is so new that it has no conditions yet.
        wait_until(
            lambda: self.cluster.api.is_there(JOBS),
            "the API server to serve ReconstructionJobs",
        )
        self.cluster.kubectl("apply", "-k", REPOSITORY / "manifests" / "install")
        self._remove_earlier()
        self._kubeconfig = self.cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)

    def _remove_earlier(self) -> None:
        api = self.cluster.api
        self._delete(LEASE)
        for job in api.get(JOBS)["items"]:
            path = f"{GROUP}/namespaces/{job['metadata']['namespace']}/reconstructionjobs/{job['metadata']['name']}"
            self._delete(path)
        wait_until(lambda: api.get(JOBS)["items"] == [], "the jobs of an earlier system to go")

    def _delete(self, path: str) -> None:
        try:
            self.cluster.api.delete(path)
        except RefusedError as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise

    def environment(self, **settings: str) -> dict[str, str]:
        """What every process of the system sees: this machine's environment, the addresses, and the settings."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_INHERITED_PREFIXES)}
        return {
            **inherited,
            "CELERY_BROKER_URL": self.redis.url(0),
            "CELERY_RESULT_BACKEND": self.redis.url(0),
            "REDIS_STATE_DB": self.redis.url(1),
            "JOBS_DIR": str(self.jobs_dir),
            "LOG_FORMAT": "text",
            "PYTHONUNBUFFERED": "1",
            **self._settings,
            **settings,
        }

    def start_operator(self, name: str = "operator", *, arguments: Sequence[str] = (), **settings: str) -> Process:
        """One replica of the operator, as the account that `install` made. Its probes: `probe_ports[name]`.

        With a setting `KUBECONFIG` it works for that cluster, as whoever that says.
        """
        if self._kubeconfig is None and "KUBECONFIG" not in settings:
            self._kubeconfig = self.cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)
        if name not in self.probe_ports:
            (self.probe_ports[name],) = free_ports(1)
        addresses = {
            "KUBECONFIG": str(self._kubeconfig),
            "OPERATOR_NAMESPACE": OPERATOR_NAMESPACE,
            "PROBE_HOST": "127.0.0.1",
            "PROBE_PORT": str(self.probe_ports[name]),
        }
        command: list[str | Path] = [Path(sys.executable).with_name("reconstruction-operator"), "run", *arguments]
        return self._start(name, command, self.environment(**(addresses | settings)))

    def start_worker(
        self,
        name: str = "worker",
        *,
        pool: str = "prefork",
        concurrency: int = 2,
        arguments: Sequence[str] = (),
        grace_seconds: float = GRACE_SECONDS,
        **settings: str,
    ) -> Process:
        """One Celery worker, which is killed when it takes longer than `grace_seconds` to stop."""
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "celery",
            "--app=reconstruction_operator.celery_app",
            "worker",
            f"--pool={pool}",
            f"--concurrency={concurrency}",
            f"--hostname={name}@127.0.0.1",
            "--loglevel=INFO",
            *arguments,
        ]
        return self._start(name, command, self.environment(**settings), grace_seconds=grace_seconds)

    def stop(self) -> None:
        """Stop every process, and remove the folder."""
        for process in reversed(self.processes.values()):
            if process.alive:
                process.resume()  # a paused one would not hear the signal
            process.stop()
        self._run.close()

    def _start(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        grace_seconds: float = GRACE_SECONDS,
    ) -> Process:
        process = Process(name, command, run=self._run, environment=environment, grace_seconds=grace_seconds)
        self.processes[name] = process
        return process
