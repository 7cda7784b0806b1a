"""Load client of the API server: creates many objects over a few connections, and watches them as a dashboard does."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self

import aiohttp

from devcluster import Cluster
from devcluster.harness.manifests import manifest
from devcluster.harness.system import GROUP, JOBS

_CONNECTIONS = 8
_METRIC = "apiserver_request_total"
MERGE_PATCH = "application/merge-patch+json"
STATUS_WRITES = "PATCH reconstructionjobs/status"
EVENTS = "POST events"
WRITES_OF_JOBS = (STATUS_WRITES, EVENTS)
"""The kinds of the operator's writes, as `LoadClient.requests_by_kind` names them."""

_FINISHED = ("Succeeded", "Failed", "Cancelled")

Body = dict[str, Any]
PhaseOf = Callable[[Mapping[str, Any]], str]


class ApiError(Exception):
    """An unexpected response of the API server, or a wait that timed out."""


class LoadClient:
    """Sends JSON requests as an administrator."""

    def __init__(self, cluster: Cluster) -> None:
        self._url = cluster.url
        self._tls = ssl.create_default_context(cafile=str(cluster.ca))
        self._token = cluster.api.token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=0),
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            read_bufsize=2**24,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session, within the `async with` block."""
        if self._session is None:
            raise ApiError("the client is used outside its block")
        return self._session

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"{self._url}{path}"

    async def request(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Any:
        """Send one request and return the response. Raises ApiError for a status of 400 or above."""
        data = None if body is None else json.dumps(body)
        async with self.session.request(
            method, self.url(path), data=data, headers={"Content-Type": kind} if data else {}
        ) as answer:
            content = await answer.read()
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise ApiError(f"{method} {path}: {answer.status} {content[:300].decode(errors='replace')}")
            return json.loads(content)

    async def requests_by_kind(self) -> dict[str, int]:
        """Return the number of requests that the API server has answered, by verb and resource."""
        async with self.session.get(self.url("/metrics")) as answer:
            text = await answer.text()
        counts: dict[str, int] = {}
        for line in text.splitlines():
            if line.startswith(f"{_METRIC}{{"):
                inside, _, value = line.removeprefix(f"{_METRIC}{{").rpartition("} ")
                labels = {name: text.strip('"') for name, text in (one.split("=", 1) for one in inside.split(","))}
                resource = "/".join(filter(None, (labels.get("resource", ""), labels.get("subresource", ""))))
                key = f"{labels['verb']} {resource}"
                counts[key] = counts.get(key, 0) + int(float(value))
        return counts


async def in_parallel(calls: Iterable[Callable[[], Awaitable[object]]], connections: int = _CONNECTIONS) -> None:
    """Make the calls, `connections` at a time."""
    iterator = iter(calls)

    async def work() -> None:
        for call in iterator:
            await call()

    await asyncio.gather(*(work() for _ in range(connections)))


def path_of(namespace: str, name: str = "") -> str:
    """Return the path of a job, or of all jobs of the namespace."""
    return f"{GROUP}/namespaces/{namespace}/reconstructionjobs" + (f"/{name}" if name else "")


async def create_jobs(client: LoadClient, namespace: str, names: Iterable[str], **spec: Any) -> None:
    """Create placeholder jobs; `spec` adds fields."""
    path = path_of(namespace)

    def call(name: str) -> Callable[[], Awaitable[object]]:
        return lambda: client.request("POST", path, manifest(name, **({"modelType": "placeholder"} | spec)))

    await in_parallel(call(name) for name in names)


def phase(body: Mapping[str, Any]) -> str:
    """Return the phase of a ReconstructionJob."""
    return str(body.get("status", {}).get("phase", ""))


@dataclass
class Watched:
    """What a watch has shown, by namespace and name. Times are of the monotonic clock."""

    phase_of: PhaseOf = phase
    phases: dict[tuple[str, str], str] = field(default_factory=dict)
    finished_at: dict[tuple[str, str], float] = field(default_factory=dict)
    events: list[tuple[float, Mapping[str, Any]]] = field(default_factory=list)
    keep_events: bool = False

    def take(self, body: Mapping[str, Any], now: float) -> None:
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
        self._path = path
        self.seen = Watched(phase_of, keep_events=keep_events)
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        version = (await self._client.request("GET", f"{self._path}?limit=1"))["metadata"]["resourceVersion"]
        self._task = asyncio.create_task(self._run(version))
        self._task.add_done_callback(lambda _: self._changed.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, version: str) -> None:
        while True:  # the API server ends a watch whose client is too slow
            address = self._client.url(f"{self._path}?watch=1&resourceVersion={version}")
            async with self._client.session.get(address) as answer:
                async for line in answer.content:
                    body = json.loads(line)["object"]
                    version = body["metadata"]["resourceVersion"]
                    self.seen.take(body, time.monotonic())
                    self._changed.set()

    async def wait_until(self, holds: Callable[[Watched], bool], what: str, *, timeout_seconds: float) -> None:
        """Return when the watch shows that it holds. Raises ApiError at the timeout."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not holds(self.seen):
                    if self._task is None or self._task.done():
                        raise ApiError(f"the watch ended: {self._task and self._task.exception()!r}")
                    self._changed.clear()
                    await self._changed.wait()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            phases = list(self.seen.phases.values())
            counts = {phase: phases.count(phase) for phase in set(phases)}
            raise ApiError(f"{what}: not within {timeout_seconds:g} s; phases: {counts}") from None

    async def wait_finished(self, count: int, *, timeout_seconds: float) -> None:
        """Return when that many objects have finished. Raises ApiError at the timeout."""
        await self.wait_until(
            lambda seen: len(seen.finished_at) >= count, f"{count} jobs to finish", timeout_seconds=timeout_seconds
        )

    async def wait_phase(self, phase: str, count: int, *, timeout_seconds: float) -> None:
        """Return when that many objects are in the phase. Raises ApiError at the timeout."""
        await self.wait_until(
            lambda seen: list(seen.phases.values()).count(phase) >= count,
            f"{count} jobs in phase {phase}",
            timeout_seconds=timeout_seconds,
        )
