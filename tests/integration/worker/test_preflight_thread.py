"""Preflight thread: the result of its process, its time limit, and a process that cannot be killed."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from reconstruction_operator.contract.preflight import CheckRequest, Usability
from reconstruction_operator.worker.preflight_thread import PreflightThread

from tests.support.paths import PHOTOS
from tests.support.refs import make_attempt

REQUEST = CheckRequest(
    make_attempt("uid", namespace="team", install_id="install").job, "token", "photogrammetry", f"file://{PHOTOS}/lund"
)


pytestmark = pytest.mark.usefixtures("jobs_dir")
CONSUMER: Any = SimpleNamespace(hostname="worker@node")


@pytest.fixture
def stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PreflightThread:
    """A thread that has not begun; its program hangs, as on a dead mount."""
    (tmp_path / "stuck.py").write_text("import signal\nsignal.pause()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return PreflightThread(CONSUMER, program="stuck", check_seconds=0.5)


@pytest.mark.parametrize(("uri", "expected"), [("file:///photos", False), ("s3://photos/set/", True)])
def test_a_process_that_reads_photos_has_no_credentials(
    uri: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = (
        "import json, os\nprint(json.dumps({'usability': 'Usable', 'reason': '', 'message': ' '.join(os.environ)}))\n"
    )
    (tmp_path / "names.py").write_text(answer)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    result = PreflightThread(CONSUMER, program="names").check(replace(REQUEST, uri=uri))
    assert "PYTHONPATH" in result.message
    assert ("AWS_SECRET_ACCESS_KEY" in result.message) is expected


def test_a_hung_check_is_killed(stuck: PreflightThread) -> None:
    result = stuck.check(REQUEST)
    assert result.usability is Usability.UNKNOWN
    assert "could not be checked: no answer within " in result.message
    assert not stuck.hangs


def test_a_process_that_cannot_be_killed_prevents_further_checks(
    stuck: PreflightThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    wait = subprocess.Popen.wait

    def refuse(self: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        started.append(self)
        raise subprocess.TimeoutExpired("check", timeout or 0.0)

    with monkeypatch.context() as hanging:
        hanging.setattr(subprocess.Popen, "wait", refuse)
        hanging.setattr(subprocess.Popen, "poll", lambda _: None)
        stuck.check(REQUEST)
        assert stuck.hangs
    wait(started[0])
    assert not stuck.hangs


def test_a_process_that_ends_without_a_result_is_reported() -> None:
    result = PreflightThread(CONSUMER, program="no.such.program").check(REQUEST)
    assert result.usability is Usability.UNKNOWN
    assert "could not be checked: the program no.such.program exited with code 1" in result.message
