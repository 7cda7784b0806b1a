"""Orphans: records that Redis lost are asserted again, to clean up by them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from unittest import mock

import pytest
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.actor import ActResults, JobActions
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.planning.actions import Action, AssertCancelled, DeleteFiles, Forget, PutRecord, TakeClaim
from reconstruction_operator.planning.types import Observation

from tests.support.jobs import make_job
from tests.support.plans import TIMING

RECORD = Record("here", "default", "banana", 1, "celery")


@pytest.mark.parametrize(
    ("spec", "phase", "flag"),
    [
        pytest.param(Spec(), Phase.RUNNING, (), id="not-cancelled"),
        pytest.param(
            Spec(cancel_requested=True, cancel_confirmed=True), Phase.CANCELLED, (AssertCancelled(),), id="cancelled"
        ),
        pytest.param(
            Spec(cancel_requested=True, cancel_confirmed=True), Phase.RUNNING, (AssertCancelled(),), id="confirmed"
        ),
        pytest.param(Spec(cancel_requested=True, cancel_confirmed=True), Phase.SUCCEEDED, (), id="confirmed-too-late"),
    ],
)
async def test_the_flag_of_a_cancelled_job_is_restored_before_its_record(
    spec: Spec, phase: Phase, flag: tuple[Action, ...]
) -> None:
    """With the record an order to delete files is carried out, and the flag makes it delete all of them."""
    seen = mock.Mock(observations=(Observation(),), now=datetime(2026, 3, 1, 12, tzinfo=UTC))
    observer = mock.Mock(observe=mock.AsyncMock(return_value=seen))
    carried_out: list[JobActions] = []

    async def act(batch: list[JobActions], _fence: int) -> ActResults:
        carried_out.extend(batch)
        return ActResults()

    orphans = Orphans(observer, cast("Any", mock.Mock(act=act)), Installation("here"), timing=TIMING)
    orphans.add_deleted([make_job(Status(phase=phase, attempt=2), spec=spec)], now=0.0)
    await orphans.round(1, now=0.0)

    assert [one.actions for one in carried_out] == [(*flag, PutRecord(2, "celery"))]


@pytest.mark.parametrize(
    ("seen", "actions"),
    [
        pytest.param(Observation(record=RECORD), [TakeClaim], id="waiting"),
        pytest.param(Observation(record=RECORD, end=End(Outcome.STOPPED)), [Forget], id="ended"),
        pytest.param(Observation(record=replace(RECORD, install_id="there")), [], id="of-the-other-in-one-redis"),
        pytest.param(Observation(), [], id="forgotten"),
    ],
)
async def test_only_our_own_record_of_a_job_that_was_handed_over_is_forgotten(
    seen: Observation, actions: list[type[Action]]
) -> None:
    observed = mock.Mock(observations=(seen,), now=datetime(2026, 3, 1, 12, tzinfo=UTC))
    observer = mock.Mock(observe=mock.AsyncMock(return_value=observed))
    carried_out: list[JobActions] = []

    async def act(batch: list[JobActions], _fence: int) -> ActResults:
        carried_out.extend(batch)
        return ActResults()

    orphans = Orphans(observer, cast("Any", mock.Mock(act=act)), Installation("here"), timing=TIMING)
    orphans.add_handed_over(["uid-banana"], now=0.0)
    await orphans.round(1, now=0.0)

    assert [type(action) for one in carried_out for action in one.actions] == actions
    assert ("uid-banana" in orphans) is bool(actions)


@pytest.mark.parametrize(
    ("policy", "expected"), [(None, 3600), ("Delete", 0), ("Retain", 3600)], ids=["settings", "delete", "retain"]
)
async def test_a_deleted_jobs_result_is_kept_as_its_spec_says(policy: str | None, expected: int) -> None:
    over = End(Outcome.SUCCEEDED, at=datetime(2026, 3, 1, tzinfo=UTC), worker="w")
    claim = Claim("token", "w", by_operator=False, at=datetime(2026, 3, 1, tzinfo=UTC))
    looked = Observation(record=RECORD, claim=claim, end=over)
    seen = mock.Mock(observations=(looked,), now=datetime(2026, 3, 1, 12, tzinfo=UTC))
    carried_out: list[JobActions] = []

    async def act(batch: list[JobActions], _fence: int) -> ActResults:
        carried_out.extend(batch)
        return ActResults()

    orphans = Orphans(
        mock.Mock(observe=mock.AsyncMock(return_value=seen)),
        cast("Any", mock.Mock(act=act)),
        Installation("here"),
        timing=replace(TIMING, deletion_policy="Retain", retain_seconds_after_deletion=3600),
    )
    job = make_job(Status(phase=Phase.SUCCEEDED, attempt=1, worker="w"), spec=Spec(deletion_policy=policy))
    orphans.add_deleted([job], now=0.0)
    await orphans.round(1, now=0.0)

    assert [one.actions for one in carried_out] == [(DeleteFiles("celery", retain_seconds=expected),)]
