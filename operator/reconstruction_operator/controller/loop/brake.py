"""Brake: holds the clean-up of jobs that look deleted, if there are too many at once.

The API server may have lost data: after a restore of etcd, jobs younger than the backup look deleted. A deletion that
the watch reported is never held. An administrator may release those of a namespace (`Releases`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Brake:
    """Holds more orphans than `at_once` or a `share` of all jobs, whichever is larger."""

    at_once: int
    share: float
    released: Mapping[str, str] = field(default_factory=dict, init=False)  # kinds of released orphans, by id
    _held: dict[str, dict[str, str]] = field(default_factory=dict, init=False)  # namespaces of orphans, by kind and id
    _over: set[str] = field(default_factory=set, init=False)  # kinds of which too many were found

    @property
    def holds(self) -> bool:
        """Whether deletions are held that the watch did not report."""
        return bool(self._over)

    @property
    def held(self) -> dict[str, str]:
        """Kind and namespace of each orphan that is held (`records/team-a`), by its id."""
        return {
            job_id: f"{found_in}/{namespace}"
            for found_in, orphans in self._held.items()
            for job_id, namespace in orphans.items()
        }

    def __contains__(self, job_id: str) -> bool:
        """Whether the clean-up of that job is held."""
        return any(job_id in orphans for orphans in self._held.values())

    def release(self, released: Mapping[str, str]) -> bool:
        """Hold none of these, whose kinds are given by id. Return whether any of them was held."""
        self.released = released
        fresh = [job_id for job_id in released if job_id in self]
        for job_id in fresh:
            for orphans in self._held.values():
                orphans.pop(job_id, None)
        if fresh:
            why = f"The deletions of {len(fresh)} jobs that no longer exist were released by an administrator"
            _log.warning("%s", why, extra={"reason": "DeletionsReleased"})
        return bool(fresh)

    def allow(self, found_in: str, orphans: Mapping[str, str], among: int) -> Collection[str]:
        """Return these orphans if they may be cleaned up, else those that were released.

        They are all of their kind (`found_in`), out of `among` entries: namespaces by id. The released ones count until
        nothing is held, cleaned up or not: the rest of a restore is no smaller mistake without them.
        """
        limit = max(self.at_once, int(self.share * among))
        held = {job_id: namespace for job_id, namespace in orphans.items() if job_id not in self.released}
        found = {*orphans, *(job_id for job_id, kind in self.released.items() if kind == found_in)}
        too_many = bool(held) and len(found) > limit
        if too_many and found_in not in self._over:
            why = (
                f"{len(orphans)} of {among} {found_in} are of jobs that no longer exist, more than the limit of "
                f"{limit}: their files are kept. If they are to be deleted: "
                "reconstruction-operator brake release NAMESPACE, in this pod"
            )
            _log.error("%s", why, extra={"reason": "DeletionsHeld"})
        elif not too_many and found_in in self._over:
            _log.warning(
                "No %s of jobs that no longer exist are held any more", found_in, extra={"reason": "DeletionsReleased"}
            )
        self._over = self._over | {found_in} if too_many else self._over - {found_in}
        self._held[found_in] = held if self.holds else {}
        metrics.HELD_ORPHANS.set(len(self.held))
        return orphans.keys() - held.keys() if self.holds else orphans.keys()
