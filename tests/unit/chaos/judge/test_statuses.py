"""A status moves forward, and soon."""

from dataclasses import replace

import pytest

from chaos.judge.evidence import Evidence, Lag
from tests.unit.chaos.judge.cases import SUCCEEDED, UID, broken, evidence, running


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(evidence(None, running(6.0, 60), running(7.0, 20), SUCCEEDED), id="falling progress"),
        pytest.param(
            evidence(None, running(6.0, 20, attempt=2), replace(SUCCEEDED, percent=100)), id="a falling attempt"
        ),
        pytest.param(evidence(lags=(Lag(UID, 9.0, 40.0),)), id="a late status"),
        pytest.param(evidence(lags=(Lag(UID, 9.0, None),)), id="a status that never came"),
    ],
)
def test_forbidden_status_breaks_only_the_invariant(found: Evidence) -> None:
    assert broken(found) == {5}
