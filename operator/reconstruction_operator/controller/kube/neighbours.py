"""Neighbours: other installations whose marks are in statuses of our namespaces, and whether they are alive.

The jobs of an installation that has ended are taken over after a time.

A neighbour is alive while its Lease is renewed. The rules are those of the election: no clock of another machine is trusted,
so a Lease counts as expired after this process saw it unchanged for its duration. A neighbour whose Lease cannot
be read counts as alive.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from reconstruction_operator.api.status import InstallationMark, Status
from reconstruction_operator.controller.kube.client import Api, ApiError
from reconstruction_operator.controller.kube.lease import LeaseRecord, Sighting
from reconstruction_operator.planning.types import Management

_log = logging.getLogger(__name__)

_PERIOD_SECONDS: Final = 2.0  # between two reads of their Leases
_GAP_SECONDS: Final = 10.0  # after a longer time between two reads, a renewal may have been missed
_AT_MOST: Final = 100  # neighbours whose Leases are read; all others count as alive
_LEASE: Final = re.compile(r"([a-z0-9]|[a-z0-9][a-z0-9.-]*[a-z0-9])/([a-z0-9]|[a-z0-9][a-z0-9.-]*[a-z0-9])")
_GONE: Final = LeaseRecord(version="", holder="", transitions=0, duration_seconds=0.0)


@dataclass(slots=True)
class _Neighbour:
    """One other installation, by its Lease."""

    mark: InstallationMark  # the first that was seen with this Lease
    ends_after_seconds: float  # without a renewal; 0: never
    sighting: Sighting | None = None
    read_at: float = 0.0
    unreadable: bool = False
    alive: bool = True

    def saw(self, record: LeaseRecord, now: float) -> None:
        unseen = self.sighting is None or now - self.read_at > _GAP_SECONDS
        self.sighting = Sighting(record, now) if unseen or self.sighting is None else self.sighting.updated(record, now)
        self.read_at = now

    def silent_seconds(self) -> float:
        """For how long its Lease had expired when it was last read."""
        return 0.0 if self.sighting is None else max(0.0, self.read_at - self.sighting.expires())

    def judge(self) -> bool:
        """Decide whether it is alive. Return whether that has changed."""
        before, silent = self.alive, self.silent_seconds()
        self.alive = self.ends_after_seconds <= 0 or silent < self.ends_after_seconds
        if before and not self.alive:
            _log.warning(
                "Lease %s of installation %s was not renewed for %.0f s: this installation takes over its jobs",
                self.mark.lease,
                self.mark.id,
                silent,
            )
        return before is not self.alive


@dataclass(eq=False)
class Neighbours:
    """Decides which installation manages a job (`management`). `run` reads the Leases of the others."""

    api: Api
    mark: InstallationMark
    adopt_after_seconds: float
    monotonic: Callable[[], float] = time.monotonic
    _neighbours: dict[str, _Neighbour] = field(default_factory=dict, init=False)  # by Lease
    _marks_kept: bool = field(default=True, init=False)

    def management(self, status: Status) -> Management:
        """Which installation manages the job with that status."""
        mark = status.installation
        if mark is None or mark == InstallationMark():
            return Management.UNMARKED if self._marks_kept else Management.OURS
        if mark == self.mark:
            return Management.OURS
        if mark.lease == self.mark.lease:
            return Management.INHERITED  # it was handed over to us, or our INSTALL_ID has changed
        return Management.FOREIGN if self._neighbour(mark).alive else Management.INHERITED

    def stored(self, wanted: Status, body: Mapping[str, Any]) -> bool:
        """Note from the response to a status write whether the API server stores marks. Return True at the first one without a mark.

        An older CRD has no field for marks. Jobs are then handled without them: otherwise no job would ever start.
        """
        if wanted.installation is None or "installation" in body.get("status", {}) or not self._marks_kept:
            return False
        self._marks_kept = False
        _log.error(
            "The CRD has no field for the installation that manages a job, so a second installation goes undetected: "
            "apply the CRD of this version (kubectl apply -f manifests/crd), and restart the operator"
        )
        return True

    async def run(self, changed: Callable[[], None]) -> None:
        """Read the Leases until cancelled; call `changed` when a neighbour has ended or returned."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            if await self.look():
                changed()

    async def look(self) -> bool:
        """Read each Lease once. Return whether a neighbour has ended or returned."""
        changed = False
        for one in list(self._neighbours.values()):
            await self._read(one)
            changed |= one.judge()
        return changed

    def _neighbour(self, mark: InstallationMark) -> _Neighbour:
        known = self._neighbours.get(mark.lease)
        if known is None:
            known = _Neighbour(mark, self.adopt_after_seconds)
            if len(self._neighbours) >= _AT_MOST:
                return known
            self._neighbours[mark.lease] = known
            _log.warning(
                "Installation %s (Lease %s) manages jobs in the watched namespaces; this operator ignores them: two "
                "installations must not watch the same namespaces (docs/runbooks/ReconstructionInstallationsOverlap.md)",
                mark.id,
                mark.lease,
            )
        return known

    async def _read(self, one: _Neighbour) -> None:
        if not _LEASE.fullmatch(one.mark.lease):
            return
        namespace, _, name = one.mark.lease.partition("/")
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        try:
            record = LeaseRecord.of(await self.api.get(path))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                log = _log.debug if error.transient or one.unreadable else _log.warning
                log("Lease %s cannot be read, so its installation counts as alive: %s", one.mark.lease, error)
                one.unreadable = not error.transient
                return
            record = _GONE
        one.unreadable = False
        one.saw(record, self.monotonic())
