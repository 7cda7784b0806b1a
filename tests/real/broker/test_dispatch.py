"""Dispatch: messages as a real Celery worker consumes them, and an outage of the broker."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from reconstruction_operator import config
from reconstruction_operator.broker import celery_settings, dispatch
from reconstruction_operator.broker.backlog import BacklogReader
from reconstruction_operator.broker.dispatch import Dispatcher, Message, SendError
from reconstruction_operator.contract.envelope import Envelope

from devcluster import Redis
from tests.support.refs import make_attempt
from tests.support.settings import configure

DEADLINE_SECONDS = 120
# A failure may take two tries of the tuned timeout; the machine may be slow on top.
A_FEW_SECONDS = 20


@pytest.fixture
def dispatcher(redis_settings: None) -> Iterator[Dispatcher]:
    sender = Dispatcher()
    yield sender
    sender.close()


def message(number: int = 1, *, queue: str = "celery") -> Message:
    envelope = Envelope(make_attempt(f"job-{number}", 2, queue), input_uri="file:///photos")
    return Message(envelope, "photogrammetry")


def waiting(broker: redis.Redis, queue: str = "celery") -> list[dict[str, Any]]:
    """The messages of a queue, oldest first."""
    return [json.loads(text) for text in reversed(broker.lrange(queue, 0, -1))]


def body(sent: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(sent["body"]))


def test_a_message_is_what_apply_async_would_send(dispatcher: Dispatcher, broker: redis.Redis) -> None:
    sent = message()
    assert sent.envelope is not None
    dispatcher.send([sent])
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_settings.settings(), result_backend=None)

    @app.task(name="reconstruction.process", bind=True, shared=False)  # of this application alone
    def process(self: Any, job_id: str, model_type: str, job: Any = None) -> None:
        pytest.fail("this task is only sent")

    process.apply_async(
        args=("job-1", "photogrammetry"), kwargs={"job": sent.envelope.to_json()}, task_id="job-1-2", queue="celery"
    )
    app.close()
    ours, theirs = waiting(broker)
    assert body(ours) == body(theirs) == [["job-1", "photogrammetry"], {"job": sent.envelope.to_json()}, _EMBED]
    of_each_sending = {"origin", "ignore_result"}
    assert _without(ours["headers"], of_each_sending) == _without(theirs["headers"], of_each_sending)
    assert ours["headers"]["id"] == ours["properties"]["correlation_id"] == "job-1-2"
    assert (ours["content-type"], ours["content-encoding"]) == ("application/json", "utf-8")


_EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def _without(mapping: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names}


def test_an_order_to_delete_files_is_sent_like_a_job(dispatcher: Dispatcher, broker: redis.Redis) -> None:
    dispatcher.send([dispatch.CleanUp(make_attempt("job-1", queue="gpu"))])
    (sent,) = waiting(broker, "gpu")
    assert sent["headers"]["task"] == "reconstruction.cleanup"
    assert sent["headers"]["ignore_result"] is True
    assert body(sent)[:2] == [["job-1"], {}]


def test_a_thousand_messages_keep_their_order(dispatcher: Dispatcher, broker: redis.Redis) -> None:
    dispatcher.send([message(number) for number in range(1_000)])
    assert [sent["headers"]["id"] for sent in waiting(broker)] == [f"job-{number}-2" for number in range(1_000)]


def test_sending_subscribes_to_no_result(
    dispatcher: Dispatcher, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "CELERY_RESULT_BACKEND", config.settings.CELERY_RESULT_BACKEND
    )  # Celery reads it beside our settings
    broker.config_resetstat()
    dispatcher.send([message()])
    # Not the current subscriptions: Celery ends one as soon as its result is garbage-collected.
    assert {"cmdstat_lpush", "cmdstat_subscribe"} & set(broker.info("commandstats")) == {"cmdstat_lpush"}


def test_a_queue_that_redis_refuses_delays_no_other(broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    broker.execute_command("ACL", "SETUSER", "narrow", "on", "nopass", "~celery*", "~_kombu.binding*", "&*", "+@all")
    try:
        configure(monkeypatch, CELERY_BROKER_URL=config.settings.CELERY_BROKER_URL.replace("//", "//narrow:x@"))
        dispatcher = Dispatcher()
        refused = dispatcher.send([message(1), message(2, queue="gpu"), message(3), message(4, queue="celery-low")])
        dispatcher.close()
    finally:
        broker.execute_command("ACL", "DELUSER", "narrow")
    assert list(refused) == ["gpu"]
    assert refused["gpu"].startswith("Redis refuses messages to the queue gpu: ")
    assert (broker.llen("celery"), broker.llen("celery-low"), broker.llen("gpu")) == (2, 1, 0)


@pytest.mark.parametrize("key", ["celery", "_kombu.binding.celery", "_kombu.binding_permanent.celery"])
def test_a_key_of_another_type_is_replaced(key: str, dispatcher: Dispatcher, broker: redis.Redis) -> None:
    broker.set(key, "another application's")
    assert dispatcher.send([message()]) == {}
    assert broker.llen("celery") == 1


def test_a_malformed_job_id_sends_nothing_at_all(dispatcher: Dispatcher, broker: redis.Redis) -> None:
    bad = Message(Envelope(make_attempt("../x")), "m")
    with pytest.raises(ValueError, match="job id"):
        dispatcher.send([message(), bad])
    assert broker.llen("celery") == 0


def test_nothing_to_send_needs_no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    dispatcher = Dispatcher()
    assert dispatcher.send([]) == {}


def test_every_key_of_the_broker_has_the_prefix(broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, REDIS_KEY_PREFIX="team-a:")
    dispatcher = Dispatcher()
    dispatcher.send([message()])
    assert broker.llen("team-a:celery") == 1
    assert [key for key in broker.keys("*") if not key.startswith("team-a:")] == []
    dispatcher.close()


@pytest.mark.parametrize("how", ["gone", "hanging"])
@pytest.mark.parametrize("connected", [True, False], ids=["connected", "not-connected"])
def test_an_outage_of_the_broker_raises_within_seconds_and_passes(
    dispatcher: Dispatcher, redis_server: Redis, how: str, connected: bool
) -> None:
    if connected:
        dispatcher.send([message(1)])
    if how == "gone":
        redis_server.kill()
    else:
        redis_server.pause()
    for _ in range(2):
        started = time.monotonic()
        with pytest.raises(SendError, match="the broker was not reached"):
            dispatcher.send([message(2)])
        assert time.monotonic() - started < A_FEW_SECONDS
    if how == "gone":
        redis_server.start()
    else:
        redis_server.resume()
        redis_server.flushall()
    dispatcher.send([message(3)])
    assert BacklogReader().measure(["celery"]).messages["celery"] >= 1


_WORKER = """
import pathlib, sys
from celery import Celery
from reconstruction_operator.broker import celery_settings
app = Celery("reconstruction_operator")
app.conf.update(celery_settings.settings(), imports=())
@app.task(name="reconstruction.process", bind=True)
def process(self, job_id, model_type="reconviagen", job=None):
    queue, number = self.request.delivery_info["routing_key"], job["attempt"]["number"]
    line = f"{self.request.id} {queue} {job_id} {model_type} {number}"
    with pathlib.Path(sys.argv[1]).open("a") as file:
        file.write(line + "\\n")
