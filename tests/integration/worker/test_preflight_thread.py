"""Preflight thread: the result of its process, its time limit, and a process that cannot be killed."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from reconstruction_operator.contract.preflight import CheckRequest, Usability
from reconstruction_operator.transfer import programs
from reconstruction_operator.worker import preflight_thread
from reconstruction_operator.worker.preflight_thread import PreflightThread

from tests.support.paths import PHOTOS
from tests.support.refs import make_attempt

REQUEST = CheckRequest(
    make_attempt("uid", namespace="team", install_id="install").job, "token", "photogrammetry", f"file://{PHOTOS}/lund"
)


@pytest.fixture
def thread(jobs_dir: Path) -> PreflightThread:
    """It has not begun."""
    consumer: Any = SimpleNamespace(hostname="worker@node")
    return PreflightThread(consumer)


@pytest.fixture
def stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the program by one that hangs, as on a dead mount."""
    (tmp_path / "stuck.py").write_text("import signal\nsignal.pause()\n")
    monkeypatch.setattr(preflight_thread, "_PROGRAM", "stuck")
    monkeypatch.setattr(preflight_thread, "_CHECK_SECONDS", 0.5)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.parametrize(("uri", "expected"), [("file:///photos", False), ("s3://photos/set/", True)])
def test_a_process_that_reads_photos_has_no_credentials(
    uri: str, expected: bool, thread: PreflightThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = (
        "import json, os\nprint(json.dumps({'usability': 'Usable', 'reason': '', 'message': ' '.join(os.environ)}))\n"
    )
    (tmp_path / "names.py").write_text(answer)
    monkeypatch.setattr(preflight_thread, "_PROGRAM", "names")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    result = thread.check(replace(REQUEST, uri=uri))
    assert "PYTHONPATH" in result.message
    assert ("AWS_SECRET_ACCESS_KEY" in result.message) is expected


@pytest.mark.usefixtures("stuck")
def test_a_hung_check_is_killed(thread: PreflightThread) -> None:
    result = thread.check(REQUEST)
    assert result.usability is Usability.UNKNOWN
    assert "could not be checked: no answer within " in result.message
    assert not thread.hangs


@pytest.mark.usefixtures("stuck")
def test_a_process_that_cannot_be_killed_prevents_further_checks(
    thread: PreflightThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    wait = subprocess.Popen.wait

    def refuse(self: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        started.append(self)
        raise subprocess.TimeoutExpired("check", timeout or 0.0)

    monkeypatch.setattr(programs, "_KILL_SECONDS", 0.1)
    with monkeypatch.context() as hanging:
        hanging.setattr(subprocess.Popen, "wait", refuse)
        hanging.setattr(subprocess.Popen, "poll", lambda _: None)
        thread.check(REQUEST)
        assert thread.hangs
    wait(started[0])
    assert not thread.hangs


def test_a_process_that_ends_without_a_result_is_reported(
    thread: PreflightThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight_thread, "_PROGRAM", "no.such.program")
    result = thread.check(REQUEST)
    assert result.usability is Usability.UNKNOWN
    assert "could not be checked: the program no.such.program exited with code 1" in result.message
