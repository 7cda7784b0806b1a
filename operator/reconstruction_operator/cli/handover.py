"""Handover: `reconstruction-operator handover` transfers the jobs of one installation of the operator to another one.

It writes the new Lease into each job's status. The operators act on this: the old one stops its attempt,
the new one begins the next attempt, or continues the same one if both share a Redis.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Status
from reconstruction_operator.controller.kube.lease import LeaseRecord
from reconstruction_operator.controller.writes.status_writer import DOES_NOT_FIT
from reconstruction_operator.kube import client, parsing, paths
from reconstruction_operator.kube.client import JSON_PATCH, Api
from reconstruction_operator.kube.errors import ApiError

_PAGE: Final = 200


class NoOperatorError(Exception):
    """No operator holds the Lease to which the jobs should be handed over."""


async def handover(
    api: Api, *, giver: str, taker: str, namespaces: Sequence[str], force: bool, report: Callable[[str], None]
) -> int:
    """Hand the jobs of the Lease `giver` over to `taker` (namespace/name); return their number. Empty `namespaces`: all.

    Without `force`, raises NoOperatorError if no operator holds `taker`. Raises ApiError if a request fails.
    """
    if not force:
        await _check(api, taker)
    given = 0
    for namespace in namespaces or (None,):
        async for key, status in _jobs(api, namespace):
            if status.installation is not None and status.installation.lease == giver:
                given += await _give(api, key, giver, taker, report)
    return given


async def _check(api: Api, lease: str) -> None:
    namespace, _, name = lease.partition("/")
    try:
        body = await api.get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}")
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        body = {}
    if not LeaseRecord.of(body).holder:
        raise NoOperatorError(
            f"no operator holds the Lease {lease}, so the jobs would wait: start that installation first, or use --force"
        )


async def _jobs(api: Api, namespace: str | None) -> AsyncIterator[tuple[JobKey, Status]]:
    token = ""
    while True:
        more = {"continue": token} if token else {}
        page = await api.get(paths.jobs(namespace), limit=str(_PAGE), **more)
        for body in page.get("items") or ():
            key = parsing.key_of(body)
            if key is not None:
                yield key, codec.decode(Status, body.get("status"))
        token = str((page.get("metadata") or {}).get("continue") or "")
        if not token:
            return


async def _give(api: Api, key: JobKey, giver: str, taker: str, report: Callable[[str], None]) -> int:
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": key.uid},
        {"op": "test", "path": "/status/installation/lease", "value": giver},
        {"op": "replace", "path": "/status/installation/lease", "value": taker},
    ]
    try:
        await api.request("PATCH", f"{paths.of(key)}/status", body=patch, content_type=JSON_PATCH)
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND and DOES_NOT_FIT not in error.message:
            raise
        report(f"{key}: meanwhile deleted or handed over")
        return 0
    report(f"{key}: handed over")
    return 1


async def run(*, giver: str, taker: str, namespaces: Sequence[str], force: bool) -> int:
    """Run the command; return its exit status. Raises NoClusterError if no setting names the API server."""
    api = Api(await client.find_cluster())
    asked: dict[str, Any] = {"giver": giver, "taker": taker, "namespaces": namespaces, "force": force}
    try:
        given = await handover(api, **asked, report=_print)
    except NoOperatorError as error:
        _print(f"Nothing was handed over: {error}")
        return 1
    except ApiError as error:
        _print(
            f"The API server rejected a request: {error}. The jobs listed above are handed over; repeat the command for the others."
        )
        return 1
    finally:
        await api.close()
    _print(f"{given} jobs were handed over from {giver} to {taker}.")
    return 0


def _print(line: str) -> None:
    print(line, flush=True)
