"""The process of a check: its answer, a time limit, and a process that cannot be killed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.contract.checks import CheckRequest, Verdict
from reconstruction_operator.transfer import programs
from reconstruction_operator.worker.checking import program
from reconstruction_operator.worker.checking.process import CheckProcess

from devcluster.files import CHECKOUT
from tests.support.paths import PHOTOS
from tests.support.settings import configure

REQUEST = CheckRequest("uid", "token", "install", "team", "photogrammetry", f"file://{PHOTOS}/lund")


def test_a_real_process_answers(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, INPUT_ROOTS=(str(PHOTOS),))
    found = CheckProcess().perform(REQUEST)
    assert (found.verdict, found.reason) == (Verdict.USABLE, ""), found
    assert " photos, " in found.message


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program reads its request and does nothing, as on a dead mount."""
    monkeypatch.setattr(program, "__name__", "stuck_deletion")
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT / "tests" / "data" / "programs"))


@pytest.mark.usefixtures("stuck", "jobs_dir")
def test_a_check_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = CheckProcess(seconds=0.5)
    monkeypatch.setattr(subprocess.Popen, "poll", subprocess.Popen.poll)
    found = lane.perform(REQUEST)
    assert found.verdict is Verdict.UNKNOWN
    assert not lane.hangs


@pytest.mark.usefixtures("stuck", "jobs_dir")
def test_while_a_killed_process_hangs_the_lane_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    lane, waited = CheckProcess(seconds=0.5), subprocess.Popen.wait

    def wait(self: Any, timeout: float | None = None) -> int:
        raise subprocess.TimeoutExpired("check", timeout or 0.0)

    monkeypatch.setattr(programs, "_KILL_SECONDS", 0.1)
    with monkeypatch.context() as hanging:
        hanging.setattr(subprocess.Popen, "wait", wait)
        hanging.setattr(subprocess.Popen, "poll", lambda _: None)
        lane.perform(REQUEST)
        assert lane.hangs
    assert lane._left is not None
    waited(lane._left.process)
    assert not lane.hangs


@pytest.mark.usefixtures("jobs_dir")
def test_a_process_that_ends_without_an_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "__name__", "no.such.program")
    found = CheckProcess().perform(REQUEST)
    assert found.verdict is Verdict.UNKNOWN
    assert "ended without an answer" in found.message
