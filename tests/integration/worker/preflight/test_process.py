"""Preflight process: its result, its time limit, and a process that cannot be killed."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.contract.preflight import CheckRequest, Verdict
from reconstruction_operator.transfer import programs
from reconstruction_operator.worker.preflight import program
from reconstruction_operator.worker.preflight.process import PreflightProcess

from devcluster.files import CHECKOUT
from devcluster.mounts import dead_mount
from tests.support.paths import PHOTOS
from tests.support.settings import configure

REQUEST = CheckRequest("uid", "token", "install", "team", "photogrammetry", f"file://{PHOTOS}/lund")


def test_a_real_process_returns_a_verdict(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, INPUT_ROOTS=(str(PHOTOS),))
    found = PreflightProcess().perform(REQUEST)
    assert (found.verdict, found.reason) == (Verdict.USABLE, ""), found
    assert " photos, " in found.message


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the program by one that reads its request and hangs, as on a dead mount."""
    monkeypatch.setattr(program, "__name__", "stuck_deletion")
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT / "tests" / "data" / "programs"))


@pytest.mark.usefixtures("stuck", "jobs_dir")
def test_a_hung_check_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = PreflightProcess(seconds=0.5)
    monkeypatch.setattr(subprocess.Popen, "poll", subprocess.Popen.poll)
    found = checks.perform(REQUEST)
    assert found.verdict is Verdict.UNKNOWN
    assert not checks.hangs


@pytest.mark.usefixtures("stuck", "jobs_dir")
def test_processes_that_cannot_be_killed_stop_further_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    checks, waited = PreflightProcess(seconds=0.2), subprocess.Popen.wait

    def wait(self: Any, timeout: float | None = None) -> int:
        raise subprocess.TimeoutExpired("check", timeout or 0.0)

    monkeypatch.setattr(programs, "_KILL_SECONDS", 0.1)
    with monkeypatch.context() as hanging:
        hanging.setattr(subprocess.Popen, "wait", wait)
        hanging.setattr(subprocess.Popen, "poll", lambda _: None)
        for number in range(3):
            assert not checks.hangs
            checks.perform(replace(REQUEST, uri=f"file:///nowhere-{number}/photos"))
        assert checks.hangs
    for one in checks._left:
        waited(one.process)
    assert not checks.hangs


def test_a_dead_mount_delays_no_other_input(jobs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, INPUT_ROOTS=(str(PHOTOS), str(tmp_path)))
    with dead_mount(tmp_path / "dead") as is_dead:
        dead = replace(REQUEST, uri=f"file://{tmp_path}/dead/set")
        first, checks = PreflightProcess(seconds=2.0).perform(dead), PreflightProcess()
        again, other = checks.perform(dead), checks.perform(REQUEST)

    assert not checks.hangs
    assert other.verdict is Verdict.USABLE
    if is_dead:
        assert "could not be checked within 2 s" in first.message
        assert "was not checked" in again.message
    else:
        assert first.reason == again.reason == "INPUT_NOT_FOUND"


@pytest.mark.usefixtures("jobs_dir")
def test_a_process_that_ends_without_a_result_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "__name__", "no.such.program")
    found = PreflightProcess().perform(REQUEST)
    assert found.verdict is Verdict.UNKNOWN
    assert "ended without a result" in found.message


@pytest.mark.usefixtures("jobs_dir")
def test_a_slow_input_delays_no_other_input_of_its_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Any tenant can make such an input."""
    (tmp_path / "slow.py").write_text("import sys, time\nsys.stdin.readline()\nprint(flush=True)\ntime.sleep(60)\n")
    with monkeypatch.context() as slow:
        slow.setattr(program, "__name__", "slow")
        slow.setenv("PYTHONPATH", str(tmp_path))
        first = PreflightProcess(seconds=2.0).perform(REQUEST)
    configure(monkeypatch, INPUT_ROOTS=(str(PHOTOS),))

    assert "could not be checked within 2 s" in first.message
    assert PreflightProcess().perform(REQUEST).verdict is Verdict.USABLE
