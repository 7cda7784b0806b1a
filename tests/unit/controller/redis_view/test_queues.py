from collections.abc import Sequence
from typing import Any, cast

import fakeredis
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.loop.cache import Store
from reconstruction_operator.controller.redis_view.observer import QueueFacts
from reconstruction_operator.controller.redis_view.queues import QueueWatch
from reconstruction_operator.planning.types import Queue


def test_before_the_first_reading_nobody_is_warned_that_no_worker_listens() -> None:
    assert QueueFacts().of("celery").workers > 0


def test_a_queue_without_workers_is_one_once_it_was_read() -> None:
    facts = QueueFacts(workers={"gpu": 2})
    assert (facts.of("celery"), facts.of("gpu")) == (Queue(workers=0, waiting=0), Queue(workers=2, waiting=0))


def test_what_was_sent_waits_until_the_next_reading() -> None:
    facts = QueueFacts()
    facts.sent("celery")
    facts.sent("celery")
    assert facts.of("celery").waiting == 2


class _Broker:
    """What an Actor says of the queues."""

    def __init__(self, **lengths: int) -> None:
        self.lengths = lengths

    async def queue_lengths(self, queues: Sequence[str]) -> dict[str, int]:
        return {queue: self.lengths.get(queue, 0) for queue in queues}


async def test_an_order_to_delete_files_is_counted_where_no_job_waits_until_it_is_taken() -> None:
    """Or it would be taken for lost, and sent again and again."""
    facts, broker = QueueFacts(), _Broker(celery=3)
    async with fakeredis.FakeAsyncRedis(decode_responses=True) as state:
        watch = QueueWatch(
            state,
            cast("Any", broker),
            facts,
            Store(),
            keys=Keys(),
            more=set,
            leading=lambda: True,
            room=lambda: None,
        )
        await watch.read()
        assert facts.of("celery").waiting == 0  # nobody asks
        facts.sent("celery")
        for taken in range(3):
            broker.lengths["celery"] = 3 - taken
            await watch.read()
            assert facts.of("celery").waiting == 3 - taken
        broker.lengths.clear()
        await watch.read()
    assert facts.waiting == {"celery": 0}
