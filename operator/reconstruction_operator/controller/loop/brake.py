"""Brake: holds the clean-up of jobs that look deleted, if there are too many at once.

The API server may have lost data: after a restore of etcd, jobs younger than the backup look deleted. A deletion that
the watch reported is never held.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field

from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Brake:
    """Holds more orphans than `at_once` or a `share` of all jobs, whichever is larger."""

    at_once: int
    share: float
    _held: dict[str, frozenset[str]] = field(default_factory=dict, init=False)  # ids of orphans, by kind
    _over: set[str] = field(default_factory=set, init=False)  # kinds of which too many were found

    @property
    def holds(self) -> bool:
        """Whether deletions are held that the watch did not report."""
        return bool(self._over)

    def __contains__(self, job_id: str) -> bool:
        """Whether the clean-up of that job is held."""
        return any(job_id in ids for ids in self._held.values())

    def allow(self, found_in: str, orphans: Collection[str], among: int) -> Collection[str]:
        """Return these orphans if they may be cleaned up, else none.

        They are all of their kind (`found_in`), out of `among` entries.
        """
        limit = max(self.at_once, int(self.share * among))
        too_many = len(orphans) > limit
        if too_many and found_in not in self._over:
            why = (
                f"{len(orphans)} of {among} {found_in} are of jobs that no longer exist, more than the limit of "
                f"{limit}: their "
                f"files are kept. If they are to be deleted, set ORPHANS_AT_ONCE={len(orphans)} until they are"
            )
            _log.error("%s", why, extra={"reason": "DeletionsHeld"})
        elif not too_many and found_in in self._over:
            why = f"The number of {found_in} of jobs that no longer exist is within the limit of {limit} again"
            _log.warning("%s", why, extra={"reason": "DeletionsReleased"})
        self._over = self._over | {found_in} if too_many else self._over - {found_in}
        self._held[found_in] = frozenset(orphans) if self.holds else frozenset()
        metrics.HELD_ORPHANS.set(len(frozenset().union(*self._held.values())))
        return () if self.holds else orphans
