"""Failures: the reason and message for each exception."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError, failure_of


@pytest.mark.parametrize(
    ("error", "reason", "text"),
    [
        pytest.param(ModelFailure("LOW_TEXTURE", "3 of 9"), "LOW_TEXTURE", "3 of 9", id="model"),
        pytest.param(StorageError("INPUT_REFUSED", "not there"), "INPUT_REFUSED", "not there", id="input"),
        pytest.param(OSError(errno.ENOSPC, "No space"), "DISK_FULL", "MB are left at ", id="full-disk"),
        pytest.param(OSError(errno.EDQUOT, "Quota"), "DISK_FULL", "quota of the job volume is used up", id="quota"),
        pytest.param(OSError(errno.ENOSPC, "No space", "/dev/shm/x"), "WORKER_ERROR", "not the job volume", id="shm"),
        pytest.param(MemoryError(), "OUT_OF_MEMORY", "worker's own process", id="memory"),
        pytest.param(
            PermissionError(errno.EACCES, "Permission denied", "/jobs/x"),
            "WORKER_ERROR",
            "may not use /jobs/x: Permission denied",
            id="permission",
        ),
        pytest.param(OSError(errno.EROFS, "Read-only", "/jobs"), "WORKER_ERROR", "/jobs: Read-only", id="read-only"),
        pytest.param(ZeroDivisionError("division"), "WORKER_ERROR", "ZeroDivisionError: division", id="defect"),
        pytest.param(StorageError("X", "a" * 5000), "X", "a" * 1000, id="long-message"),
    ],
)
def test_an_exception_becomes_a_reason_and_a_bounded_message(
    error: Exception, reason: str, text: str, tmp_path: Path
) -> None:
    failure = failure_of(error, tmp_path)
    assert failure.reason == reason
    assert text in failure.message
    assert len(failure.message) <= 1000


def test_a_failure_holds_only_plain_text() -> None:
    error = ReconstructionFailedError("LOW_TEXTURE", "3 of 9")
    assert (error.args, str(error)) == (("LOW_TEXTURE", "3 of 9"), "LOW_TEXTURE: 3 of 9")
