"""Withdrawal process: its results and errors, and what happens if it hangs, is slow or dies."""

from __future__ import annotations

import contextlib
import select
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.transfer import programs
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.programs import Program
from reconstruction_operator.transfer.runs import DeliveringRun
from reconstruction_operator.worker import withdrawal
from reconstruction_operator.worker.withdrawal import HungFolders, Withdrawal, Withdrawals

from devcluster.files import CHECKOUT
from tests.support.refs import make_attempt

pytestmark = pytest.mark.usefixtures("jobs_dir")

LONG_SECONDS = 60.0


@pytest.fixture(autouse=True)
def _programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs can be modules of the tests."""
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT / "tests" / "data" / "programs"))


class Clock:
    """Monotonic time that a test moves on."""

    def __init__(self) -> None:
        self.seconds = 1.0

    def __call__(self) -> float:
        return self.seconds


def copy_at(path: Path) -> Withdrawal:
    return Withdrawal(f"file://{path}", DeliveringRun(make_attempt(), None))


def children() -> list[psutil.Process]:
    """Return the withdrawal processes: other children are servers of other tests, which must not be killed."""
    running = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if {withdrawal.__name__, "stuck_deletion", "slow_deletion"} & set(child.cmdline()):
                running.append(child)
    return running


def stage(meshes: Path) -> None:
    """Make a partial delivery of the job."""
    (meshes / f".job.1.{'0' * 32}.partial").mkdir()


def test_partial_deliveries_are_deleted_and_no_process_is_left(meshes: Path) -> None:
    stage(meshes)
    Withdrawals().perform(copy_at(meshes / "banana"))
    assert list(meshes.iterdir()) == []
    assert children() == []


def test_errors_of_the_process_are_raised(meshes: Path, tmp_path: Path) -> None:
    stage(meshes)
    with pytest.raises(StorageError, match="OUTPUT_REFUSED"):
        Withdrawals().perform(copy_at(tmp_path / "elsewhere"))
    superseded = Withdrawal(f"file://{meshes}/x", DeliveringRun(make_attempt(), tmp_path / "gone"))
    with pytest.raises(SupersededError):
        Withdrawals().perform(superseded)


def test_an_interrupted_withdrawal_leaves_no_process(meshes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patch:
        patch.setattr(select, "select", interrupt)  # a signal arrives in this call
        with pytest.raises(SoftTimeLimitExceeded):
            Withdrawals().perform(copy_at(meshes / "banana"))
    assert children() == []


def test_only_the_mount_of_a_hung_withdrawal_is_skipped_for_five_minutes(meshes: Path) -> None:
    clock = Clock()
    hung = HungFolders(monotonic=clock)
    stuck = Withdrawals("stuck_deletion", idle_seconds=0.1, hung=hung)
    with pytest.raises(
        TimeoutError, match=f"file://{meshes}/dead/banana: no progress for 0 s: see whether its disk responds"
    ):
        stuck.perform(copy_at(meshes / "dead" / "banana"))
    assert children() == []
    withdrawals = Withdrawals(hung=hung)
    with pytest.raises(TimeoutError, match="is skipped for now"):
        withdrawals.perform(copy_at(meshes / "dead" / "apple"))
    withdrawals.perform(copy_at(meshes / "living" / "apple"))
    clock.seconds += 301.0
    assert hung.above(meshes / "dead" / "apple") is None


def test_a_slow_withdrawal_that_makes_progress_is_no_hung_mount(meshes: Path) -> None:
    """A tenant may have filled its own staging directory with any number of files."""
    slow = Withdrawals("slow_deletion", seconds=6.0, idle_seconds=3.0)
    with pytest.raises(TimeoutError, match="no answer within 6 s"):
        slow.perform(copy_at(meshes / "banana"))
    assert slow.hung.above(meshes / "banana") is None
    assert children() == []


def test_the_process_gets_no_secret_and_ends_with_its_worker(meshes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://:secret@localhost:6379/0")
    child = Program.start(withdrawal.__name__)
    assert child.process.stdin is not None
    assert "secret" not in str(psutil.Process(child.process.pid).environ())
    child.process.stdin.close()  # as the kernel does when the worker is killed
    assert child.process.wait(LONG_SECONDS) is not None
    child.end()
    assert meshes.exists()


def test_a_process_that_dies_is_an_error(meshes: Path) -> None:
    with pytest.raises(OSError, match="the program no_such_program exited with code 1"):
        Withdrawals("no_such_program").perform(copy_at(meshes / "banana"))


def test_a_process_that_cannot_be_killed_is_left_behind_and_logged(
    meshes: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a process in an uninterruptible call. Its mount is skipped until the process has ended."""
    monkeypatch.setattr(programs, "_KILL_SECONDS", 0.05)
    clock = Clock()
    stuck = Withdrawals("stuck_deletion", idle_seconds=0.1, hung=HungFolders(monotonic=clock))
    unkillable: list[subprocess.Popen[bytes]] = []

    def spare(killed: subprocess.Popen[bytes]) -> None:
        unkillable.append(killed)

    monkeypatch.setattr(subprocess.Popen, "kill", spare)
    with pytest.raises(TimeoutError):
        stuck.perform(copy_at(meshes / "dead" / "banana"))
    (left,) = unkillable
    assert f"process {left.pid} was killed but does not end" in caplog.text
    clock.seconds += 1e6
    before = stuck.hung.above(meshes / "dead")
    left.send_signal(signal.SIGKILL)
    left.wait(LONG_SECONDS)
    assert (before, stuck.hung.above(meshes / "dead")) == (meshes, None)
