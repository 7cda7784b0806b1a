"""`reconstruction-operator selftest`: one placeholder job to its end, which needs the API server, Redis and a worker.

It is what `helm test` runs, as an account that may create, read and delete jobs in one namespace.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from reconstruction_operator.api.identity import GROUP, KIND, VERSION, JobKey
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.kube import client, objects
from reconstruction_operator.controller.kube.client import Api, ApiError

_PERIOD_SECONDS: Final = 1.0


def manifest(queue: str) -> dict[str, Any]:
    """The job: a simulation, so that it needs no photos. A second failure would say no more than the first."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"generateName": "selftest-"},
        "spec": {
            "modelType": "placeholder",
            "queue": queue,
            "input": {"uri": "file:///photos/selftest"},
            "backoffLimit": 0,
        },
    }


async def selftest(
    api: Api,
    *,
    namespace: str,
    queue: str,
    timeout_seconds: float,
    say: Callable[[str], None],
    monotonic: Callable[[], float] = time.monotonic,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> bool:
    """Whether the job succeeded in time. It is deleted in any case.

    Raises:
        ApiError: the job cannot be created: no permission, no CRD, no API server.

    """
    deadline = monotonic() + timeout_seconds
    created = objects.key_of(await api.request("POST", objects.collection_path(namespace), body=manifest(queue)))
    if created is None:
        raise ApiError(0, "NoJob", "the API server answered with something else than a job")
    say(f"Created job {created.name} in namespace {namespace}, queue {queue}")
    try:
        return await _watched(api, created, deadline, say=say, monotonic=monotonic, pause=pause)
    finally:
        await api.request("DELETE", objects.path(created))


async def _watched(
    api: Api,
    key: JobKey,
    deadline: float,
    *,
    say: Callable[[str], None],
    monotonic: Callable[[], float],
    pause: Callable[[float], Awaitable[None]],
) -> bool:
    said = ""
    while True:
        try:
            status = objects.job_of(await api.get(objects.path(key)), key).status
        except ApiError as error:
            if not error.transient:
                say(f"The job cannot be read: {error}")
                return False
            status = Status()
        line = _told(status)
        if line and line != said:
            say(line)
            said = line
        if status.phase is not None and status.phase.finished:
            return status.phase is Phase.SUCCEEDED
        if monotonic() > deadline:
            say(f"It is not finished in time. Last seen: {said or 'no operator has looked at it'}")
            return False
        await pause(_PERIOD_SECONDS)


def _told(status: Status) -> str:
    step = status.progress.step if status.progress is not None else None
    percent = f"{status.progress.percent} %" if status.progress is not None else None
    return ", ".join(str(part) for part in (status.phase, percent, step, status.message) if part)


async def run(*, namespace: str, queue: str, timeout_seconds: float) -> int:
    """The command; returns its exit status.

    Raises:
        NoClusterError: nothing says where the API server is.

    """
    api = Api(await client.connection(), client.connection)
    try:
        succeeded = await selftest(api, namespace=namespace, queue=queue, timeout_seconds=timeout_seconds, say=_say)
    except ApiError as error:
        _say(f"The API server refuses the test's job: {error}")
        return 1
    finally:
        await api.close()
    _say("It works." if succeeded else "It does not work.")
    return 0 if succeeded else 1


def _say(line: str) -> None:
    print(line, flush=True)
