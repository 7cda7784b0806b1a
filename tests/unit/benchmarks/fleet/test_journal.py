from benchmarks.fleet.journal import Journal

LINES = ['[1.0, "claimed", "a", 0]', '[1.5, "reported", "a", 7]', '[2.5, "reported", "a", 7]', '[3.0, "ended", "a", 0]']


def test_a_journal_has_the_times_of_each_job() -> None:
    assert Journal.of(LINES) == Journal({"a": 1.0}, {"a": 3.0}, {"a": [(1.5, 7), (2.5, 7)]})


def test_a_percentage_counts_from_its_first_report() -> None:
    assert Journal.of(LINES).first_report("a", 7) == 1.5
    assert Journal.of(LINES).first_report("a", 8) is None
