from datetime import UTC, datetime

import pytest
from kubectl_recon.diagnosis import rules
from kubectl_recon.diagnosis.facts import Facts
from reconstruction_operator.contract.installation import Installation
from reconstruction_operator.contract.outcomes import REASONS

from tests.support.plugin import job

FAILURES = [code for code, reason in REASONS.items() if reason.counts]


@pytest.mark.parametrize("code", FAILURES)
def test_every_reason_of_the_operator_has_its_own_answer(code: str) -> None:
    failed = job(phase="Failed", failure={"reason": code, "message": "with numbers"})
    answer = rules.answer(Facts(failed, datetime(2026, 3, 1, tzinfo=UTC), Installation()))
    assert answer.situation != "failed"
    assert answer.actions
    assert answer.text.endswith(f"{code}: with numbers.")


def test_the_answer_for_an_unknown_reason_has_its_message() -> None:
    failed = job(phase="Failed", failure={"reason": "BRAND_NEW", "message": "with numbers"})
    answer = rules.answer(Facts(failed, datetime(2026, 3, 1, tzinfo=UTC), Installation()))
    assert (answer.situation, answer.text) == ("failed", "It failed with BRAND_NEW: with numbers.")
