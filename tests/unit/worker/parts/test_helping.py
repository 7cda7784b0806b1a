"""Helping: the run learns why a worker cannot help, so that it does not order the next one at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from reconstruction_operator.contract.envelope import PartOrder
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.models import registry
from reconstruction_operator.models.exchange import RunRequest
from reconstruction_operator.models.interface import Work
from reconstruction_operator.state import calls, parts_calls, worker_calls
from reconstruction_operator.worker.model.selection import made_by
from reconstruction_operator.worker.parts.helping import Helper
from reconstruction_operator.worker.parts.plan import HelpPlan

from tests.support.refs import make_attempt
from tests.support.worker.attempts import JOB

MODEL = "placeholder"


@pytest.mark.parametrize(
    ("case", "why"),
    [
        pytest.param("no volume", "the run's files are not on this worker's volume", id="volume"),
        pytest.param("other version", "another version of the model placeholder", id="version"),
        pytest.param("disk", "File exists", id="disk"),
    ],
)
def test_the_run_learns_why_a_worker_cannot_help(
    client: redis.Redis, wanted: None, jobs_dir: Path, case: str, why: str
) -> None:
    attempt = make_attempt(JOB)
    calls.run(client, worker_calls.claim(Keys(), attempt, token="run", worker="w"))
    take = parts_calls.take_part(Keys(), JOB, run="run", maker="run", stage="views~1", count=4)
    calls.run(client, take)
    space = JobFolder.of(JOB).workspace("1-abc")
    if case != "no volume":
        space.root.mkdir(parents=True)
        work = Work((), space.scratch, space.output, {}, 1)
        version = "older" if case == "other version" else made_by(registry.find(MODEL))
        HelpPlan(RunRequest(MODEL, work, 10.0), version).write(space.plan)
        if case == "disk":
            space.plan.with_name("helper").mkdir()

    said = Helper(PartOrder(attempt, "run", "1-abc"), "helper", "w2", lambda: False).help()

    assert why in said
    known = calls.run(client, take).helpers
    assert known["helper"].startswith("w2: ")
    assert why in known["helper"]


def test_no_help_is_given_to_a_run_that_has_ended(client: redis.Redis, wanted: None, jobs_dir: Path) -> None:
    said = Helper(PartOrder(make_attempt(JOB), "gone", "1-abc"), "helper", "w2", lambda: False).help()
    assert said == "no help is wanted any more"
    assert not client.exists(Keys().parts(JOB))
