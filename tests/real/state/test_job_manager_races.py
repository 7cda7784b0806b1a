"""Concurrent calls of the job manager on a real Redis."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import redis
from reconstruction_operator.services import job_manager

ROUNDS = 200


def at_once(*functions: Callable[[str], object]) -> list[object]:
    """Start all calls together; return their results."""
    barrier = Barrier(len(functions))

    def start(function: Callable[[str], object]) -> object:
        barrier.wait()
        return function("test123")

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(start, functions))


def flags(client: redis.Redis) -> dict[str, object]:
    return {key: client.get(key) for key in client.keys("*")}


def test_of_several_confirmations_exactly_one_is_true(client: redis.Redis) -> None:
    for _ in range(ROUNDS):
        client.flushdb()
        job_manager.request_cancellation("test123")
        results = at_once(*[job_manager.confirm_cancellation] * 4)
        assert sorted(map(bool, results)) == [False, False, False, True]
        assert flags(client) == {"cancel:test123": "1"}


def test_a_confirmation_and_a_clear_leave_no_half_state(client: redis.Redis) -> None:
    for _ in range(ROUNDS):
        client.flushdb()
        job_manager.request_cancellation("test123")
        confirmed, _ = at_once(job_manager.confirm_cancellation, job_manager.clear_cancellation)
        allowed = [{}, {"cancel:test123": "1"}] if confirmed else [{}]
        assert flags(client) in allowed


def test_a_confirmation_and_a_withdrawal_agree_on_their_order(client: redis.Redis) -> None:
    for _ in range(ROUNDS):
        client.flushdb()
        job_manager.request_cancellation("test123")
        confirmed, withdrawn = at_once(job_manager.confirm_cancellation, job_manager.withdraw_request)
        assert confirmed is not withdrawn
        assert flags(client) == ({"cancel:test123": "1"} if confirmed else {})
