from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.models.interface import Report, Step
from reconstruction_operator.models.photogrammetry import helper_process
from reconstruction_operator.models.photogrammetry.progress import StageProgress

from tests.support.engine.geometry import ignore


def run(module: str, arguments: list[str], folder: Path, report: Report = ignore) -> None:
    progress = StageProgress(report, Step.RECONSTRUCT)
    helper_process.run(module, arguments, log=folder / "log", progress=progress, message="busy")


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    (folder / "piece_of_work.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return "piece_of_work"


def test_run_waits_for_the_process_and_reports_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[float] = []

    def report(step: Step, fraction: float, message: str = "") -> None:
        reported.append(fraction)

    name = module(tmp_path, monkeypatch, f"import sys; open({str(tmp_path / 'done')!r}, 'w').write(sys.argv[1])")
    run(name, ["with this"], tmp_path, report)
    assert (tmp_path / "done").read_text() == "with this"
    assert reported == sorted(reported)
    assert (reported[0], reported[-1]) == (pytest.approx(0.0, abs=0.1), 1.0)


def test_failure_contains_the_helpers_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = module(tmp_path, monkeypatch, "raise ValueError('no such luck')")
    with pytest.raises(RuntimeError, match=r"(?s)piece_of_work exited with status 1: .*no such luck"):
        run(name, [], tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("raise MemoryError", id="it-found-no-memory"),
        pytest.param("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", id="it-was-killed"),
    ],
)
def test_out_of_memory_is_reported_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(MemoryError):
        run(module(tmp_path, monkeypatch, text), [], tmp_path)
