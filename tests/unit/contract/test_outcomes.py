from __future__ import annotations

import re

import pytest
from reconstruction_operator.contract.outcomes import REASONS, Reason, StopReason, reason

_ALL = [pytest.param(cause, id=cause.code) for cause in REASONS.values()]


TRANSIENT = {
    "OUT_OF_MEMORY",
    "BACKEND_CRASHED",
    "DISK_FULL",
    "VOLUME_QUOTA",
    "WORKER_LOST",
    "WORKER_ERROR",
    "BACKEND_UNAVAILABLE",
    "INPUT_UNREACHABLE",
}
PERMANENT = {"TOO_FEW_IMAGES", "NOT_ENOUGH_OVERLAP", "CORRUPT_IMAGE", "INVALID_PARAMETERS", "TIMEOUT", "INVALID_SPEC"}
OTHER_FAILURES = {"INPUT_NOT_FOUND", "IMAGE_TOO_LARGE", "NO_DENSE_SURFACE", "LOW_TEXTURE"}
NO_FAILURES = {"SUSPENDED", "DRAINED", "WORKER_EXHAUSTED", "REDIS_LOST", "SUPERSEDED", "DELETED", "CANCELLED"}


@pytest.mark.parametrize("code", sorted(TRANSIENT | PERMANENT | OTHER_FAILURES | {"INPUT_REFUSED"} | NO_FAILURES))
def test_every_promised_reason_exists_and_counts_as_a_failure_or_not(code: str) -> None:
    assert REASONS[code].counts is (code not in NO_FAILURES)


@pytest.mark.parametrize("code", sorted(TRANSIENT | PERMANENT))
def test_only_transient_failures_are_retriable(code: str) -> None:
    assert REASONS[code].retriable is (code in TRANSIENT)


@pytest.mark.parametrize("cause", _ALL)
def test_a_code_is_in_capitals_and_its_condition_reason_in_camel_case(cause: Reason) -> None:
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", cause.code)
    assert re.fullmatch(r"[A-Z][A-Za-z]{0,62}", cause.condition_reason)
    assert cause.condition_reason.upper() == cause.code.replace("_", "")


@pytest.mark.parametrize("cause", _ALL)
def test_every_advice_is_a_sentence(cause: Reason) -> None:
    assert re.fullmatch(r"[A-Z].{10,160}\.", cause.advice)


def test_an_unknown_reason_counts_as_a_worker_error_under_its_own_name() -> None:
    known = REASONS["WORKER_ERROR"]

    assert reason("LENS_CAP_ON") == Reason("LENS_CAP_ON", known.retriable, known.counts, known.advice)


def test_stop_reasons_are_the_texts_that_redis_holds() -> None:
    assert {cause.value for cause in StopReason} == {"Suspend", "Deadline", "Deleted", "Superseded"}
