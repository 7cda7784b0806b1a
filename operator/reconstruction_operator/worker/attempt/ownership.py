"""One delivery's right to an attempt: the protocol's calls with everything filled in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Final

from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import End
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, worker_calls
from reconstruction_operator.state.replies import BeatReply, ClaimReply, FinishReply

LIFE: Final = uuid.uuid4().hex  # of this worker process; made before its pool forks, so that all of the pool share it


@dataclass(frozen=True, slots=True)
class Ownership:
    """`attempt` is None for a bare `delay()`, which has no record. Each method raises RedisError without Redis."""

    job_id: str
    task_id: str
    attempt: int | None
    token: str  # of this delivery, never used before
    worker: str
    keys: Keys = field(default_factory=Keys)

    def claim(self) -> ClaimReply:
        """Take the attempt."""
        call = worker_calls.claim(
            self.keys,
            task_id=self.task_id,
            job_id=self.job_id,
            attempt=self.attempt,
            token=self.token,
            worker=self.worker,
        )
        return calls.run(job_manager.get_redis_client(), call)

    def beat(self) -> BeatReply:
        """Say that the run is alive, and hear what is wanted of it."""
        call = worker_calls.beat(
            self.keys,
            task_id=self.task_id,
            job_id=self.job_id,
            attempt=self.attempt,
            token=self.token,
            worker=self.worker,
            life=LIFE,
        )
        return calls.run(job_manager.get_redis_client(), call)

    def cancelled(self) -> bool:
        """Whether the job's cancel is confirmed: cheaper than a beat."""
        return bool(job_manager.get_redis_client().exists(self.keys.cancel(self.job_id)))

    def finish(self, end: End) -> FinishReply:
        """Have that end recorded."""
        call = worker_calls.finish(
            self.keys,
            task_id=self.task_id,
            job_id=self.job_id,
            attempt=self.attempt,
            token=self.token,
            end=end,
        )
        return calls.run(job_manager.get_redis_client(), call)
