"""Model catalogue: the models in announcements, and the queues whose jobs have to be planned again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.contract import announcement
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.contract.info import Workers
from reconstruction_operator.controller.redis_view.catalogue import Catalogue
from reconstruction_operator.planning.types import Job
from reconstruction_operator.state.replies import WorkerInfo

from tests.support.jobs import make_job

MODELS = {"photogrammetry": ModelInfo("1", {"properties": {"quality": {"enum": ["fast"]}}})}
OTHERS = {"reconviagen": ModelInfo("1")}
DIGEST, OTHER = (announcement.digest(announcement.to_text(models)) for models in (MODELS, OTHERS))
QUEUES = ("celery-high", "celery", "celery-low")
WORKER = WorkerInfo("cpu@a", QUEUES, announced=DIGEST)
OLD = WorkerInfo("old@b", QUEUES)


def job(model: str = "photogrammetry", priority: str = "normal", **parameters: str) -> Job:
    return make_job(spec=Spec(model_type=model, priority=priority, parameters=parameters))


def test_each_announcement_is_read_once_for_all_workers_that_share_it() -> None:
    catalogue = Catalogue()
    workers = (WORKER, replace(WORKER, node="cpu@c"), OLD)
    assert catalogue.unread(workers) == (DIGEST,)
    catalogue.update(workers, {DIGEST: MODELS})
    assert catalogue.unread(workers) == ()
    catalogue.update((), {})  # the workers have ended, and it is dropped
    assert catalogue.unread(workers) == (DIGEST,)


def test_jobs_of_all_priorities_are_compared_with_what_their_workers_have() -> None:
    catalogue = Catalogue()
    catalogue.update((WORKER,), {DIGEST: MODELS})
    for priority in ("low", "normal", "high"):
        refused = catalogue.refusal(job(priority=priority, quality="best"))
        assert refused.code == "INVALID_PARAMETERS"
        text = catalogue.lacking(job("none", priority))
        assert text == "Waiting for a worker with model none: those of queue celery have photogrammetry"
    assert catalogue.preflight_threads("celery") == 1
    assert catalogue.reads_photos(job())


def test_live_workers_are_published_by_their_queues_and_models_without_their_names() -> None:
    catalogue = Catalogue()
    catalogue.update((WORKER, replace(WORKER, node="cpu@c"), replace(WORKER, queues=("gpu",)), OLD), {DIGEST: MODELS})
    model = {
        "version": "1",
        "parameters": {"properties": {"quality": {"enum": ["fast"]}}},
        "simulated": False,
        "readsPhotos": True,
    }
    queues = tuple(sorted(QUEUES))
    assert catalogue.workers == (
        Workers(queues, 1, {}),
        Workers(queues, 2, {"photogrammetry": model}),
        Workers(("gpu",), 1, {"photogrammetry": model}),
    )


@pytest.mark.parametrize("workers", [(), (WORKER,)], ids=["not read yet", "an announcement that cannot be read"])
def test_without_announced_models_nothing_is_rejected_or_held(workers: tuple[WorkerInfo, ...]) -> None:
    catalogue = Catalogue()
    if workers:
        catalogue.update(workers, {})
    assert (catalogue.refusal(job(quality="best")), catalogue.lacking(job("none"))) == (None, "")


def test_queues_change_only_when_their_workers_gain_or_lose_models() -> None:
    catalogue = Catalogue()
    assert catalogue.update((WORKER,), {DIGEST: MODELS}) == set(QUEUES)
    assert catalogue.update((WORKER, replace(WORKER, node="cpu@c")), {}) == frozenset()
    assert catalogue.update((WORKER, replace(OLD, announced=OTHER)), {OTHER: OTHERS}) == set(QUEUES)
    assert catalogue.update((WORKER,), {}) == set(QUEUES)


def test_a_job_that_takes_a_result_over_needs_no_model_no_parameters_and_no_photos() -> None:
    catalogue = Catalogue()
    catalogue.update((WORKER,), {DIGEST: MODELS})
    for spec in (job("none").spec, job(quality="best").spec):
        reuses = make_job(spec=replace(spec, reuse="Required"))
        assert (catalogue.refusal(reuses), catalogue.lacking(reuses), catalogue.reads_photos(reuses)) == (
            None,
            "",
            False,
        )
