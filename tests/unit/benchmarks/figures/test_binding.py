import pytest

from benchmarks.figures.binding import binding


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        pytest.param({}, "not measured", id="no-shares"),
        pytest.param({"cores busy: operator": 0.95}, "the operator's one thread", id="one-thread"),
        pytest.param(
            {"cores busy: kube-apiserver": 1.2, "cores busy: worker": 0.7},
            "the machine's 2 cores, most of them for kube-apiserver",
            id="machine",
        ),
        pytest.param(
            {"cores busy: operator": 0.2, "writes/s": 49.0, "writes/s allowed": 50.0},
            "the write budget (50/s)",
            id="budget",
        ),
        pytest.param({"cores busy: operator": 0.2}, "waiting: no part, core or budget is full", id="nothing"),
    ],
)
def test_what_binds_is_read_from_the_figures(figures: dict[str, float], reason: str) -> None:
    assert binding(figures, 2).startswith(reason)


def test_the_shares_come_with_the_largest_first() -> None:
    found = binding({"cores busy: redis": 0.1, "cores busy: operator": 0.3}, 2)
    assert found.endswith("(cores: operator 0.30, redis 0.10)")


def test_a_row_measured_beside_busy_processes_is_marked() -> None:
    assert "noisy" in binding({"cores busy: others": 0.5, "cores busy: operator": 0.3}, 2)
