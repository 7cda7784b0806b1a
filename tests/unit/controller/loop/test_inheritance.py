"""Inheritance: each shard takes over its jobs from shards of another number once those have ended."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from reconstruction_operator.api.status import InstallationMark
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.inheritance import Inheritance
from reconstruction_operator.planning.shards import WHOLE, Shard
from reconstruction_operator.state import calls, operator_calls, reads
from reconstruction_operator.state.operator_calls import Sight

from tests.support.protocol.state import State

KEYS = Keys(prefix="")
LEASE = ("here", "operator")
NAMES = sorted(str(uuid.uuid5(uuid.NAMESPACE_OID, letter)) for letter in "abcdefghi")


@pytest.fixture(autouse=True)
def redis(monkeypatch: pytest.MonkeyPatch) -> State:
    """The model of the scripts, which is compared with Redis elsewhere, in place of a server."""
    state = State(clock=1_800_000_000_000)

    async def arun(_client: object, call: calls.Call[Any]) -> Any:
        return state.run(call)

    monkeypatch.setattr(calls, "arun", arun)
    return state


def put(redis: State, *names: str, install_id: str) -> None:
    for name in names:
        place: dict[str, Any] = {"namespace": "team", "name": name, "attempt": 1, "queue": "celery"}
        redis.run(operator_calls.put_record(KEYS, job_id=name, fence=1, install_id=install_id, **place))


def recorded(redis: State, install_id: str) -> list[str]:
    return list(redis.run(reads.list_records(KEYS, install_id)))


def of(shard: Shard) -> list[str]:
    return [name for name in NAMES if shard.has(name)]


def heir(shard: Shard, ended: set[str]) -> Inheritance:
    view: Any = SimpleNamespace(state=None, keys=KEYS)

    def has_ended(mark: InstallationMark) -> bool:
        return mark.lease in ended

    return Inheritance(view, Installation.of("id", LEASE, (), shard), has_ended)


async def test_two_shards_take_over_every_record_of_three(redis: State) -> None:
    three = [Shard(number, 3) for number in (1, 2, 3)]
    assert all(map(of, (*three, Shard(1, 2), Shard(2, 2))))
    for shard in three:
        put(redis, *of(shard), install_id=f"id{shard.suffix}")

    for shard in (Shard(1, 2), Shard(2, 2)):
        await heir(shard, {f"here/operator{one.suffix}" for one in three}).take(1)

    assert [recorded(redis, f"id{one.suffix}") for one in three] == [[], [], []]
    assert recorded(redis, "id-1-of-2") == of(Shard(1, 2))
    assert recorded(redis, "id-2-of-2") == of(Shard(2, 2))
    assert {redis.values[KEYS.record(name)]["install_id"] for name in of(Shard(2, 2))} == {"id-2-of-2"}


async def test_a_shard_that_still_runs_keeps_its_records(redis: State) -> None:
    put(redis, *of(Shard(2, 2)), install_id="id-2-of-2")
    inheritance = heir(WHOLE, ended=set())

    await inheritance.take(1)

    assert (inheritance.waiting, inheritance.givers) == (True, ())
    assert recorded(redis, "id-2-of-2") == of(Shard(2, 2))


async def test_one_operator_takes_over_from_shards_and_shards_from_one_operator(redis: State) -> None:
    put(redis, *NAMES, install_id="id")
    for shard in (Shard(1, 2), Shard(2, 2)):
        await heir(shard, {"here/operator"}).take(1)
    assert recorded(redis, "id") == []

    await heir(WHOLE, {"here/operator-1-of-2", "here/operator-2-of-2"}).take(1)

    assert recorded(redis, "id") == NAMES


async def test_records_of_other_installations_stay_theirs(redis: State) -> None:
    put(redis, *NAMES, install_id="other-1-of-2")

    await heir(WHOLE, {"here/operator-1-of-2"}).take(1)

    assert recorded(redis, "other-1-of-2") == NAMES


async def test_records_that_another_installation_has_taken_over_stay_theirs(redis: State) -> None:
    put(redis, *NAMES, install_id="id")
    put(redis, NAMES[0], install_id="other")  # handed over: the index of the first still names it

    await heir(Shard(1, 2), {"here/operator"}).take(1)
    await heir(Shard(2, 2), {"here/operator"}).take(1)

    assert redis.values[KEYS.record(NAMES[0])]["install_id"] == "other"
    assert recorded(redis, "other") == [NAMES[0]]
    assert recorded(redis, "id") == []
    assert sorted(recorded(redis, "id-1-of-2") + recorded(redis, "id-2-of-2")) == NAMES[1:]


async def test_a_hold_after_a_restore_is_known_before_the_other_shard_has_ended(redis: State) -> None:
    note: dict[str, Any] = {"version": 9, "sight": Sight.RESTORED, "fence": 1}
    redis.run(operator_calls.note_version(KEYS, install_id="id-2-of-2", **note))

    await heir(WHOLE, ended=set()).take(1)

    look = operator_calls.note_version(KEYS, version=5, sight=Sight.LIST, fence=1, install_id="id")
    assert redis.run(look) == 0.0
