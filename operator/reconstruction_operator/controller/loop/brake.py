"""Brake: holds deletions that may be caused by a loss of data in the API server.

- After a restore of etcd, deletions are held for a time: jobs younger than the backup look deleted, and specs are old.
- More orphans at once than the limit are held until there are fewer, or the limit is raised.

A deletion that the watch reported, and a confirmed cancel, are never held.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from reconstruction_operator.planning import actions as planned
from reconstruction_operator.planning.status import events
from reconstruction_operator.planning.types import Event
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Brake:
    """Holds more orphans than `at_once` or a `share` of all jobs, whichever is larger. `report` posts an Event."""

    at_once: int
    share: float
    restore_hold_seconds: float
    report: Callable[[Event], None] = lambda _: None
    _restored: bool | None = field(default=None, init=False)  # whether etcd was restored lately; None: not known yet
    _held: dict[str, frozenset[str]] = field(default_factory=dict, init=False)  # ids of orphans, by kind
    _over: set[str] = field(default_factory=set, init=False)  # kinds of which too many were found

    @property
    def restored(self) -> bool:
        """Whether etcd was restored lately; also true before the first `note`."""
        return self._restored is not False

    @property
    def holds(self) -> bool:
        """Whether deletions are held that the watch did not report."""
        return self.restored or bool(self._over)

    def __contains__(self, job_id: str) -> bool:
        """Whether the clean-up of that job is held."""
        return any(job_id in ids for ids in self._held.values())

    def note(self, restored_seconds: float | None) -> None:
        """Note how long ago a restore of etcd was detected; None: never."""
        left = 0.0 if restored_seconds is None else self.restore_hold_seconds - restored_seconds
        before, self._restored = self._restored, left > 0
        if self._restored and not before:
            self._hold(
                "etcd was restored from a backup: files of jobs that look deleted, and of those whose time to live has expired, "
                f"are kept for {left:.0f} s. RESTORE_HOLD_SECONDS=0 ends the hold"
            )
        elif before and not self._restored:
            self._release("The hold after the etcd restore has ended; deletions resume")
            self._held.clear()  # the next sweep finds and counts them again
        metrics.DELETIONS_HELD.labels("restored").set(self._restored)

    def admit(self, found_in: str, orphans: Collection[str], among: int) -> Collection[str]:
        """Return these orphans if they may be cleaned up, else none. They are all of their kind (`found_in`), out of `among` entries."""
        limit = max(self.at_once, int(self.share * among))
        too_many = len(orphans) > limit
        if too_many and found_in not in self._over:
            self._hold(
                f"{len(orphans)} of {among} {found_in} are of jobs that no longer exist, more than the limit of {limit}: their "
                f"files are kept. If they are to be deleted, set ORPHANS_AT_ONCE={len(orphans)} until they are"
            )
        elif not too_many and found_in in self._over:
            self._release(f"The number of {found_in} of jobs that no longer exist is within the limit of {limit} again")
        (self._over.add if too_many else self._over.discard)(found_in)
        self._held[found_in] = frozenset(orphans) if self.holds else frozenset()
        metrics.DELETIONS_HELD.labels("orphans").set(bool(self._over))
        metrics.HELD_ORPHANS.set(len(frozenset().union(*self._held.values())))
        return () if self.holds else orphans

    def permitted(self, actions: tuple[planned.Action, ...]) -> tuple[planned.Action, ...]:
        """Return the actions. While deletions are held, those that follow from an expired time to live are left out."""
        return tuple(one for one in actions if not planned.is_expiry(one)) if self.holds else actions

    def _hold(self, why: str) -> None:
        self._report(logging.ERROR, events.deletions_held(why))

    def _release(self, why: str) -> None:
        self._report(logging.WARNING, events.deletions_released(why))

    def _report(self, level: int, event: Event) -> None:
        _log.log(level, "%s", event.message, extra={"reason": event.reason})
        self.report(event)
