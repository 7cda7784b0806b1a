"""kombu's transport as ours: what a worker's connection meets on a real Redis."""

import pytest
from kombu import Connection, Queue
from reconstruction_operator.broker import transport

pytestmark = pytest.mark.real


def test_a_message_of_a_closed_connection_that_is_acknowledged_late_is_an_error_of_the_connection(
    redis_url: str,
) -> None:
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
