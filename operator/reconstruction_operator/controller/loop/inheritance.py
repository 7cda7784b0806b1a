"""Inheritance: when the number of shards changes, the new shards take over what the earlier ones left in Redis.

The earlier shards have other Leases and install ids. Their records and reports of job folders are taken over when their Leases are
free. A hold of deletions after a restore of etcd is taken over at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from reconstruction_operator.api.status import InstallationMark
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.redis_view.view import RedisView
from reconstruction_operator.state import calls, operator_calls, reads

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Inheritance:
    """Takes over from shards under another number of shards. `ended`: whether the shard with that mark has ended."""

    view: RedisView
    installation: Installation
    ended: Callable[[InstallationMark], bool]
    givers: tuple[str, ...] = field(default=(), init=False)  # install ids of ended shards that left something
    waiting: bool = field(default=False, init=False)  # whether shards that left something still run

    async def take(self, fence: int) -> None:
        """Take over the records of our jobs from shards that have ended. Raises RedisError and DeposedError."""
        siblings = {mark.id: mark for mark in self.installation.siblings()}
        look = operator_calls.inherit(
            self.view.keys, installs=tuple(siblings), fence=fence, install_id=self.installation.id
        )
        found = await calls.arun(self.view.state, look)
        self.givers = tuple(one for one in found if self.ended(siblings[one]))
        self.waiting = len(self.givers) < len(found)
        for giver in self.givers:
            await self._take_records(giver, fence)

    async def _take_records(self, giver: str, fence: int) -> None:
        recorded = await calls.arun(self.view.state, reads.list_records(self.view.keys, giver))
        taken = 0
        for job_ids in self._ours(recorded):
            call = operator_calls.index_records(
                self.view.keys, job_ids=job_ids, giver=giver, fence=fence, install_id=self.installation.id
            )
            await calls.arun(self.view.state, call)
            taken += len(job_ids)
        if taken:
            _log.info("Took over %d records of %s, which has ended", taken, giver)

    def _ours(self, recorded: Sequence[str]) -> Iterator[list[str]]:
        """Return the ids of our jobs, in batches, so that hashing a million ids does not block the event loop."""
        for first in range(0, len(recorded), reads.OBSERVE_BATCH):
            batch = recorded[first : first + reads.OBSERVE_BATCH]
            if ours := [one for one in batch if self.installation.shard.has(one)]:
                yield ours
