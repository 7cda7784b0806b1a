"""Progress sender: which reports are sent, when, and that no run waits for them."""

from __future__ import annotations

import threading
from dataclasses import replace

from reconstruction_operator.worker.attempt.progress import Meta, Pauses, ProgressSender

_PATIENCE_SECONDS = 30.0
_FAR_SECONDS = 3_600.0  # no test takes so long
HURRY = Pauses(first=0.0, within_step=0.0, after_error=0.0)


class Gate:
    """A backend whose sends wait until `open` is set."""

    def __init__(self) -> None:
        self.sent: list[Meta] = []
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        self.left = threading.Semaphore(0)

    def send(self, meta: Meta) -> None:
        self.entered.release()
        assert self.open.wait(10 * _PATIENCE_SECONDS)
        self.sent.append(meta)
        self.left.release()

    def wait(self) -> None:
        """Wait for the next send to begin."""
        assert self.entered.acquire(timeout=_PATIENCE_SECONDS)


def steps(*numbers: int) -> list[Meta]:
    return [{"step": number} for number in numbers]


def test_kept_reports_are_sent_in_order_at_any_rate() -> None:
    sent: list[Meta] = []
    with ProgressSender(sent.append, flush=True, pauses=HURRY) as sender:
        for meta in steps(*range(6)):
            sender.offer(meta, keep=True)
    assert sent == steps(*range(6))


def test_a_step_is_sent_at_once_after_a_report_of_the_last_one() -> None:
    gate = Gate()
    gate.open.set()
    with ProgressSender(gate.send, flush=False, pauses=replace(HURRY, within_step=_FAR_SECONDS)) as sender:
        sender.offer({"percent": 1}, keep=False)
        gate.wait()
        sender.offer({"step": 2}, keep=True)
        gate.wait()
    assert gate.sent == [{"percent": 1}, {"step": 2}]


def test_within_a_step_only_the_latest_report_is_sent() -> None:
    gate = Gate()
    with ProgressSender(gate.send, flush=False, pauses=HURRY) as sender:
        sender.offer({"step": 1}, keep=True)
        gate.wait()
        for percent in range(100):
            sender.offer({"percent": percent}, keep=False)
        gate.open.set()
        gate.wait()
    assert gate.sent == [{"step": 1}, {"percent": 99}]


def test_reports_within_a_step_have_a_limited_rate() -> None:
    gate = Gate()
    gate.open.set()
    with ProgressSender(gate.send, flush=False, pauses=replace(HURRY, within_step=_FAR_SECONDS)) as sender:
        sender.offer({"percent": 1}, keep=False)
        gate.wait()
        sender.offer({"percent": 2}, keep=False)
        assert not gate.entered.acquire(timeout=0.1)
    assert gate.sent == [{"percent": 1}]


def test_offer_and_end_wait_for_no_hanging_backend() -> None:
    gate = Gate()
    with ProgressSender(gate.send, flush=False, pauses=replace(HURRY, last=0.1)) as sender:
        sender.offer({"step": -1}, keep=True)
        gate.wait()
        for meta in steps(*range(1000)):
            sender.offer(meta, keep=True)
    assert gate.sent == []
    gate.open.set()


def test_a_hanging_send_is_the_last() -> None:
    gate = Gate()
    with ProgressSender(gate.send, flush=True, pauses=replace(HURRY, last=0.0)) as sender:
        sender.offer({"step": 0}, keep=True)
        gate.wait()
        for meta in steps(1, 2, 3):
            sender.offer(meta, keep=True)
    gate.open.set()
    sender._thread.join(_PATIENCE_SECONDS)
    assert gate.sent == steps(0)


def test_kept_reports_are_retried_until_they_arrive() -> None:
    sent: list[Meta] = []
    tries: list[Meta] = []
    arrived = threading.Event()

    def send(meta: Meta) -> None:
        tries.append(meta)
        if len(tries) < 3:
            raise OSError("no backend")
        sent.append(meta)
        arrived.set()

    with ProgressSender(send, flush=True, pauses=HURRY) as sender:
        sender.offer({"step": 0}, keep=True)
        assert arrived.wait(_PATIENCE_SECONDS)
        sender.offer({"step": 1}, keep=True)
    assert sent == steps(0, 1)


def test_unsent_reports_are_tried_once_more_at_the_end() -> None:
    tries: list[Meta] = []

    def send(meta: Meta) -> None:
        tries.append(meta)
        raise OSError("no backend")

    with ProgressSender(send, flush=True, pauses=replace(HURRY, first=_FAR_SECONDS)) as sender:
        for meta in steps(0, 1):
            sender.offer(meta, keep=True)
    assert tries == steps(0)


def test_an_attempt_that_ends_at_once_sends_nothing() -> None:
    gate = Gate()
    with ProgressSender(gate.send, flush=False, pauses=replace(HURRY, first=_FAR_SECONDS)) as sender:
        sender.offer({"step": 0}, keep=True)
        assert not gate.entered.acquire(timeout=0.1)
    assert not gate.entered.acquire(blocking=False)