app.worker_main(["worker", "--pool=solo", "--loglevel=WARNING", "--without-gossip", "--without-mingle"])
"""


def test_a_plain_worker_consumes_high_before_normal_before_low(
    dispatcher: Dispatcher, broker: redis.Redis, tmp_path: Path
) -> None:
    queues = ["celery-low", "celery", "celery-high"] * 3
    dispatcher.send([message(number, queue=queue) for number, queue in enumerate(queues)])
    taken = tmp_path / "taken"
    taken.touch()
    environment = os.environ | {
        "CELERY_BROKER_URL": config.settings.CELERY_BROKER_URL,
        "CELERY_RESULT_BACKEND": config.settings.CELERY_RESULT_BACKEND,
    }
    worker = subprocess.Popen([sys.executable, "-c", _WORKER, str(taken)], env=environment)
    try:
        lines = _wait_for_lines(taken, len(queues), worker)
    finally:
        worker.terminate()
        worker.wait(DEADLINE_SECONDS)
    assert [line.split()[1] for line in lines] == ["celery-high"] * 3 + ["celery"] * 3 + ["celery-low"] * 3
    assert lines[0].split() == ["job-2-2", "celery-high", "job-2", "photogrammetry", "2"]
    assert broker.hlen("unacked") == 0


def _wait_for_lines(file: Path, count: int, worker: subprocess.Popen[bytes]) -> list[str]:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        lines = file.read_text().splitlines()
        if len(lines) >= count:
            return lines
        assert worker.poll() is None, f"the worker ended with {worker.returncode} after {lines}"
        time.sleep(0.05)
    pytest.fail(f"after {DEADLINE_SECONDS} s the worker had taken {lines}, not {count} messages")
