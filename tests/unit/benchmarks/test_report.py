import json
from dataclasses import replace

from benchmarks.report import Result, as_json, table

RESULT = Result(
    "1,000 jobs", [{"jobs/s": 40.0, "ratio": 0.25}, {"jobs/s": 10.0, "ratio": 0.5}, {"jobs/s": 250.4, "ratio": 0.3}]
)


def test_a_figure_is_shown_as_median_minimum_and_maximum() -> None:
    assert RESULT.text("jobs/s") == "40 (10 to 250)"


def test_a_figure_of_one_repetition_has_no_range() -> None:
    assert Result("once", [{"ratio": 0.25}]).text("ratio") == "0.25"


def test_a_figure_that_one_repetition_lacks_is_the_median_of_the_others() -> None:
    assert Result("some", [{"a": 1.0}, {"a": 3.0, "b": 2.0}]).text("b") == "2"


def test_the_table_has_a_line_for_each_figure() -> None:
    assert table([replace(RESULT, measured="2026-11-26, abc")]).splitlines()[2:] == [
        "| **1,000 jobs** (2026-11-26, abc) | jobs/s | 40 (10 to 250) |",
        "|  | ratio | 0.3 (0.25 to 0.5) |",
    ]


def test_the_parts_of_a_group_share_a_line() -> None:
    figures = {"requests/job: POST events": 0.5, "jobs/s": 7.0, "requests/job: GET jobs": 1.0}
    assert table([Result("parts", [figures])]).splitlines()[2:] == [
        "| **parts** | requests/job | POST events 0.5, GET jobs 1 |",
        "|  | jobs/s | 7 |",
    ]


def test_a_row_without_any_figure_shows_its_errors() -> None:
    failed = Result("broken", [], errors=["ApiError: a | b"])
    assert table([failed]).splitlines()[2:] == ["| **broken** | **failed** | ApiError: a / b |"]


def test_results_are_read_back_from_the_json_which_names_the_machine() -> None:
    result = replace(RESULT, seconds=2.5, errors=["ApiError: late"])
    document = json.loads(as_json([result]))
    assert [Result(**row) for row in document["rows"]] == [result]
    assert document["machine"]["cpus"] >= 1
