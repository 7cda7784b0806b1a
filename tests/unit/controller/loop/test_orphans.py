"""Orphans: the actions for jobs that were deleted, or that another installation manages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End, Record
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.actor import ActResults, JobActions
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.planning.actions import Action, AssertCancelled, EndAttempt, Forget, PutRecord
from reconstruction_operator.planning.types import Observation, Timing

from tests.support.jobs import make_job
from tests.support.plans import TIMING, observed
from tests.support.refs import make_attempt

RECORD = Record(make_attempt("uid-banana", install_id="here"))
THEIRS = Record(make_attempt("uid-banana", install_id="there"))


class World:
    """Orphans of an installation to which every record looks like `seen`. `actions` are those that it carries out."""

    def __init__(self, seen: Observation, timing: Timing = TIMING) -> None:
        batch = mock.Mock(observations=(seen,), now=datetime(2026, 3, 1, 12, tzinfo=UTC))
        this: Any = self
        self.observe = mock.AsyncMock(return_value=batch)
        self.actions: list[tuple[Action, ...]] = []
        self.orphans = Orphans(this, this, Installation("here"), timing=timing)

    async def act(self, batch: list[JobActions], _fence: int) -> ActResults:
        self.actions += [entry.actions for entry in batch]
        return ActResults()


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
    world = World(observed())

    world.orphans.add_deleted([Entry(make_job(Status(phase=phase, attempt=2), spec=spec))], now=0.0)
    await world.orphans.round(1, now=0.0)

    assert world.actions == [(*flag, PutRecord(replace(make_job().task, number=2)))]


@pytest.mark.parametrize(
    ("seen", "actions"),
    [
        pytest.param(observed(record=RECORD), [EndAttempt], id="waiting"),
        pytest.param(observed(record=RECORD, end=End(Outcome.STOPPED)), [Forget], id="ended"),
        pytest.param(observed(record=THEIRS), [], id="of-the-other-in-one-redis"),
        pytest.param(observed(), [], id="forgotten"),
    ],
)
async def test_only_our_own_record_of_a_contested_job_is_forgotten(
    seen: Observation, actions: list[type[Action]]
) -> None:
    world = World(seen)

    world.orphans.add(["uid-banana"], now=0.0, contested=True)
    await world.orphans.round(1, now=0.0)

    assert [type(action) for of_job in world.actions for action in of_job] == actions
    assert ("uid-banana" in world.orphans) is bool(actions)
