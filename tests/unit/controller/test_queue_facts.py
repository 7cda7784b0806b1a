from reconstruction_operator.controller.observing import QueueFacts
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
