"""The hardened transport on a real Redis."""

import pytest
import redis
from kombu.connection import Connection
from kombu.entity import Queue
from reconstruction_operator import config
from reconstruction_operator.broker import transport

A_FEW_SECONDS = 20


def test_acknowledging_on_a_closed_connection_is_a_connection_error(redis_url: str) -> None:
    transport.install()
    connection = Connection(redis_url)
    with connection.channel() as channel:
        queue = Queue("late", channel=channel)
        queue.declare()
        connection.Producer(channel).publish({}, routing_key="late", exchange="")
        message = queue.get()
        assert message is not None
        connection.release()  # as a worker does before it connects again
        channel._pool = None  # and what the channel had is closed

        with pytest.raises(connection.connection_errors, match="was closed"):
            message.ack()


@pytest.mark.parametrize("key", ["unacked", "unacked_index"])
def test_a_message_is_taken_and_acknowledged_although_a_key_had_another_type(key: str, broker: redis.Redis) -> None:
    transport.install()
    taken = []
    with Connection(config.settings.CELERY_BROKER_URL) as connection:
        connection.SimpleQueue("celery").put({})
        broker.set(key, "of another type")
        with connection.Consumer(
            [Queue("celery")], callbacks=[lambda _, message: taken.append(message)], accept=["json"]
        ):
            connection.drain_events(timeout=A_FEW_SECONDS)
        assert (broker.type("unacked"), broker.type("unacked_index")) == ("hash", "zset")
        taken[0].ack()

    assert len(taken) == 1
    assert not broker.exists("unacked", "unacked_index")


@pytest.mark.parametrize("left", [{}, {"tag": 0.0}], ids=["all-done", "the-first-command-alone"])
def test_an_acknowledged_message_is_not_restored(broker: redis.Redis, left: dict[str, float]) -> None:
    transport.install()
    with Connection(config.settings.CELERY_BROKER_URL) as connection, connection.channel() as channel:
        if left:
            broker.zadd("unacked_index", left)
        channel.qos.restore_visible()

    assert not broker.exists("unacked", "unacked_index", "celery")


def test_headers_that_act_on_the_main_process_are_dropped(broker: redis.Redis) -> None:
    transport.install()
    hostile = {"timelimit": ["x", {}], "stamped_headers": 5, "stamps": "x", "task": "reconstruction.process"}
    with Connection(config.settings.CELERY_BROKER_URL) as connection, connection.channel() as channel:
        connection.SimpleQueue("celery").put("a" * 1000, headers=hostile, compression="gzip")
        sent = str(broker.lindex("celery", 0))
        message = Queue("celery", channel=channel).get()

    assert '"compression"' in sent
    assert message is not None
    assert message.headers == {"task": "reconstruction.process"}
    assert len(message.body) < 100  # not unpacked
