"""Load client of the API server: creates many objects over a few connections, and watches them as a dashboard does."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from reconstruction_operator.kube import paths
from reconstruction_operator.kube.access import find_cluster
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.reflector import Change, Reflector, follow_async

from devcluster import Cluster
from devcluster.harness.jobs import phase
from devcluster.harness.manifests import manifest
from devcluster.harness.system import JOBS

_CONNECTIONS = 8
_LEAST_REQUESTS = 0.01  # per job; rarer kinds are omitted
_LIST_SECONDS = 600.0
_METRIC = "apiserver_request_total"
_METRICS_BYTES = 64 << 20
STATUS_WRITES = "PATCH reconstructionjobs/status"
EVENTS = "POST events"
WRITES_OF_JOBS = (STATUS_WRITES, EVENTS)
"""The kinds of the operator's writes, as `LoadClient.requests_by_kind` names them."""

_FINISHED = ("Succeeded", "Failed", "Cancelled")

PhaseOf = Callable[[Mapping[str, Any]], str]


class LoadClient(Api):
    """Sends JSON requests as an administrator."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(find_cluster(kubeconfig=str(cluster.kubeconfig)), program="load")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def requests_by_kind(self) -> Counter[str]:
        """Return the number of requests that the API server has answered, by verb and resource."""
        counts = Counter[str]()
        for line in (await self.read("/metrics", {}, _METRICS_BYTES, "*/*")).decode().splitlines():
            if line.startswith(f"{_METRIC}{{"):
                inside, _, value = line.removeprefix(f"{_METRIC}{{").rpartition("} ")
                labels = {name: text.strip('"') for name, text in (label.split("=", 1) for label in inside.split(","))}
                resource = "/".join(filter(None, (labels.get("resource", ""), labels.get("subresource", ""))))
                counts[f"{labels['verb']} {resource}"] += int(float(value))
        return counts


def requests_per_job(requests: Mapping[str, int], jobs: int) -> dict[str, float]:
    """Return the requests for each of `jobs` jobs, as figures by kind; those that are rare are omitted."""
    figures = {f"requests/job: {kind}": number / jobs for kind, number in sorted(requests.items())}
    return {name: number for name, number in figures.items() if number >= _LEAST_REQUESTS}


async def in_parallel(calls: Iterable[Callable[[], Awaitable[object]]]) -> None:
    """Make the calls, over a few connections."""
    iterator = iter(calls)

    async def work() -> None:
        for call in iterator:
            await call()

    await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))


async def create_jobs(client: LoadClient, namespace: str, names: Iterable[str], **spec: Any) -> None:
    """Create placeholder jobs; `spec` adds fields."""

    def call(name: str) -> Callable[[], Awaitable[object]]:
        return lambda: client.request(
            "POST", paths.jobs(namespace), body=manifest(name, **({"modelType": "placeholder"} | spec))
        )

    await in_parallel(call(name) for name in names)


@dataclass
class Watched:
    """What a watch has shown, by namespace and name. Times are of the monotonic clock."""

    phase_of: PhaseOf = phase
    phases: dict[tuple[str, str], str] = field(default_factory=dict)
    finished_at: dict[tuple[str, str], float] = field(default_factory=dict)
    events: list[tuple[float, Mapping[str, Any]]] = field(default_factory=list)
    keep_events: bool = False

    def apply(self, body: Mapping[str, Any], now: float) -> None:
        """Record one watch event."""
        metadata = body["metadata"]
        key = (str(metadata["namespace"]), str(metadata["name"]))
        self.phases[key] = now_in = self.phase_of(body)
        if now_in in _FINISHED and key not in self.finished_at:
            self.finished_at[key] = now
        if self.keep_events:
            self.events.append((now, body))


class JobWatch:
    """A background watch of all jobs from now on, or of the objects at `path`, whose phase is `phase_of`."""

    def __init__(
        self, client: LoadClient, *, path: str = JOBS, phase_of: PhaseOf = phase, keep_events: bool = False
    ) -> None:
        self._client = client
        self.seen = Watched(phase_of, keep_events=keep_events)
        self._reflector = Reflector(path, self._apply)
        self._listed = asyncio.Event()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(follow_async(self._client, self._reflector))
        async with asyncio.timeout(_LIST_SECONDS):
            await self._listed.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _apply(self, change: Change) -> None:
        if change.key is None:
            self._listed.set()
        elif change.body is not None and not self._reflector.listing:  # the list has what was there before
            self.seen.apply(change.body, time.monotonic())
            self._changed.set()

    async def wait_until(self, holds: Callable[[Watched], bool], what: str, *, timeout_seconds: float) -> None:
        """Return when the watch shows that it holds. Raises TimeoutError."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not holds(self.seen):
                    self._changed.clear()
                    await self._changed.wait()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            phases = list(self.seen.phases.values())
            counts = {phase: phases.count(phase) for phase in set(phases)}
            raise TimeoutError(f"{what}: not within {timeout_seconds:g} s; phases: {counts}") from None

    async def wait_finished(self, count: int, *, timeout_seconds: float) -> None:
        """Return when that many objects have finished. Raises TimeoutError."""
        await self.wait_until(
            lambda seen: len(seen.finished_at) >= count, f"{count} jobs to finish", timeout_seconds=timeout_seconds
        )

    async def wait_phase(self, phase: str, count: int, *, timeout_seconds: float) -> None:
        """Return when that many objects are in the phase. Raises TimeoutError."""
        await self.wait_until(
            lambda seen: list(seen.phases.values()).count(phase) >= count,
            f"{count} jobs in phase {phase}",
            timeout_seconds=timeout_seconds,
        )
