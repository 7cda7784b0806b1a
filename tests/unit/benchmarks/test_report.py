from benchmarks.report import Result, table


def test_a_figure_that_one_repetition_lacks_is_the_median_of_the_others() -> None:
    assert Result("some", [{"a": 1.0}, {"a": 3.0, "b": 2.0}]).text("b") == "2"


def test_a_row_without_any_figure_shows_its_errors() -> None:
    failed = Result("broken", [], errors=["ApiError: a | b"])
    assert table([failed]).splitlines()[2:] == ["| **broken** | **failed** | ApiError: a / b |"]
