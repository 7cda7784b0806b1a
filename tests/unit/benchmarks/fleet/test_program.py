import base64
import json

from celery import Celery

from benchmarks.fleet.program import Run, parse_message


def test_a_message_is_read_as_kombu_keeps_it_in_redis() -> None:
    app = Celery("sender", set_as_current=False)
    job = {"version": 1, "attempt": 2, "name": "brief-1"}
    message = app.amqp.as_task_v2("uid-2", "reconstruction.process", ("uid", "placeholder"), {"job": job})
    body = base64.b64encode(json.dumps(message.body).encode()).decode()
    kept = json.dumps({"body": body, "headers": message.headers, "properties": {"body_encoding": "base64"}})
    assert parse_message(kept) == ("uid", {"job": job}, "reconstruction.process", "uid-2")


def test_progress_follows_the_time_and_stays_below_100_until_the_end() -> None:
    run = Run("uid", "uid-1", 1, seconds=10.0, begun=100.0)
    assert [run.percent(at) for at in (100.0, 105.0, 109.99, 120.0)] == [0, 50, 99, 99]


def test_a_run_without_duration_has_no_progress() -> None:
    assert Run("uid", "uid-1", 1, seconds=0.0, begun=100.0).percent(100.0) == 0
