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


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        pytest.param(
            "raise ValueError('no such luck')",
            RuntimeError,
            "(?s)piece_of_work exited with status 1: .*no such luck",
            id="a-failure-with-its-output",
        ),
        pytest.param("raise MemoryError", MemoryError, None, id="no-memory"),
        pytest.param("import os; os.kill(os.getpid(), 9)", MemoryError, None, id="killed-as-by-the-kernel"),
    ],
)
def test_a_failure_of_the_process_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, kind: type[Exception], message: str | None
) -> None:
    with pytest.raises(kind, match=message):
        run(module(tmp_path, monkeypatch, text), [], tmp_path)
