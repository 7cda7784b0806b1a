"""Self-test: `reconstruction-operator selftest` runs one placeholder job, which needs the API server, Redis and a worker.

`helm test` runs the self-test with an account that may create, read and delete jobs in one namespace.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, Final

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import GROUP, KIND, VERSION
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.kube import client, parsing, paths
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError, NoClusterError

_PERIOD_SECONDS: Final = 1.0


def manifest(queue: str) -> dict[str, Any]:
    """Return the job: a simulation, which needs no photos. It is not retried, since a second failure would add no information."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"generateName": "selftest-"},
        "spec": {
            "modelType": "placeholder",
            "queue": queue,
            "input": {"uri": "file:///photos/selftest"},
            "backoffLimit": 0,
            "deletionPolicy": "Delete",
        },
    }


async def _selftest(api: Api, namespace: str, queue: str, timeout_seconds: float) -> bool:
    """Run the job, delete it, and return whether it succeeded in time.

    Raises ApiError if the job cannot be created: no permission, no CRD, or no API server.
    """
    deadline = time.monotonic() + timeout_seconds
    created = parsing.key_of(await api.request("POST", paths.jobs(namespace), body=manifest(queue)))
    if created is None:
        raise ApiError(0, "NoJob", "the API server did not return a job")
    _print(f"Created job {created.name} in namespace {namespace}, queue {queue}")
    reported = ""
    try:
        while True:
            try:
                status = codec.decode(Status, (await api.get(paths.of(created))).get("status"))
            except ApiError as error:
                if not error.transient:
                    _print(f"The job cannot be read: {error}")
                    return False
                status = Status()
            line = _line(status)
            if line and line != reported:
                _print(line)
                reported = line
            if status.phase is not None and status.phase.finished:
                return status.phase is Phase.SUCCEEDED
            if time.monotonic() > deadline:
                _print(f"The job did not finish in time. Last seen: {reported or 'no status, so no operator runs'}")
                return False
            await asyncio.sleep(_PERIOD_SECONDS)
    finally:
        await api.request("DELETE", paths.of(created))


def _line(status: Status) -> str:
    step = status.progress.step if status.progress is not None else None
    percent = f"{status.progress.percent} %" if status.progress is not None else None
    return ", ".join(str(part) for part in (status.phase, percent, step, status.message) if part)


async def _run(namespace: str, queue: str, timeout_seconds: float) -> int:
    api = Api(await client.find_cluster())
    try:
        succeeded = await _selftest(api, namespace, queue, timeout_seconds)
    except ApiError as error:
        _print(f"The API server rejected the job of the self-test: {error}")
        return 1
    finally:
        await api.close()
    _print("The self-test passed." if succeeded else "The self-test failed.")
    return 0 if succeeded else 1


def run(*, namespace: str, queue: str, timeout_seconds: float) -> int:
    """Run the command; return its exit status."""
    try:
        return asyncio.run(_run(namespace, queue, timeout_seconds))
    except NoClusterError as error:
        print(f"reconstruction-operator: {error}", file=sys.stderr)
        return 1


def _print(line: str) -> None:
    print(line, flush=True)
