from xml.etree import ElementTree as ET

import pytest

from benchmarks.figures.pictures import CHARTS, Chart, legend, svg
from benchmarks.report import Result
from benchmarks.rows import ROWS

CHART = Chart("jobs", "Throughput", "jobs", "jobs/s", r"([\d,]+) jobs, (.+)", {"jobs/s": ""})
RESULTS = [
    Result("2,000 jobs, ours", [{"jobs/s": 80.0}]),
    Result("1,000 jobs, ours", [{"jobs/s": 90.0}, {"jobs/s": 70.0}, {"jobs/s": 100.0}]),
    Result("1,000 jobs, a < b", [{"jobs/s": 40.0}]),
    Result("2,000 jobs, a < b", [], errors=["ApiError"]),
    Result("restart", [{"jobs/s": 1.0}]),
]


def test_the_lines_are_the_medians_of_the_rows_by_load() -> None:
    assert CHART.lines(RESULTS) == {"ours": [(1000.0, 90.0), (2000.0, 80.0)], "a < b": [(1000.0, 40.0)]}


def test_a_chart_of_several_figures_has_a_line_for_each() -> None:
    chart = Chart("load", "Latency", "jobs", "s", r"([\d,]+) running", {"a, s": "median", "b, s": "worst"})
    assert chart.lines([Result("50 running", [{"a, s": 1.0, "b, s": 2.0}])]) == {
        "median": [(50.0, 1.0)],
        "worst": [(50.0, 2.0)],
    }


def test_the_picture_is_svg_with_a_path_and_a_name_for_each_line() -> None:
    root = ET.fromstring(svg(CHART, CHART.lines(RESULTS)))  # noqa: S314  # ours
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"ours", "a < b", "1,000", "2,000"} <= set(texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 3


def test_long_names_of_lines_begin_a_second_row_and_do_not_overlap() -> None:
    places = legend(["ours", "three shards by the server's selector", "batch/v1 Job on fake nodes", "ordinary" * 4])
    (first, top), (second, _), (third, _), (last, below) = places
    assert (first, last) == (64, 64)
    assert second - first > 40
    assert third - second > 240
    assert below > top


@pytest.mark.parametrize("value", [pytest.param(0.0, id="zero"), pytest.param(5.0, id="one-point")])
def test_a_single_point_makes_a_picture(value: float) -> None:
    assert svg(CHART, {"ours": [(1000.0, value)]}).startswith("<svg")


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        pytest.param(53.7, ["0", "10", "20", "30", "40", "50", "60"], id="tens"),
        pytest.param(2.05, ["0", "0.5", "1", "1.5", "2", "2.5"], id="halves"),
        pytest.param(6.0, ["0", "1", "2", "3", "4", "5", "6"], id="exact"),
    ],
)
def test_the_axis_has_round_numbers(largest: float, ticks: list[str]) -> None:
    root = ET.fromstring(svg(CHART, {"ours": [(1000.0, largest)]}))  # noqa: S314  # ours
    texts = list(root.iter("{http://www.w3.org/2000/svg}text"))
    assert [one.text for one in texts if one.get("text-anchor") == "end"] == ticks


@pytest.mark.parametrize("chart", [pytest.param(chart, id=chart.file) for chart in CHARTS])
def test_each_picture_matches_rows_that_exist(chart: Chart) -> None:
    figures = dict.fromkeys(chart.figures, 1.0)
    assert chart.lines([Result(row.name, [figures]) for row in ROWS])
