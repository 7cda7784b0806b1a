"""Sharing: how a run has its stages made in parts, by itself and by the helpers that it orders.

Helpers only make a run faster. It makes parts itself too, so it ends without any, and it never waits for one that is
lost. Without Redis it makes all parts that it does not find.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from redis.exceptions import RedisError

from reconstruction_operator.api.attempt_status import Parts
from reconstruction_operator.contract.envelope import PartOrder
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models.interface import PartTurn
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, parts_calls
from reconstruction_operator.state.replies import HelpersUsage, PartsReply
from reconstruction_operator.worker.parts.plan import HelpPlan

logger = logging.getLogger(__name__)

SendOrder = Callable[[PartOrder, str], None]
"""Sends an order to help, with the Celery task id of the helper. Raises any exception if it was not sent."""

_LEFT = "left"
_UNANSWERED_SECONDS = 60.0  # then an order counts as lost: other work may be first in line, or Redis has lost it
_REFUSED_SECONDS = 30.0  # after a refusal, before the next order
_LEAVE_SECONDS = 3.0  # for helpers to stop at the end of the run
_PAUSE_SECONDS = 0.1
_LOOK_SECONDS = 2.0


@dataclass
class Sharing:
    """The parts of one run. `most` is the largest number of workers, the run's own included."""

    order: PartOrder
    most: int
    space: Workspace
    plan: HelpPlan
    send: SendOrder
    shared: Callable[[Parts], None]  # called with what is known of the parts
    keys: Keys = field(default_factory=Keys)
    monotonic: Callable[[], float] = time.monotonic
    _stage: str = field(init=False, default="")
    _count: int = field(init=False, default=0)  # its parts; 0: none are made now
    _looked_at: float = field(init=False, default=0.0)
    _made: set[int] = field(init=False, default_factory=set)  # of this stage, by the run itself
    _ordered: dict[str, float] = field(init=False, default_factory=dict)  # unanswered orders, by id, and when they left
    _refusals: dict[str, str] = field(init=False, default_factory=dict)
    _refused_at: float | None = field(init=False, default=None)
    _is_used: bool = field(init=False, default=False)

    def turn(self, stage: str, count: int, made: int | None, /) -> PartTurn:
        """Return what the run's model does next. Implements `models.interface.Parts`; never raises."""
        if stage != self._stage:
            self._stage, self._made = stage, set()
        self._count = 0
        if made is not None:
            self._made.add(made)
        try:
            if not self._is_used:
                self.plan.write(self.space.plan)
            self._is_used = True
            state = self._call(count, made, "take")
        except (RedisError, calls.ProtocolError, OSError) as error:
            logger.info("%s makes the stage %s without help: %s", self.order.attempt.job, stage, error)
            return self._alone(count)
        self._count = 0 if state.over else count
        self._note(count, state)
        return PartTurn(state.part, state.made, state.over)

    def look(self) -> None:
        """See from time to time how far the stage is, and order help, while the run's model makes a part."""
        now = self.monotonic()
        if not self._count or now - self._looked_at < _LOOK_SECONDS:
            return
        with contextlib.suppress(RedisError, calls.ProtocolError):
            self._note(self._count, self._call(self._count, None, "look"))

    def close(self) -> HelpersUsage:
        """End the help; return what all helpers have used. Waits for a moment until they have left."""
        used = HelpersUsage()
        if not self._is_used:
            return used
        deadline = self.monotonic() + _LEAVE_SECONDS
        with contextlib.suppress(RedisError, calls.ProtocolError):
            while True:
                closing = parts_calls.close_parts(self.keys, self.order.attempt.job_id, run=self.order.run)
                helpers, used = calls.run(job_manager.get_redis_client(), closing)
                if not helpers or self.monotonic() >= deadline:
                    break
                time.sleep(_PAUSE_SECONDS)
        return used

    def _call(self, count: int, made: int | None, what: Literal["take", "look"]) -> PartsReply:
        self._looked_at = self.monotonic()
        run = self.order.run
        call = parts_calls.take_part(
            self.keys,
            self.order.attempt.job_id,
            run=run,
            maker=run,
            stage=self._stage,
            count=count,
            made=made,
            what=what,
        )
        return calls.run(job_manager.get_redis_client(), call)

    def _note(self, count: int, state: PartsReply) -> None:
        if not state.over:
            self.shared(Parts(count, state.made, state.makers))
            self._order_helpers(count - state.made - state.makers, state.helpers)
        elif state.made == count:
            self.shared(Parts(count, count, 0))

    def _alone(self, count: int) -> PartTurn:
        """Return the next part that the run has not made or found itself: helpers may have made it already."""
        part = next((part for part in range(count) if part not in self._made), None)
        return PartTurn(part, len(self._made), over=part is None)

    def _order_helpers(self, free: int, helpers: Mapping[str, str]) -> None:
        now = self.monotonic()
        for helper, text in helpers.items():
            self._ordered.pop(helper, None)
            if not text[:1].isdigit() and text != _LEFT and helper not in self._refusals:
                self._refusals[helper] = text
                self._refused_at = now
                logger.warning("%s gets no help from a worker: %s", self.order.attempt.job, text)
        self._ordered = {
            helper: sent_at for helper, sent_at in self._ordered.items() if now - sent_at < _UNANSWERED_SECONDS
        }
        if self._refused_at is not None and now - self._refused_at < _REFUSED_SECONDS:
            return
        present = sum(text[:1].isdigit() for text in helpers.values())
        for _ in range(min(self.most - 1, free) - present - len(self._ordered)):
            helper = uuid.uuid4().hex
            try:
                self.send(self.order, helper)
            except Exception as error:  # noqa: BLE001  # the broker may raise anything
                logger.info("%s could order no help: %s", self.order.attempt.job, error)
                return
            self._ordered[helper] = now
