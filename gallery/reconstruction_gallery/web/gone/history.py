"""History routes: the jobs that ended in the namespaces that the user may see, also those whose objects are gone; and
what they used, by namespace and month.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import re
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from itertools import islice
from typing import Any, Final

import anyio.to_thread
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reconstruction_gallery.files.history import NAMES, Ended, History, totals
from reconstruction_gallery.kube.jobs import Job, Jobs
from reconstruction_gallery.web.gone.tenants import is_of, namespace_uid, namespace_uids
from reconstruction_gallery.web.parts import Gallery
from reconstruction_gallery.web.responses import HoldingResponse, json_response

_log = logging.getLogger(__name__)

_MOST_SHOWN: Final = 1_000  # jobs of one JSON
_BATCH: Final = 200
_PERIOD_SECONDS: Final = 600.0  # between deletions of expired months
_RETRY_SECONDS: Final = 10.0
_SINCE: Final = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}:\d{2}Z)?)?)?")
_HIDDEN: Final = ("uid", "tenant")
_COLUMNS: Final = tuple(name for name in NAMES if name not in _HIDDEN)


async def follow(api: Api, jobs: Jobs, history: History) -> None:
    """Record each job that ends, until the task is cancelled. An error of the disk is logged, and it is tried again."""
    revision = 0
    expires_at = 0.0
    while True:
        current = jobs.revision
        ended = [job for job in jobs.since(revision) if job.ended and not history.has(job.key.uid)]
        try:
            await _record(api, history, ended)
            if time.monotonic() >= expires_at:
                await anyio.to_thread.run_sync(history.expire)
                expires_at = time.monotonic() + _PERIOD_SECONDS
        except (OSError, ApiError) as error:
            _log.warning("The history of %d ended jobs cannot be written yet: %s", len(ended), error)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            revision = current
            await jobs.changed(revision, _PERIOD_SECONDS)


async def _record(api: Api, history: History, ended: Sequence[Job]) -> None:
    uids = {name: await namespace_uid(api, name) for name in {job.key.namespace for job in ended}}
    bodies = ((json.loads(job.detail), uids[job.key.namespace]) for job in ended)
    while batch := [Ended.of(body, uid) for body, uid in islice(bodies, _BATCH)]:
        await anyio.to_thread.run_sync(history.record, batch)


async def _list(request: Request) -> Response:
    """Return the jobs that ended last, the newest first."""
    since = _since(request)
    async with AsyncExitStack() as held:
        history, visible = await _visible(request, held)
        newest = await anyio.to_thread.run_sync(lambda: history.newest(visible, _MOST_SHOWN, since=since))
        shown = [_shown(job) for job in newest if is_of(job.tenant, visible[job.namespace])]
        return json_response({"jobs": shown}, held.pop_all())


async def _totals(request: Request) -> Response:
    """Return what the jobs used, by namespace and month."""
    since = _since(request)
    async with AsyncExitStack() as held:
        history, visible = await _visible(request, held)
        found = await anyio.to_thread.run_sync(lambda: totals(_own(history, visible, since)))
        return json_response({"totals": [asdict(total) for total in found]}, held.pop_all())


async def _table(request: Request) -> Response:
    """Return all jobs as CSV (RFC 4180), in the order of namespaces and months."""
    since = _since(request)
    async with AsyncExitStack() as held:
        history, visible = await _visible(request, held)
        headers = {
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": 'attachment; filename="reconstructions.csv"',
        }
        return HoldingResponse(_lines(_own(history, visible, since)), held.pop_all(), 200, headers)


async def _lines(jobs: Iterator[Ended]) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a batch at a time: a client that reads nothing holds one in memory."""
    yield _csv([dict.fromkeys(_COLUMNS, "")], header=True)
    while batch := await anyio.to_thread.run_sync(lambda: list(islice(jobs, _BATCH))):
        yield _csv([_shown(job) for job in batch])


def _csv(rows: Sequence[Mapping[str, Any]], *, header: bool = False) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS)
    if header:
        writer.writeheader()
    else:
        writer.writerows(rows)
    return text.getvalue().encode()


async def _visible(request: Request, held: AsyncExitStack) -> tuple[History, dict[str, str | None]]:
    """Return the history, and the uids of the namespaces in it whose jobs the user may see. Raises 404 without one."""
    gallery = Gallery.of(request)
    user = (await gallery.identities.of(request)).user
    if (history := gallery.history) is None:
        raise HTTPException(404, "this gallery keeps no history: an administrator sets GALLERY_HISTORY_DIR")
    await held.enter_async_context(gallery.downloads.texts.slot(user))
    recorded = await anyio.to_thread.run_sync(history.namespaces)
    visible = await gallery.rights.visible(user, recorded)
    if chosen := request.query_params.get("namespace"):
        visible &= {chosen}
    return history, await namespace_uids(gallery, user, visible)


def _own(history: History, visible: Mapping[str, str | None], since: str) -> Iterator[Ended]:
    return (job for job in history.all(visible, since=since) if is_of(job.tenant, visible[job.namespace]))


def _shown(job: Ended) -> dict[str, Any]:
    return {name: value for name, value in asdict(job).items() if name not in _HIDDEN}


def _since(request: Request) -> str:
    """Return the parameter `since`; empty: none. Raises 400."""
    since = request.query_params.get("since", "")
    if since and not _SINCE.fullmatch(since):
        raise HTTPException(400, "since is a date, such as 2026-11-30 or 2026-11-30T12:00:00Z")
    return since


ROUTES = [
    Route("/api/history", _list, methods=["GET"]),
    Route("/api/history.csv", _table, methods=["GET"]),
    Route("/api/history/totals", _totals, methods=["GET"]),
]
