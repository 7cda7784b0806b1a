"""Queue facts: what is known before, between and after readings."""

from __future__ import annotations

from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning.types import Queue


def test_a_queue_counts_as_served_until_the_first_reading() -> None:
    facts = QueueFacts()
    assert facts.of("celery").workers > 0

    facts.update({"gpu": 2}, {})
    assert (facts.of("celery"), facts.of("gpu")) == (Queue(workers=0, waiting=0), Queue(workers=2, waiting=0))


def test_sent_messages_are_counted_until_the_next_reading() -> None:
    facts = QueueFacts()
    facts.sent("celery")
    facts.sent("celery")
    assert facts.of("celery").waiting == 2

    facts.update({}, {"celery": 1})
    assert facts.of("celery").waiting == 1
