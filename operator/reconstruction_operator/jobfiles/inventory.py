"""Inventory: a worker reports the job folders to Redis, so that files of deleted jobs are found after Redis lost its
data.

The report deletes no job folder with content: the operator compares it with the objects and orders the deletion of
orphans. Only tombstones are deleted here, because their orders may be lost and the notes of their owners deleted. Other
folders without a note are counted.
"""

from __future__ import annotations

import itertools
import logging
import operator
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

import redis
from redis.exceptions import RedisError

from reconstruction_operator import config
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.jobfiles import folder_deletion, kept_stages, layout, ledger, notes, results, trash
from reconstruction_operator.state import calls, worker_calls
from reconstruction_operator.telemetry import worker_metrics

logger = logging.getLogger(__name__)

_BATCH: Final = 200
_PERIOD_SECONDS: Final = 3600.0


class Inventory:
    """Reports in its own thread: at the start of the worker, in each new epoch of Redis, and every hour."""

    def __init__(self, client: redis.Redis, keys: Keys, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._keys = keys
        self._monotonic = monotonic
        self._reported = ""
        self._due_at = 0.0
        self._thread: threading.Thread | None = None

    def epoch_is(self, epoch: str) -> None:
        """Start a report if the epoch is new or the last report is an hour old. Return at once."""
        done = epoch == self._reported and self._monotonic() < self._due_at
        if not epoch or done or (self._thread is not None and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._run, args=(epoch,), name="inventory", daemon=True)
        self._thread.start()

    def _run(self, epoch: str) -> None:
        try:
            surveyed = list(notes.surveyed())
            count = report(self._client, self._keys, [owner for _, owner in surveyed if owner is not None])
            now = calls.redis_seconds(self._client)  # of all workers: a clock that is ahead would empty the trash
        except (RedisError, calls.ProtocolError, OSError) as error:  # the next registration tries again
            logger.warning("the job folders could not be reported: %s", error)
            return
        if epoch != self._reported:
            why = "Redis has a new epoch" if self._reported else "this worker has started"
            logger.info("%d job folders are reported to Redis: %s", count, why)
        self._reported, self._due_at = epoch, self._monotonic() + _PERIOD_SECONDS
        folder_deletion.finish_deletions()
        try:
            folder_deletion.drop_empty_folders(now - _PERIOD_SECONDS)
            lost = [folder for folder, owner in surveyed if owner is None and folder.root.exists()]
            worker_metrics.UNOWNED_FOLDERS.set(sum(not notes.is_bare(folder) for folder in lost))
            trash.expire(now)
            kept_stages.expire(layout.kept_stages(), now)
            results.drop_stale()
            ledger.drop_stale()
            if config.settings.NAMESPACE_VOLUME_BYTES:
                ledger.complete(owner.job for _, owner in surveyed if owner is not None)
        except OSError as error:
            logger.warning("the files of deleted jobs could not be listed: %s", error)


def report(client: redis.Redis, keys: Keys, owners: Iterable[AttemptRef]) -> int:
    """Report the owners of job folders in batches for each installation; return their number.

    Raises RedisError if Redis is unavailable, possibly after some reports.
    """
    install_of = operator.attrgetter("job.install_id")
    by_install = sorted((owner for owner in owners if install_of(owner)), key=install_of)
    for install_id, group in itertools.groupby(by_install, key=install_of):
        mine = list(group)
        for first in range(0, len(mine), _BATCH):
            calls.run(client, worker_calls.report_folders(keys, install_id, mine[first : first + _BATCH]))
    return len(by_install)
