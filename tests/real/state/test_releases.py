"""Releases of held deletions: the command's call, and what the operator reads and drops."""

import pytest
import redis
from reconstruction_operator.state import operator_calls, releases
from reconstruction_operator.state.replies import HeldCounts

from tests.support.protocol.caller import Caller
from tests.support.protocol.foreign import put_foreign


def hold(do: Caller, *held: tuple[str, str], replace: bool = True) -> None:
    do.order(operator_calls.report_held, held=held, replace=replace)


def test_the_held_of_a_namespace_are_released_until_they_are_dropped(do: Caller, client: redis.Redis) -> None:
    hold(do, ("old", "records/team-c"))
    hold(do, ("a", "records/team-a"), ("b", "records/team-b"))
    hold(do, ("c", "job folders/team-a"), replace=False)
    after = HeldCounts({"team-b": 1}, {"team-a": 2})
    assert do(releases.release_held, "install", namespaces=["team-a", "never"]) == after
    assert do(releases.release_held, "install", namespaces=["team-a"]) == after  # a retry after a lost reply
    assert do(releases.release_held, "other", every=True) == HeldCounts({}, {})
    assert do(releases.list_released, "install") == {"a": "records", "c": "job folders"}

    assert do(releases.release_held, "install", every=True) == HeldCounts({}, {"team-a": 2, "team-b": 1})
    do.order(operator_calls.drop_released)
    assert client.keys("*") == ["fence:install"]


def test_a_hundred_thousand_are_released_at_once(do: Caller, client: redis.Redis) -> None:
    client.hset("held:install", mapping={f"job-{number}": "records/team-a" for number in range(100_000)})

    assert do(releases.release_held, "install", namespaces=["team-a"]) == HeldCounts({}, {"team-a": 100_000})


@pytest.mark.parametrize("kind", ["string", "list", "set"])
def test_keys_of_another_type_are_ignored_and_replaced(do: Caller, client: redis.Redis, kind: str) -> None:
    for key in ("held:install", "released:install"):
        put_foreign(client, key, kind)
    assert do(releases.list_released, "install") == {}
    assert do(releases.release_held, "install", every=True) == HeldCounts({}, {})
    hold(do, ("a", "records/team-a"), replace=False)
    assert do(releases.release_held, "install", every=True) == HeldCounts({}, {"team-a": 1})
