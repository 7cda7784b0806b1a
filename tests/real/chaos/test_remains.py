"""Messages that fault runs find in the broker, sent by the operator and taken by a worker."""

import uuid

import pytest
import redis
from celery import Celery
from kombu import Connection, Queue
from reconstruction_operator.broker.dispatch import Dispatcher, cleanup_message

from chaos.witnesses import remains
from tests.support.settings import configure


def test_messages_are_found_by_job_until_they_are_acknowledged(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, CELERY_BROKER_URL=redis_url)
    waits, taken = str(uuid.uuid4()), str(uuid.uuid4())
    broker = redis.Redis.from_url(redis_url)
    sender = Dispatcher()
    sender.send([cleanup_message(taken, queue="celery")])
    sender.send([cleanup_message(waits, queue="celery-low")])

    with Connection(redis_url) as connection:
        message = Queue("celery", channel=connection.channel()).get()
        assert message is not None
        assert remains.messages(broker) == {waits: ["the queue celery-low"], taken: ["unacked"]}
        assert remains.dangling_tags(broker) == []

        broker.delete("unacked")
        assert len(remains.dangling_tags(broker)) == 1
    sender.close()
    broker.close()


def test_message_requeued_with_a_fast_clock_is_not_counted(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, CELERY_BROKER_URL=redis_url)
    soon, late = str(uuid.uuid4()), str(uuid.uuid4())
    app = Celery(broker=redis_url, set_as_current=False)
    with redis.Redis.from_url(redis_url) as broker:
        app.send_task("reconstruction.process", args=(soon,), task_id=f"{soon}-1", countdown=20)
        app.send_task("reconstruction.process", args=(late,), task_id=f"{late}-1", countdown=200)

        assert remains.messages(broker) == {soon: ["the queue celery"]}
    app.close()
