"""Publisher: writes the installation's info into kube-public, when it changes and as a slow beat.

Only the leader writes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from reconstruction_operator.contract.info import BEAT_SECONDS, KEY, LABELS, MANAGER, NAMESPACE, InstallationInfo
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.client import APPLY_PATCH, Api
from reconstruction_operator.kube.errors import ApiError

_log = logging.getLogger(__name__)

_PERIOD_SECONDS: Final = 2.0


@dataclass(eq=False)
class Publisher:
    """Publishes what `info` returns. A write that fails is repeated with the next beat, and delays nothing else."""

    api: Api
    election: LeaderElection
    info: Callable[[], InstallationInfo]
    _published: InstallationInfo | None = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)  # of the next beat
    _problem: str = field(default="", init=False)  # of the last write, logged once

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            if self.election.leading:
                await self.publish(time.monotonic())

    async def publish(self, now: float) -> None:
        """Write the info if it changed, or if a beat is due at `now` (monotonic)."""
        info = self.info()
        if info == self._published and now < self._due:
            return
        self._published, self._due = info, now + BEAT_SECONDS
        # Applied, so that the first write creates the object.
        path = f"{paths.core(NAMESPACE, 'configmaps', info.name)}?fieldManager={MANAGER}&force=true"
        try:
            data = {KEY: replace(info, beat=datetime.now(UTC)).text()}
            metadata = {"name": info.name, "labels": LABELS}
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
            await self.api.request("PATCH", path, body=body, content_type=APPLY_PATCH, timeout_seconds=BEAT_SECONDS)
            self._problem = ""
        except (ApiError, ValueError, RecursionError) as error:  # the latter two: what workers announced
            if str(error) != self._problem:
                self._problem = str(error)
                _log.warning(
                    "Users do not see the installation's state: ConfigMap %s in %s could not be created or patched: %s",
                    info.name,
                    NAMESPACE,
                    error,
                )
