"""Model catalogue: the models that each live worker announces, and the workers that run preflight checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconstruction_operator.api import codec
from reconstruction_operator.api.spec import REQUIRED
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.contract.info import Workers
from reconstruction_operator.contract.pools import pool_of
from reconstruction_operator.planning import models, parameters
from reconstruction_operator.planning.models import Offer
from reconstruction_operator.planning.quotas import Refusal
from reconstruction_operator.planning.types import Job
from reconstruction_operator.state.replies import WorkerInfo


class Catalogue:
    """The newest reading.

    Before the first one, and with workers that announce no models, no job is rejected or held.
    """

    def __init__(self) -> None:
        self._announced: dict[str, Mapping[str, ModelInfo]] = {}  # by digest
        self._offers: tuple[Offer, ...] = ()
        self._of_queue: Mapping[str, Sequence[Offer]] = {}
        self.workers: tuple[Workers, ...] = ()  # to be published

    def unread(self, workers: Sequence[WorkerInfo]) -> tuple[str, ...]:
        """Return the announcements of these workers that are still to be read."""
        return tuple(
            {worker.announced for worker in workers if worker.announced and worker.announced not in self._announced}
        )

    def update(self, workers: Sequence[WorkerInfo], announced: Mapping[str, Mapping[str, ModelInfo]]) -> frozenset[str]:
        """Store a new reading. Return the queues whose workers' models have changed."""
        in_use = {worker.announced for worker in workers}
        self._announced = {
            digest: models for digest, models in {**self._announced, **announced}.items() if digest in in_use
        }
        offers = tuple(
            Offer(worker.node, frozenset(worker.queues), self._announced.get(worker.announced)) for worker in workers
        )
        if offers == self._offers:
            return frozenset()
        of_queue: dict[str, list[Offer]] = {}
        for offer in offers:
            for queue in offer.queues:
                of_queue.setdefault(queue, []).append(offer)
        changed = {
            queue
            for queue in {*of_queue, *self._of_queue}
            if _models(of_queue.get(queue, ())) != _models(self._of_queue.get(queue, ()))
        }
        self._offers, self._of_queue = offers, of_queue
        groups = Counter((tuple(sorted({*worker.queues})), worker.announced) for worker in workers)
        self.workers = tuple(
            Workers(queues, number, _published(self._announced.get(digest, {})))
            for (queues, digest), number in sorted(groups.items())
        )
        return frozenset(changed)

    def refusal(self, job: Job) -> Refusal | None:
        """Why every worker of its queue would reject the job's parameters; None if one may accept them."""
        if job.spec.reuse == REQUIRED:
            return None
        return models.refusal(job.spec, self._of_queue.get(job.queue, ()))

    def lacking(self, job: Job) -> str:
        """Return what the job waits for if no worker of its queue has its model; empty if one has it, may have it, or
        the job needs none.
        """
        if job.spec.reuse == REQUIRED:
            return ""
        return models.missing(job.spec, pool_of(job.queue), self._of_queue.get(job.queue, ()), self._offers)

    def reads_photos(self, job: Job) -> bool:
        """Whether a worker of its queue would read the job's input, as it has announced."""
        return job.spec.reuse != REQUIRED and models.reads_photos(
            job.spec.model_type, self._of_queue.get(job.queue, ())
        )

    def preflight_threads(self, queue: str) -> int:
        """How many workers of the queue run preflight checks beside their jobs."""
        return len(self._of_queue.get(queue, ()))


def _published(models: Mapping[str, ModelInfo]) -> dict[str, Any]:
    """Return the models without what no check of parameters reads, so that the text stays small."""
    return {
        name: codec.encode(replace(info, parameters=parameters.simple(info.parameters or {})))
        for name, info in models.items()
    }


def _models(offers: Sequence[Offer]) -> set[tuple[str, ...] | None]:
    return {None if offer.models is None else tuple(sorted(offer.models)) for offer in offers}
