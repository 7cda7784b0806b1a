"""Bounds and slack on a slow machine."""

from chaos.judge.evidence import Bounds, Slack


def test_patience_multiplies_bounds_but_not_slack() -> None:
    assert Bounds().times(4.0).superseded == 4 * Bounds().superseded
    assert Slack().plus(6.0).cause == Slack().cause + 6.0
    assert not {"cause", "blocked", "loss", "deposed", "forgotten"} & set(Bounds.__slots__)
