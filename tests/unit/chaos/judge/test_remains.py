"""Nothing is left of a job that is over."""

from dataclasses import replace

import pytest

from chaos.judge.evidence import Evidence, Leftover
from tests.unit.chaos.judge.cases import (
    DELETED,
    RETENTION,
    UID,
    broken,
    delivered,
    evidence,
    job,
    of_poison,
    problems,
    running,
    with_files,
    with_messages,
)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(
            evidence(DELETED, leftovers=(Leftover("state: claim:x", 60.0),)), id="a leftover of a deleted job expires"
        ),
        pytest.param(
            evidence(leftovers=(Leftover("state: job:x"), Leftover("/jobs/x"))),
            id="a job that exists has a record and files",
        ),
        pytest.param(
            with_files(of_poison(".job-1.x-1.partial")), id="a leftover copy while an unsuccessful job has files"
        ),
    ],
)
def test_allowed_remains_break_no_invariant(found: Evidence) -> None:
    assert problems(found) == []


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(with_messages(evidence(None, running(6.0, 20))), id="a message of a running job"),
    ],
)
def test_excused_remains_do_not_break_the_invariant(found: Evidence) -> None:
    assert 4 not in broken(found)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(
            evidence(replace(job("withdraw"), requested_at=3.0, withdrawn_at=4.0), flags=(f"cancel_request:{UID}",)),
            id="the flag of a withdrawn request",
        ),
        pytest.param(evidence(flags=(f"cancel:{UID}",)), id="the flag of a cancel without a request"),
        pytest.param(evidence(DELETED, leftovers=(Leftover("state: claim:x"),)), id="a key of a deleted job"),
        pytest.param(evidence(DELETED, leftovers=(Leftover("/jobs/x"),)), id="files of a deleted job"),
        pytest.param(
            evidence(DELETED, leftovers=(Leftover("state: claim:x", RETENTION * 2),)), id="a key that expires too late"
        ),
        pytest.param(
            evidence(DELETED, leftovers=(Leftover("state: cancel:x", 60.0, expires=False),)), id="a key without a TTL"
        ),
        pytest.param(evidence(leftovers=(Leftover("state: alive:x", 2.0),)), id="a heartbeat of a finished job"),
        pytest.param(with_messages(evidence()), id="a message of a finished job"),
        pytest.param(with_messages(evidence(DELETED, running(6.0, 20))), id="a message of a deleted job"),
        pytest.param(delivered(hidden=(".job-1.x-1.partial",)), id="a partial copy"),
        pytest.param(delivered(hidden=(".job-1.replaced-0",)), id="a replaced copy"),
        pytest.param(
            delivered(replace(job(), deleted_at=9.0), running(6.0, 20), hidden=(".job-1.x-1.partial",)),
            id="a partial copy of a deleted job",
        ),
        pytest.param(of_poison(".job-1.x-1.partial"), id="a partial copy of a failed job"),
    ],
)
def test_forbidden_remains_break_only_the_invariant(found: Evidence) -> None:
    assert broken(found) == {4}
