"""The hardened transport on a real Redis."""

import pytest
from kombu import Connection, Queue
from reconstruction_operator.broker import transport


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
