"""The process of a check: its answer, a time limit, and a process that cannot be killed."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.contract.preflight import CheckRequest, Verdict
from reconstruction_operator.transfer import programs
from reconstruction_operator.worker.preflight import program
from reconstruction_operator.worker.preflight.process import CheckProcess

from devcluster.files import CHECKOUT
from devcluster.mounts import dead_mount
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
def test_the_lane_reports_a_killed_process_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    lane, waited = CheckProcess(seconds=0.2), subprocess.Popen.wait

    def wait(self: Any, timeout: float | None = None) -> int:
        raise subprocess.TimeoutExpired("check", timeout or 0.0)

    monkeypatch.setattr(programs, "_KILL_SECONDS", 0.1)
    with monkeypatch.context() as hanging:
        hanging.setattr(subprocess.Popen, "wait", wait)
        hanging.setattr(subprocess.Popen, "poll", lambda _: None)
        for number in range(3):
            assert not lane.hangs
            lane.perform(replace(REQUEST, uri=f"file:///nowhere-{number}/photos"))
        assert lane.hangs
    for one in lane._left:
        waited(one.process)
    assert not lane.hangs


def test_a_dead_mount_keeps_no_other_input_waiting(
    jobs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, INPUT_ROOTS=(str(PHOTOS), str(tmp_path)))
    with dead_mount(tmp_path / "dead") as is_dead:
        dead = replace(REQUEST, uri=f"file://{tmp_path}/dead/set")
        first, lane = CheckProcess(seconds=2.0).perform(dead), CheckProcess()
        again, other = lane.perform(dead), lane.perform(REQUEST)

    assert not lane.hangs
    assert other.verdict is Verdict.USABLE
    if is_dead:
        assert "could not be checked within 2 s" in first.message
        assert "was not checked" in again.message
    else:
        assert first.reason == again.reason == "INPUT_NOT_FOUND"


@pytest.mark.usefixtures("jobs_dir")
def test_a_process_that_ends_without_an_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "__name__", "no.such.program")
    found = CheckProcess().perform(REQUEST)
    assert found.verdict is Verdict.UNKNOWN
    assert "ended without an answer" in found.message


@pytest.mark.usefixtures("jobs_dir")
def test_an_input_that_takes_long_keeps_no_other_input_of_its_disk_waiting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Any tenant can make such an input."""
    (tmp_path / "slow.py").write_text("import sys, time\nsys.stdin.readline()\nprint(flush=True)\ntime.sleep(60)\n")
    with monkeypatch.context() as slow:
        slow.setattr(program, "__name__", "slow")
        slow.setenv("PYTHONPATH", str(tmp_path))
        first = CheckProcess(seconds=2.0).perform(REQUEST)
    configure(monkeypatch, INPUT_ROOTS=(str(PHOTOS),))

    assert "could not be checked within 2 s" in first.message
    assert CheckProcess().perform(REQUEST).verdict is Verdict.USABLE
