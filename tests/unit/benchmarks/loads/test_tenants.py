import pytest

from benchmarks.loads.tenants import in_order


@pytest.mark.parametrize(
    ("claims", "waiting", "share"),
    [
        pytest.param(["high", "high", "normal", "low"], {}, 100.0, id="in-order"),
        pytest.param(["low", "normal", "high"], {}, 0.0, id="reversed"),
        pytest.param(["high", "low", "normal"], {}, 100 * 2 / 3, id="one-pair-wrong"),
        pytest.param(["high", "low"], {"high": 3}, 100 * 1 / 4, id="higher-ones-wait"),
        pytest.param(["high", "high"], {"high": 1, "low": 2}, 100.0, id="lower-ones-wait"),
    ],
)
def test_the_order_of_priorities_is_the_share_of_pairs(
    claims: list[str], waiting: dict[str, int], share: float
) -> None:
    assert in_order(claims, waiting) == pytest.approx({"pairs of priorities in order, %": share})


def test_jobs_of_one_priority_have_no_order() -> None:
    assert in_order(["low", "low"], {"low": 1}) == {}
