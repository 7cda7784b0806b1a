"""Sharing: how many helpers a run orders, and that it needs none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from reconstruction_operator.api.attempt_status import Parts
from reconstruction_operator.contract.envelope import PartOrder
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models.exchange import RunRequest
from reconstruction_operator.models.interface import PartTurn, Photo, StageFolder, Work
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, parts_calls, worker_calls
from reconstruction_operator.state.replies import HelpersUsage
from reconstruction_operator.worker.parts.plan import HelpPlan
from reconstruction_operator.worker.parts.sharing import Sharing

from tests.support.refs import make_attempt
from tests.support.worker.attempts import JOB

STAGE = "views~1"


@pytest.fixture
def work(tmp_path: Path) -> Work:
    stages = StageFolder(tmp_path / "stages", "key", 1, job_id=JOB)
    return Work((Photo(tmp_path / "a.jpg", 64, 48, 9),), tmp_path / "s", tmp_path / "o", {"faces": 5}, 2, stages)


@pytest.fixture
def sent() -> list[str]:
    return []


@pytest.fixture
def share(client: redis.Redis, wanted: None, work: Work, tmp_path: Path, sent: list[str]) -> Callable[..., Sharing]:
    """Make a sharing of a claimed run."""
    attempt = make_attempt(JOB)
    calls.run(client, worker_calls.claim(Keys(), attempt, token="run", worker="w"))

    def make(most: int = 3, **parts: Any) -> Sharing:
        plan = HelpPlan(RunRequest("model", work, 10.0), "model 1")
        order = PartOrder(attempt, "run", "1-abc")
        given = {"send": lambda _, helper: sent.append(helper), "shared": lambda _: None} | parts
        return Sharing(order, most, Workspace(tmp_path), plan, **given)

    return make


def join(client: redis.Redis, helper: str) -> None:
    calls.run(client, parts_calls.help_run(Keys(), JOB, run="run", helper=helper, worker="w2", life="life"))


def leave(client: redis.Redis, helper: str, why: str = "") -> None:
    call = parts_calls.leave_parts(Keys(), JOB, run="run", helper=helper, why=why, used=HelpersUsage(1.5, 3, 4))
    calls.run(client, call)


def test_no_more_helpers_are_ordered_than_allowed_or_than_parts_are_free(
    share: Callable[..., Sharing], sent: list[str], client: redis.Redis
) -> None:
    sharing = share(3)
    assert sharing.turn(STAGE, 8, None).part == 0
    assert len(sent) == 2
    sharing.turn(STAGE, 8, 0)
    assert len(sent) == 2
    for helper in sent:
        join(client, helper)
    leave(client, sent[0])
    assert sharing.turn(STAGE, 8, 1).part == 2
    assert len(sent) == 3

    few: list[str] = []
    assert share(9, send=lambda _, helper: few.append(helper)).turn("other~1", 3, None).part == 0
    assert len(few) == 1  # the two of before that have not left may make the other parts


def test_while_the_run_makes_a_part_it_looks_for_those_of_others_now_and_then(
    share: Callable[..., Sharing], sent: list[str], client: redis.Redis
) -> None:
    now = [0.0]
    seen: list[Parts] = []
    sharing = share(2, monotonic=lambda: now[0], shared=seen.append)
    sharing.look()
    sharing.turn(STAGE, 4, None)
    join(client, sent[0])
    taken = parts_calls.take_part(Keys(), JOB, run="run", maker=sent[0], stage=STAGE, count=4)
    calls.run(client, taken)
    sharing.look()
    assert seen == [Parts(4, 0, 1)]
    now[0] = 3.0
    sharing.look()
    assert seen == [Parts(4, 0, 1), Parts(4, 0, 2)]
    leave(client, sent[0])
    now[0] = 6.0
    sharing.look()
    assert (seen[-1], len(sent)) == (Parts(4, 0, 1), 2)  # another helper is ordered at once


def test_an_order_that_nobody_answers_is_repeated_after_a_while(share: Callable[..., Sharing], sent: list[str]) -> None:
    now = [0.0]
    sharing = share(2, monotonic=lambda: now[0])
    sharing.turn(STAGE, 8, None)
    now[0] = 50.0
    sharing.turn(STAGE, 8, None)
    assert len(sent) == 1
    now[0] = 70.0
    sharing.turn(STAGE, 8, None)
    assert len(sent) == 2


def test_a_refusal_is_logged_once_and_stops_orders_for_a_while(
    share: Callable[..., Sharing], sent: list[str], client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    sharing = share(2, monotonic=lambda: now[0])
    sharing.turn(STAGE, 8, None)
    leave(client, sent[0], "w2: it has another version of the model")
    sharing.turn(STAGE, 8, None)
    sharing.turn(STAGE, 8, None)
    assert len(sent) == 1
    assert caplog.text.count("gets no help from a worker: w2: it has another version of the model") == 1
    now[0] = 40.0
    sharing.turn(STAGE, 8, None)
    assert len(sent) == 2


def test_without_redis_the_run_makes_all_parts_itself(
    share: Callable[..., Sharing], sent: list[str], client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharing = share(2)
    assert sharing.turn(STAGE, 3, None).part == 0

    def refuse(*_: object, **__: object) -> None:
        raise redis.ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(client, "evalsha", refuse)
        patch.setattr(client, "eval", refuse)
        assert sharing.turn(STAGE, 3, 0) == PartTurn(1, 1, over=False)
        assert sharing.turn(STAGE, 3, 1) == PartTurn(2, 2, over=False)
        assert sharing.turn(STAGE, 3, 2) == PartTurn(None, 3, over=True)
        assert sharing.close() == HelpersUsage()


def test_a_broker_that_takes_no_order_leaves_the_run_alone(share: Callable[..., Sharing]) -> None:
    def refuse(*_: object) -> None:
        raise OSError("away")

    assert share(2, send=refuse).turn(STAGE, 3, None).part == 0


def test_what_helpers_need_is_in_a_file_and_what_they_make_is_counted(
    share: Callable[..., Sharing], work: Work, tmp_path: Path, client: redis.Redis
) -> None:
    seen: list[Parts] = []
    sharing = share(2, shared=seen.append)
    sharing.turn(STAGE, 3, None)
    join(client, "helper")
    taken = parts_calls.take_part(Keys(), JOB, run="run", maker="helper", stage=STAGE, count=3, made=None)
    assert calls.run(client, taken).part == 1
    sharing.turn(STAGE, 3, 0)
    assert seen == [Parts(3, 0, 1), Parts(3, 1, 2)]
    plan = HelpPlan.read(Workspace(tmp_path).plan)
    assert (plan.request.work, plan.made_by) == (work, "model 1")

    leave(client, "helper")
    assert sharing.close() == HelpersUsage(1.5, 3, 4)
    assert not client.exists(Keys().parts(JOB))


def test_a_run_that_made_no_parts_closes_without_redis(
    share: Callable[..., Sharing], monkeypatch: pytest.MonkeyPatch
) -> None:
    sharing = share(2)
    monkeypatch.setattr(job_manager, "get_redis_client", pytest.fail)
    assert sharing.close() == HelpersUsage()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"madeBy": "x", "request": "{}"}'])
def test_a_malformed_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ValueError):  # of several libraries
        HelpPlan.read(tmp_path / "plan.json")
