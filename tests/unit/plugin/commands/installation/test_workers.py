from kubectl_recon.commands.installation.workers import ModelUse, Snapshot, model_uses, queues_of
from kubectl_recon.installation.metrics import Metrics, Queue
from kubectl_recon.installation.operator import NAMESPACE, Operator

from tests.support.plugin import job

JOBS = [
    job("a", "Running", spec={"queue": "gpu", "priority": "high"}),
    job("b", "Queued", spec={"queue": "gpu"}),
    job("c", "Pending", spec={"queue": "typo"}, conditions={"Dispatched": ("False", "QueueUnserved")}),
    job("d", "Succeeded", simulated=True, spec={"modelType": "placeholder"}),
    job("e", "Failed", failure={"reason": "BACKEND_UNAVAILABLE"}, spec={"modelType": "reconviagen"}),
]


def test_queues_come_from_the_metrics_and_else_from_jobs() -> None:
    measured = (Queue("gpu", 2, 0, 5, 1), Queue("gpu-high", 2, 0, 0, 1), Queue("other", None, None, 1))
    assert queues_of(Snapshot(JOBS, True, Operator(NAMESPACE, metrics=Metrics(queues=measured)))) == [
        *measured[:2],
        Queue("typo", 0, None, 1, 0),
    ]


def test_without_metrics_workers_are_unknown_unless_a_status_has_the_reason() -> None:
    assert queues_of(Snapshot(JOBS, True, Operator(NAMESPACE))) == [
        Queue("gpu", None, None, 1, 0),
        Queue("gpu-high", None, None, 0, 1),
        Queue("typo", 0, None, 1, 0),
    ]


def test_models_are_counted_by_the_outcomes_of_their_jobs() -> None:
    queues = (
        Queue("gpu", 2, models=("photogrammetry", "splats")),
        Queue("gpu-high", 2, models=("photogrammetry", "splats")),
    )
    assert model_uses(JOBS, queues) == [
        ModelUse("photogrammetry", ("gpu", "typo"), 1, 2, 0, 0, 0, 0, ("gpu",)),
        ModelUse("placeholder", ("celery",), 0, 0, 1, 0, 1, 0),
        ModelUse("reconviagen", ("celery",), 0, 0, 0, 1, 0, 1),
        ModelUse("splats", (), 0, 0, 0, 0, 0, 0, ("gpu",)),
    ]
