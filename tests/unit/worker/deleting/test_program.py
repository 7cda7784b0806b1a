"""Withdrawal program: what it takes over, and its messages. test_process.py tests its process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from reconstruction_operator import config, privacy
from reconstruction_operator.worker.deleting import program
from reconstruction_operator.worker.deleting.program import Withdrawal

from tests.support.settings import configure


@pytest.fixture(autouse=True)
def _same_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep what the program changes in its process: settings, hidden memory, the thread."""
    before = config.settings
    monkeypatch.setattr(privacy, "hide_memory", lambda: None)
    monkeypatch.setattr(program, "end_with_worker", lambda: None)
    yield
    config.use(before)


def test_the_settings_in_use_are_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, OUTPUT_ROOTS=("/meshes",), NAMESPACE_OUTPUTS=(("red", "/meshes/red"),))
    withdrawal = Withdrawal("file:///meshes/red/banana", "job", 2, "red", copy=False, workspace="/jobs/job")
    line = withdrawal.to_line()
    configure(monkeypatch, OUTPUT_ROOTS=(), NAMESPACE_OUTPUTS=())
    assert Withdrawal.from_line(line) == withdrawal
    assert config.settings.OUTPUT_ROOTS == ("/meshes",)
    assert config.settings.NAMESPACE_OUTPUTS == (("red", "/meshes/red"),)
