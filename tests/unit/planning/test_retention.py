from __future__ import annotations

from dataclasses import replace

import pytest
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.planning import retention

from tests.support.plans import TIMING

DAY = 86_400


@pytest.mark.parametrize(
    ("policy", "default", "expected"),
    [
        pytest.param(None, "Retain", DAY, id="the-settings-retain"),
        pytest.param(None, "Delete", 0, id="the-settings-delete"),
        pytest.param("Retain", "Delete", DAY, id="the-job-retains"),
        pytest.param("Delete", "Retain", 0, id="the-job-deletes"),
    ],
)
def test_the_jobs_own_policy_overrides_the_settings(policy: str | None, default: str, expected: int) -> None:
    timing = replace(TIMING, deletion_policy=default, retain_seconds_after_deletion=DAY)
    assert retention.seconds(Spec(deletion_policy=policy), timing) == expected
