from kubectl_recon.commands.installation.workers import ModelUse, Queue, Snapshot, model_uses, queues_of
from reconstruction_operator.contract.info import InstallationInfo, Workers
from reconstruction_operator.contract.installation import Installation

from tests.support.plugin import job

JOBS = [
    job("a", "Running", spec={"queue": "gpu", "priority": "high"}),
    job("b", "Queued", spec={"queue": "gpu"}),
    job("c", "Pending", spec={"queue": "typo"}, conditions={"Dispatched": ("False", "QueueUnserved")}),
    job("d", "Succeeded", verdict="Simulated", spec={"modelType": "placeholder"}),
    job("e", "Failed", failure={"reason": "BACKEND_UNAVAILABLE"}, spec={"modelType": "reconviagen"}),
]
SCHEMA = {"properties": {"quality": {}, "faces": {}}}
MODELS = {"photogrammetry": {"version": "1.2", "parameters": SCHEMA}, "splats": {}}
INSTALLATION = Installation(InstallationInfo(workers=(Workers(("gpu", "gpu-high"), 2, MODELS),), complete=True))


def test_queues_have_the_published_workers_and_the_jobs_that_the_user_sees() -> None:
    having = ("photogrammetry", "splats")
    assert queues_of(Snapshot(JOBS, "", INSTALLATION)) == [
        Queue("gpu", 2, 1, 0, having),
        Queue("gpu-high", 2, 0, 1, having),
        Queue("typo", 0, 1, 0),
    ]
    unknown = queues_of(Snapshot(JOBS, "", Installation(missing="none")))
    assert [queue.workers for queue in unknown] == [None] * 3


def test_models_are_counted_by_the_outcomes_of_their_jobs() -> None:
    assert model_uses(JOBS, INSTALLATION) == [
        ModelUse("photogrammetry", ("gpu", "typo"), 1, 2, 0, 0, 0, 0, ("gpu",), ("1.2",), ("faces", "quality")),
        ModelUse("placeholder", ("celery",), 0, 0, 1, 0, 1, 0),
        ModelUse("reconviagen", ("celery",), 0, 0, 0, 1, 0, 1),
        ModelUse("splats", (), 0, 0, 0, 0, 0, 0, ("gpu",)),
    ]
