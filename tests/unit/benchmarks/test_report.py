import json

from benchmarks.report import Row, as_json, table

ROW = Row(
    "1,000 jobs", [{"jobs/s": 40.0, "ratio": 0.25}, {"jobs/s": 10.0, "ratio": 0.5}, {"jobs/s": 250.4, "ratio": 0.3}]
)


def test_a_figure_is_given_as_median_smallest_and_largest() -> None:
    assert ROW.text("jobs/s") == "40 (10 to 250)"


def test_a_figure_of_one_repetition_is_given_alone() -> None:
    assert Row("once", [{"ratio": 0.25}]).text("ratio") == "0.25"


def test_the_table_has_a_line_for_each_figure() -> None:
    assert table([ROW]).splitlines()[2:] == [
        "| 1,000 jobs | jobs/s | 40 (10 to 250) |",
        "| 1,000 jobs | ratio | 0.3 (0.25 to 0.5) |",
    ]


def test_the_json_has_every_repetition_and_the_machine() -> None:
    found = json.loads(as_json([ROW]))
    assert [one["jobs/s"] for one in found["rows"]["1,000 jobs"]] == [40.0, 10.0, 250.4]
    assert found["machine"]["cpus"] >= 1
