"""Withdrawal program: what it takes over, and its messages. test_process.py tests its process."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from reconstruction_operator import config, privacy
from reconstruction_operator.worker.deleting import program
from reconstruction_operator.worker.deleting.program import Withdrawal

from tests.support.settings import configure
from tests.support.worker.attempts import JOB, kill_before_publishing


@pytest.fixture(autouse=True)
def _same_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep what the program changes in its process: settings, hidden memory, the thread."""
    before = config.settings
    monkeypatch.setattr(privacy, "hide_memory", lambda: None)
    monkeypatch.setattr(program, "_wait_for_the_end", lambda: None)
    yield
    config.use(before)


def answer(
    withdrawal: Withdrawal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Return the message that the program writes to stdout."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(withdrawal.to_line())))
    program.main()
    message: dict[str, Any] = json.loads(capsys.readouterr().out)
    return message


@pytest.mark.usefixtures("wanted")
def test_a_copy_is_deleted_and_may_be_missing(
    jobs_dir: Path, meshes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_before_publishing(meshes)
    for _ in range(2):
        assert answer(Withdrawal(f"file://{meshes}/banana", JOB, 1), capsys, monkeypatch) == {"done": True}
        assert list(meshes.iterdir()) == []
    assert (jobs_dir / JOB).is_dir()


def test_a_refusal_names_its_reason(
    jobs_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, OUTPUT_ROOTS=("/meshes",))
    refused = answer(Withdrawal("file:///elsewhere/banana", "job", 1), capsys, monkeypatch)
    assert refused["refused"][0] == "OUTPUT_REFUSED"
    assert jobs_dir.exists()


def test_the_settings_in_use_are_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, OUTPUT_ROOTS=("/meshes",), NAMESPACE_OUTPUTS=(("red", "/meshes/red"),))
    withdrawal = Withdrawal("file:///meshes/red/banana", "job", 2, "red", copy=False, workspace="/jobs/job")
    line = withdrawal.to_line()
    configure(monkeypatch, OUTPUT_ROOTS=(), NAMESPACE_OUTPUTS=())
    assert Withdrawal.from_line(line) == withdrawal
    assert config.settings.OUTPUT_ROOTS == ("/meshes",)
    assert config.settings.NAMESPACE_OUTPUTS == (("red", "/meshes/red"),)
