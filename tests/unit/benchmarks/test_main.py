import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.report import Figures
from benchmarks.rows import Row


def _fails() -> Figures:
    raise ValueError("no answer")


ROWS = (Row("good", lambda: {"jobs/s": 1.0}), Row("bad", _fails), Row("slow", lambda: {"jobs/s": 2.0}, long=True))


def test_the_table_is_printed_and_the_json_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "figures.json"
    assert main(["--only", "good", "--repeat", "2", "--json", str(file)], ROWS) == 0
    assert "| jobs/s | 1 (1 to 1) |" in capsys.readouterr().out
    assert json.loads(file.read_text())["rows"][0]["repetitions"] == [{"jobs/s": 1.0}] * 2


def test_a_failed_row_sets_the_exit_status_and_other_rows_are_written(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    assert main(["--long", "--repeat", "1", "--json", str(file)], ROWS) == 1
    found = {row["name"]: row for row in json.loads(file.read_text())["rows"]}
    assert [len(found[name]["repetitions"]) for name in ("good", "bad", "slow")] == [1, 0, 1]
    assert found["bad"]["errors"] == ["ValueError: no answer"]


def test_the_list_marks_the_long_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"], ROWS) == 0
    assert capsys.readouterr().out.splitlines() == ["good", "bad", "slow (long)"]


def test_a_text_without_a_matching_row_prints_the_list_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "none"], ROWS) == 2
    assert "good" in capsys.readouterr().out
