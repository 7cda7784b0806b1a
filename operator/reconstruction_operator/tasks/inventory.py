"""After Redis was emptied: the worker tells it which job folders there are, so that nothing of a deleted job stays.

Nothing is deleted for that. The operator compares with the objects, and orders the deletion of what has none.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterable

import redis
from redis.exceptions import RedisError

from reconstruction_operator.services import folders, protocol
from reconstruction_operator.services.keys import Keys
from reconstruction_operator.services.protocol.errors import ProtocolError

logger = logging.getLogger(__name__)

_BATCH = 200


class Inventory:
    """Reports once for each epoch of Redis, and once for each life of the worker, in a thread of its own."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._reported = ""
        self._thread: threading.Thread | None = None

    def epoch_is(self, epoch: str) -> None:
        """Report if this is another epoch than the last one that was reported in. Returns at once."""
        if epoch in ("", self._reported) or (self._thread is not None and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._run, args=(epoch,), name="inventory", daemon=True)
        self._thread.start()

    def _run(self, epoch: str) -> None:
        try:
            count = report(self._client, self._keys, folders.owners())
        except (RedisError, ProtocolError, OSError) as error:  # the next registration tries again
            logger.warning("the job folders could not be reported: %s", error)
            return
        self._reported = epoch
        logger.info("Redis began anew: %d job folders are reported to it", count)


def report(client: redis.Redis, keys: Keys, owners: Iterable[folders.Owner]) -> int:
    """Say whose folders there are; returns how many.

    Raises:
        RedisError: Redis was not reached; any number may have been said.

    """
    count = 0
    by_install = sorted(owners, key=lambda owner: owner.install_id)
    for install_id, its in itertools.groupby(by_install, key=lambda owner: owner.install_id):
        if not install_id:
            continue
        mine = list(its)
        for first in range(0, len(mine), _BATCH):
            protocol.run(client, protocol.report_folders(keys, install_id, mine[first : first + _BATCH]))
        count += len(mine)
    return count
