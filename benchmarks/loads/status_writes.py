"""Status writes: the cost of one for the API server, as the operator sends it and without some parts.

The status of each of a few suspended jobs alternates between Queued and Running. No operator runs, and no client watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import yaml
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Progress, Status
from reconstruction_operator.contract.steps import STEPS
from reconstruction_operator.controller.kube.client import JSON_PATCH, UNCHECKED
from reconstruction_operator.controller.writes.status_writer import status_patch
from reconstruction_operator.planning.case import JobState
from reconstruction_operator.planning.status.conditions import Facts, conditions

from benchmarks.clients import Body, LoadClient, create_jobs, path_of
from benchmarks.report import Figures
from benchmarks.systems import NAMESPACE, Measured, ours
from benchmarks.usage import cpu_seconds
from devcluster.files import CHECKOUT

_JOBS: Final = 8  # written at once, each over its own connection
_WARM_UP: Final = 40
_CRD: Final = CHECKOUT / "manifests/crd/reconstructionjobs.yaml"
_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
_RULES: Final = "x-kubernetes-validations"
_NEW_SCHEMA_SECONDS: Final = 5.0  # ample time until the API server uses a changed CRD
_FEW: Final = 4

_WHOLE: Final = "as the operator sends it"
_Fit = Callable[[Body], Body]
_FITS: Final[dict[str, _Fit]] = {
    _WHOLE: lambda status: status,
    "conditions without messages": lambda status: (
        status | {"conditions": [{**one, "message": ""} for one in status["conditions"]]}
    ),
    f"{_FEW} conditions": lambda status: status | {"conditions": status["conditions"][:_FEW]},
    "no conditions": lambda status: {name: value for name, value in status.items() if name != "conditions"},
    "three fields": lambda status: {name: status[name] for name in ("phase", "attempt", "observedGeneration")},
}


def status_writes(count: int) -> Figures:
    """Return milliseconds of the API server's CPU for one status write, by its content, and for one create."""
    with ours(operator=False, worker=False) as measured:
        return asyncio.run(_status_writes(measured, count))


async def _status_writes(measured: Measured, count: int) -> Figures:
    async with LoadClient(measured.system.cluster) as client:
        await create_jobs(client, NAMESPACE, (_name(number) for number in range(_JOBS)), suspend=True)
        cost = _Cost(measured.pids()["kube-apiserver"], count)
        await _write(client, _WARM_UP, _FITS["three fields"])
        figures = {name: await cost.of(_write(client, count, fit)) for name, fit in _FITS.items()}
        figures["only the fields that differ"] = await cost.of(_write(client, count, _FITS[_WHOLE], whole=False))
        whole, crd = _FITS[_WHOLE], yaml.safe_load(_CRD.read_text())
        await _change(client, without_rules(crd))
        figures["without the CRD's CEL rules"] = await cost.of(_write(client, count, whole))
        await _change(client, crd)
        # Measured before and after: the cost rises with the server's uptime.
        figures[_WHOLE] = (figures[_WHOLE] + await cost.of(_write(client, count, whole))) / 2
        names = (f"create-{number}" for number in range(count))
        figures["a create, for comparison"] = await cost.of(create_jobs(client, NAMESPACE, names, suspend=True))
    return {f"CPU of kube-apiserver, ms: {name}": value for name, value in figures.items()}


class _Cost:
    """Measures the CPU of one process for each of `count` requests."""

    def __init__(self, pid: int, count: int) -> None:
        self._pid, self._count = pid, count

    async def of(self, load: Awaitable[None]) -> float:
        """Return the milliseconds for each request of the load."""
        before = cpu_seconds(self._pid)
        await load
        return 1000 * (cpu_seconds(self._pid) - before) / self._count


def _name(number: int) -> str:
    return f"written-{number}"


async def _write(client: LoadClient, count: int, fit: _Fit, *, whole: bool = True) -> None:
    """Send `count` status writes, divided among the jobs; without `whole`, only the fields that differ from the stored ones."""
    queued, running = (fit(codec.encode(status)) for status in statuses(datetime.now(UTC).replace(microsecond=0)))

    async def work(name: str) -> None:
        path = path_of(NAMESPACE, name)
        body = await client.request("GET", path)
        for turn in range(count // _JOBS):
            meta = body["metadata"]
            key, version = JobKey(NAMESPACE, name, meta["uid"]), int(meta["resourceVersion"])
            patch = status_patch(key, version, body.get("status", {}), running if turn % 2 else queued, whole=whole)
            body = await client.request("PATCH", f"{path}/status{UNCHECKED}", patch, kind=JSON_PATCH)

    await asyncio.gather(*(work(_name(number)) for number in range(_JOBS)))


def statuses(at: datetime) -> tuple[Status, Status]:
    """Return the statuses of a job when it is queued and when it runs."""
    phase, made = conditions(Facts(JobState.QUEUED, 1, dispatched=True), (), at)
    queued = Status(
        observed_generation=1,
        phase=phase,
        attempt=1,
        task_id="00000000-0000-0000-0000-000000000000-1",
        message="Waits in queue celery for a worker",
        dispatch_time=at,
        conditions=made,
    )
    begun = at + timedelta(seconds=1)
    phase, made = conditions(Facts(JobState.RUNNING, 1, dispatched=True, held=True), made, begun)
    step = STEPS[2]
    running = replace(
        queued,
        phase=phase,
        worker="celery@worker-0",
        message=step.name,
        start_time=begun,
        progress=Progress(percent=50, step=step.name, step_index=step.index, display="50%", last_update_time=begun),
        conditions=made,
    )
    return queued, running


async def _change(client: LoadClient, crd: Body) -> None:
    path = _CRDS + crd["metadata"]["name"]
    version = (await client.request("GET", path))["metadata"]["resourceVersion"]
    await client.request("PUT", path, crd | {"metadata": crd["metadata"] | {"resourceVersion": version}})
    await asyncio.sleep(_NEW_SCHEMA_SECONDS)


def without_rules(value: Any) -> Any:
    """Return a manifest without the CEL rules of its schema."""
    if isinstance(value, dict):
        return {name: without_rules(one) for name, one in value.items() if name != _RULES}
    return [without_rules(one) for one in value] if isinstance(value, list) else value
