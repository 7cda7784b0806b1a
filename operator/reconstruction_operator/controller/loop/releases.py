"""Releases: an administrator's command learns through Redis what the brake holds, and releases it there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from reconstruction_operator.controller.loop.brake import Brake
from reconstruction_operator.controller.redis_view.view import RedisView
from reconstruction_operator.state import calls, operator_calls, releases

_BATCH: Final = 500


@dataclass(eq=False)
class Releases:
    """What Redis holds of the brake. Its methods raise RedisError, and DeposedError where they write."""

    view: RedisView
    brake: Brake
    install_id: str
    _reported: Mapping[str, str] | None = field(default=None, init=False)  # None: Redis may hold another report

    def report_again(self) -> None:
        """Let the next `report` write: another leader has written since, or Redis has lost data."""
        self._reported = None

    async def learn(self) -> bool:
        """Read what was released. Return whether any of it was held."""
        return self.brake.release(
            await calls.arun(self.view.state, releases.list_released(self.view.keys, self.install_id))
        )

    async def report(self, recorded: Collection[str], fence: int) -> None:
        """Write what is held, if that has changed, and drop releases once no job of them has a record."""
        leader: operator_calls.Leader = {"fence": fence, "install_id": self.install_id}
        held = self.brake.held
        if held != self._reported:
            items = sorted(held.items())
            for first in range(0, max(1, len(items)), _BATCH):
                batch = items[first : first + _BATCH]
                call = operator_calls.report_held(self.view.keys, held=batch, replace=first == 0, **leader)
                await calls.arun(self.view.state, call)
            self._reported = held
        released = self.brake.released
        if released and not self.brake.holds and released.keys().isdisjoint(recorded):
            await calls.arun(self.view.state, operator_calls.drop_released(self.view.keys, **leader))
