import json
from dataclasses import replace

from benchmarks.report import Result, as_json, table

RESULT = Result(
    "1,000 jobs",
    [{"jobs/s": 40.0, "ratio": 0.25}, {"jobs/s": 10.0, "ratio": 0.5}, {"jobs/s": 250.4, "ratio": 0.3}],
    {"ratio": "≥ 0.35"},
)


def test_a_figure_is_shown_as_median_minimum_and_maximum() -> None:
    assert RESULT.text("jobs/s") == "40 (10 to 250)"


def test_a_figure_of_one_repetition_has_no_range() -> None:
    assert Result("once", [{"ratio": 0.25}]).text("ratio") == "0.25"


def test_a_figure_that_one_repetition_lacks_is_the_median_of_the_others() -> None:
    assert Result("some", [{"a": 1.0}, {"a": 3.0, "b": 2.0}]).text("b") == "2"


def test_the_table_has_a_line_for_each_figure_and_its_aim() -> None:
    assert table([RESULT], 2).splitlines()[2:] == [
        "| **1,000 jobs** | jobs/s | 40 (10 to 250) |  |",
        "|  | ratio | 0.3 (0.25 to 0.5) | ≥ 0.35 |",
        "|  | **what binds** | not measured |  |",
    ]


def test_the_parts_of_a_group_share_a_line_and_a_part_with_an_aim_has_its_own() -> None:
    figures = {"requests/job: POST events": 0.5, "requests/job: PATCH jobs": 2.0, "requests/job: GET jobs": 1.0}
    result = Result("parts", [figures], {"requests/job: PATCH jobs": "≤ 2.1"})
    assert table([result], 2).splitlines()[2:4] == [
        "| **parts** | requests/job | POST events 0.5, GET jobs 1 |  |",
        "|  | requests/job: PATCH jobs | 2 | ≤ 2.1 |",
    ]


def test_shares_of_cores_are_shown_only_with_what_binds() -> None:
    lines = table([Result("busy", [{"cores busy: redis": 0.2}], measured="2026-11-26, abc")], 2).splitlines()
    assert lines[2:] == [
        "| **busy** (2026-11-26, abc) | **what binds** | waiting: no part or core is full (cores: redis 0.20) |  |"
    ]


def test_a_row_without_any_figure_shows_its_errors() -> None:
    failed = Result("broken", [], errors=["ApiError: a | b"])
    assert table([failed], 2).splitlines()[2:] == ["| **broken** | **failed** | ApiError: a / b |  |"]


def test_the_json_has_every_repetition_and_the_machine() -> None:
    found = json.loads(as_json([RESULT]))
    assert [one["jobs/s"] for one in found["rows"][0]["repetitions"]] == [40.0, 10.0, 250.4]
    assert found["machine"]["cpus"] >= 1


def test_a_result_is_read_back_from_the_json() -> None:
    result = replace(RESULT, seconds=2.5, errors=["ApiError: late"])
    (read,) = [Result.read(one) for one in json.loads(as_json([result]))["rows"]]
    assert read == result
