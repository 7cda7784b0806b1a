import json
from pathlib import Path

from benchmarks.figures.document import FIGURES, PAGE, files, main, merged
from benchmarks.report import Result, as_json
from benchmarks.rows import ROWS

FIRST, SECOND = ROWS[0].name, ROWS[1].name
TEXT = "# Performance\n\n<!-- figures: made by `make docs` -->\nold\n<!-- end of figures -->\n\nMore.\n"


def results(*names: str, rate: float) -> str:
    return as_json([Result(name, [{"jobs/s": rate}]) for name in names])


def test_a_later_row_replaces_an_earlier_one_and_other_rows_are_kept() -> None:
    found = merged(json.loads(results(SECOND, FIRST, rate=1.0)), json.loads(results(FIRST, rate=2.0)))
    assert [(row["name"], row["repetitions"][0]["jobs/s"]) for row in found["rows"]] == [(FIRST, 2.0), (SECOND, 1.0)]


def test_a_row_that_no_longer_exists_is_omitted() -> None:
    assert (
        merged(json.loads(results("old", rate=1.0)), json.loads(results(FIRST, rate=2.0)))["rows"][0]["name"] == FIRST
    )


def test_the_figures_of_files_replace_the_text_between_the_markers_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "docs/images").mkdir(parents=True)
    (tmp_path / PAGE).write_text(TEXT)
    (tmp_path / "a.json").write_text(results(FIRST, rate=2.0))
    (tmp_path / "b.json").write_text(results(SECOND, rate=3.0))
    assert main([str(tmp_path / "a.json"), str(tmp_path / "b.json")], tmp_path) == 0
    text = (tmp_path / PAGE).read_text()
    assert text.startswith("# Performance\n\n<!-- figures")
    assert text.endswith("<!-- end of figures -->\n\nMore.\n")
    assert f"| **{FIRST}** | jobs/s | 2 |" in text
    assert "old" not in text
    assert "images/performance-jobs.svg" in text
    assert (tmp_path / "docs/images/performance-jobs.svg").read_text().startswith("<svg")


def test_files_made_from_the_stored_figures_are_up_to_date(tmp_path: Path) -> None:
    (tmp_path / "docs/images").mkdir(parents=True)
    (tmp_path / PAGE).write_text(TEXT)
    (tmp_path / FIGURES).write_text(results(FIRST, rate=2.0))
    for name, content in files(tmp_path).items():
        (tmp_path / name).write_text(content)
    assert all((tmp_path / name).read_text() == content for name, content in files(tmp_path).items())


def test_a_page_without_any_run_reports_it(tmp_path: Path) -> None:
    (tmp_path / "docs/images").mkdir(parents=True)
    (tmp_path / PAGE).write_text(TEXT)
    (tmp_path / FIGURES).write_text(results(rate=1.0))
    assert "No run is recorded yet." in files(tmp_path)[PAGE]
