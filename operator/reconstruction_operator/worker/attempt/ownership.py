"""Ownership of an attempt: the protocol calls of one delivery, with its names and token filled in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Final, TypeVar

from reconstruction_operator.api.attempt_status import Leg
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import End
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, worker_calls
from reconstruction_operator.state.replies import BeatReply, ClaimReply, FinishReply, LegCode

T = TypeVar("T")

# Random for each worker; created before the pool forks, so that all its processes share it.
LIFE: Final = uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Ownership:
    """One delivery. Each method raises RedisError if Redis is unavailable."""

    attempt: AttemptRef
    token: str  # random for each delivery
    worker: str
    leg: Leg | None = None  # None: the attempt's first
    keys: Keys = field(default_factory=Keys)

    def claim(self) -> ClaimReply:
        """Claim the attempt for this delivery."""
        return self._run(
            worker_calls.claim(self.keys, self.attempt, token=self.token, worker=self.worker, leg=self.leg)
        )

    def beat(self) -> BeatReply:
        """Keep the claim alive; the reply shows whether the run may continue."""
        return self._run(
            worker_calls.beat(self.keys, self.attempt, token=self.token, worker=self.worker, life=LIFE, leg=self.leg)
        )

    def cancelled(self) -> bool:
        """Whether the job's cancel is confirmed. Cheaper than a beat."""
        return bool(job_manager.get_redis_client().exists(self.keys.cancel(self.attempt.job_id)))

    def finish(self, end: End) -> FinishReply:
        """Record `end`, unless another end counts."""
        return self._run(worker_calls.finish(self.keys, self.attempt, token=self.token, end=end, leg=self.leg))

    def end_leg(self, following: Leg, found: Findings) -> LegCode:
        """End this leg of the attempt, for the `following` one; `found` is what the attempt has found so far."""
        end = worker_calls.end_leg
        return self._run(end(self.keys, self.attempt, token=self.token, following=following, found=found, leg=self.leg))

    def _run(self, call: calls.Call[T]) -> T:
        return calls.run(job_manager.get_redis_client(), call)
