"""Model process: its messages if the worker does not read them. Its outcomes: tests/integration/worker/model."""

from __future__ import annotations

import errno
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from reconstruction_operator.models import child, exchange
from reconstruction_operator.models.exchange import ExitMessage, ModelMessage
from reconstruction_operator.models.interface import Photo, Result, Work


class Pipe:
    """Both ends of a pipe, in this process."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def messages(self) -> list[ModelMessage | None]:
        """All lines that were written; closes the pipe."""
        os.close(self.writing)
        with os.fdopen(self.reading, "rb") as lines:
            return [exchange.decode(line) for line in lines]

    def fill(self) -> int:
        """Write long lines until the pipe takes no more; returns their number."""
        lines = 0
        while select.select([], [self.writing], [], 0)[1]:
            os.write(self.writing, b"\n".rjust(select.PIPE_BUF))
            lines += 1
        return lines


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    return Pipe()


@pytest.mark.parametrize("name", ["/dev/shm/big", None])
def test_a_full_file_system_that_is_not_the_job_volume_is_no_full_job_volume(name: str | None, tmp_path: Path) -> None:
    error = OSError(errno.ENOSPC, "No space left on device", name)

    assert child._disk_full(error, tmp_path).reason == "WORKER_ERROR"


@pytest.mark.parametrize(("count", "text"), [(1, "with 1 photo"), (2, "with 2 photos")])
@pytest.mark.usefixtures("rough_models")
def test_a_model_without_memory_fails_with_the_number_of_photos(tmp_path: Path, count: int, text: str) -> None:
    work = Work((Photo(tmp_path / "a.jpg", 64, 48, 9),) * count, tmp_path, tmp_path, {}, 1)
    outcome = child._outcome(exchange.RunRequest("rough-memory", work, 1.0), lambda *_, **__: None)
    assert outcome == exchange.FailureMessage("OUT_OF_MEMORY", f"the model ran out of memory {text}")


@pytest.mark.parametrize("patient", [pytest.param(False, id="progress-at-once"), pytest.param(True, id="an-outcome")])
def test_a_message_is_dropped_if_the_worker_does_not_read(pipe: Pipe, *, patient: bool) -> None:
    filled = pipe.fill()

    child._send(pipe.writing, ExitMessage(0), patient=patient, patience_seconds=0.05 if patient else 60.0)

    assert pipe.messages() == [None] * filled


def test_an_outcome_waits_until_the_worker_reads(pipe: Pipe) -> None:
    pipe.fill()
    outcome = Result(quality={"note": "x" * 1_000})
    sender = threading.Thread(target=child._send, args=(pipe.writing, outcome), kwargs={"patient": True})
    sender.start()
    reader = os.dup(pipe.reading)
    with os.fdopen(reader, "rb", buffering=0) as lines:
        while sender.is_alive():
            if select.select([lines], [], [], 0.01)[0]:
                read = lines.read(1 << 20)
    sender.join()

    rest = pipe.messages()
    assert outcome in [exchange.decode(line) for line in read.splitlines()] + rest


def test_sending_to_a_worker_that_has_exited_is_not_an_error(pipe: Pipe) -> None:
    os.close(pipe.reading)

    child._send(pipe.writing, ExitMessage(0), patient=True)

    os.close(pipe.writing)
