from benchmarks.figures.sizing import sizing
from benchmarks.report import Result

SMALL = Result("1,000 jobs, ours", [{"jobs/s": 1.0}])
LARGE = Result(
    "2,000 jobs, ours",
    [{"jobs/s": 50.0, "CPU of operator, ms/job": 4.0, "CPU of redis, ms/job": 0.0, "object, bytes": 5120.0}],
)
GROWN = [
    Result("1,000 objects, growth", [{"memory, MiB: operator": 81.0}]),
    Result("11,000 objects, growth", [{"memory, MiB: operator": 91.0}]),
]


def test_without_figures_there_is_no_sizing() -> None:
    assert sizing([]) == []
    assert sizing([Result("2,000 jobs, ours", [], errors=["ApiError"])]) == []


def test_the_row_with_most_jobs_gives_rates_and_days() -> None:
    lines = sizing([SMALL, LARGE])
    assert lines[0] == "- One full core is enough for: operator 250 jobs/s (from `2,000 jobs, ours`)."
    assert "4.3 million jobs a day, or 30,000 workers" in lines[1]
    assert "12 jobs/s; of one core, operator 5 %, redis 0 %" in lines[2]
    assert "finish after 5.6 h" in lines[3]


def test_the_size_of_an_object_gives_the_size_of_etcd() -> None:
    assert "5.0 KiB: 210 thousand of them in each GiB of etcd, and 4.8 GiB for a million" in sizing([LARGE])[4]


def test_memory_of_a_job_is_the_growth_between_the_fewest_and_the_most_objects() -> None:
    assert (
        "holds 81 MiB, and 1.02 KiB for each finished job: 1.1 GiB for a million, 0.4 GiB in each"
        in sizing([*GROWN, LARGE])[5]
    )
