"""The judge examines every job by every invariant."""

from chaos.judge.evidence import Lag
from chaos.judge.invariants import judge
from tests.unit.chaos.judge.cases import UID, evidence


def test_good_job_passes_and_every_invariant_examined_it() -> None:
    verdicts = judge(evidence(lags=(Lag(UID, 9.0, 0.2),)))

    assert [verdict for verdict in verdicts if verdict.problem] == []
    assert {verdict.invariant for verdict in verdicts} == {1, 2, 4, 5, 6}
