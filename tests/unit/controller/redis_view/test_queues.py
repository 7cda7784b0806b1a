"""Queue facts: what is known before, between and after readings."""

from __future__ import annotations

from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning.types import Queue

from tests.support.controller.dispatch import read
from tests.support.jobs import make_key


def test_a_queue_counts_as_served_until_the_first_reading() -> None:
    facts = QueueFacts()
    assert (facts.of("celery").workers > 0, facts.known) == (True, False)

    read(facts, "gpu")
    assert (facts.of("celery"), facts.of("gpu")) == (Queue(workers=0), Queue(workers=1))
    facts.forget()  # a new tenure
    assert (facts.of("celery").workers, facts.known) == (0, False)


def test_sent_messages_are_counted_until_the_next_reading() -> None:
    facts = QueueFacts()
    facts.sent("celery", 1_500)
    facts.sent("celery", 500)
    assert (facts.messages["celery"], facts.bytes["celery"]) == (2, 2_000)

    read(facts, celery=1)
    assert (facts.messages["celery"], facts.bytes["celery"]) == (1, 2_000)


def test_a_message_sent_and_taken_between_two_readings_no_longer_counts() -> None:
    facts = QueueFacts()
    facts.sent("celery", 1_500, make_key("read"))
    read(facts, celery=1)
    facts.sent("celery", 500, make_key("new"))

    facts.taken(make_key("read"))  # the reading may have missed it already
    assert (facts.messages["celery"], facts.bytes["celery"]) == (2, 2_500)
    facts.taken(make_key("new"))
    facts.taken(make_key("new"))
    assert (facts.messages["celery"], facts.bytes["celery"]) == (1, 2_000)
