import pytest

from benchmarks.report import Figures
from benchmarks.rows import ROWS, Row
from benchmarks.runner import chosen, results

SHORT, LONG = Row("1,000 jobs", lambda: {"jobs/s": 1.0}), Row("20,000 jobs", lambda: {"jobs/s": 2.0}, long=True)


def _fails() -> Figures:
    raise ValueError("no answer\nin 5 s")


@pytest.mark.parametrize(
    ("only", "long", "names"),
    [
        pytest.param([], False, ["1,000 jobs"], id="short"),
        pytest.param([], True, ["1,000 jobs", "20,000 jobs"], id="long"),
        pytest.param(["20,000"], False, ["20,000 jobs"], id="a-long-one-by-name"),
        pytest.param(["1,0", "20"], False, ["1,000 jobs", "20,000 jobs"], id="two-texts"),
        pytest.param(["none"], True, [], id="no-such-row"),
    ],
)
def test_rows_are_chosen_by_text_or_by_length(only: list[str], long: bool, names: list[str]) -> None:
    assert [row.name for row in chosen([SHORT, LONG], only, long=long)] == names


def test_each_repetition_gives_the_results_so_far() -> None:
    found = list(results([SHORT, LONG], 2, lambda _: None))
    assert [[len(one.repetitions) for one in now] for now in found] == [[1], [2], [2, 1], [2, 2]]


def test_a_failed_repetition_loses_no_figures_of_its_row_or_of_others() -> None:
    measures = iter([SHORT.measure, _fails])

    def measure() -> Figures:
        return next(measures)()

    *_, (first, second) = results([Row("flaky", measure), LONG], 2, lambda _: None)
    assert (first.errors, len(first.repetitions)) == (("ValueError: no answer",), 1)
    assert (second.errors, len(second.repetitions)) == ((), 2)


def test_names_of_rows_are_unique() -> None:
    names = [row.name for row in ROWS]
    assert sorted(set(names)) == sorted(names)
