import pytest
from kubectl_recon.installation.metrics import Queue, parse
from prometheus_client import generate_latest
from reconstruction_operator.telemetry import metrics

TEXT = """\
# TYPE reconstruction_leader gauge
reconstruction_leader 1.0
# TYPE reconstruction_workers gauge
reconstruction_workers{queue="celery"} 2.0
reconstruction_workers{queue="gpu"} 0.0
# TYPE reconstruction_worker_models gauge
reconstruction_worker_models{queue="celery",model="placeholder"} 2.0
reconstruction_worker_models{queue="celery",model="photogrammetry"} 1.0
# TYPE reconstruction_queue_length_messages gauge
reconstruction_queue_length_messages{queue="celery"} 7.0
# TYPE reconstruction_queue_jobs gauge
reconstruction_queue_jobs{queue="celery",phase="Running"} 3.0
reconstruction_queue_jobs{queue="celery",phase="Cancelling"} 1.0
reconstruction_queue_jobs{queue="celery",phase="Queued"} 7.0
reconstruction_queue_jobs{queue="celery",phase="Pending"} 40.0
# TYPE reconstruction_waiting_for_room_jobs gauge
reconstruction_waiting_for_room_jobs{queue="celery"} 40.0
# TYPE reconstruction_redis_up gauge
reconstruction_redis_up 0.0
# TYPE reconstruction_held_orphan_records gauge
reconstruction_held_orphan_records 30.0
# TYPE reconstruction_build_info gauge
reconstruction_build_info{version="0.1.0"} 1.0
"""


def test_queues_and_state_are_parsed() -> None:
    metrics_ = parse(TEXT)
    assert metrics_.queues == (Queue("celery", 2, 7, 47, 4, 40, ("photogrammetry", "placeholder")), Queue("gpu", 0))
    assert (metrics_.leader, metrics_.redis_up, metrics_.deletions_held, metrics_.version) == (
        True,
        False,
        True,
        "0.1.0",
    )
    assert metrics_.queue("nowhere") is None


def test_the_operators_real_metrics_are_parsed() -> None:
    found = parse(generate_latest(metrics.REGISTRY).decode())
    assert found.leader in (True, False)
    assert found.pending_writes == 0


@pytest.mark.parametrize("text", ["", "<html>", "up 1\n"])
def test_metrics_of_another_program_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(text)
