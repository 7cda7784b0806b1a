"""Limits of long requests: a client with many requests does not keep others out."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from reconstruction_gallery.kube.users import User
from reconstruction_gallery.web.limits import RequestLimit
from starlette.exceptions import HTTPException

ANNA = User("anna")


def account(number: int, namespace: str = "maps") -> User:
    return User(f"system:serviceaccount:{namespace}:{number}")


async def hold(limit: RequestLimit, user: User, held: asyncio.Event) -> None:
    async with limit.slot(user):
        held.set()
        await asyncio.Event().wait()


async def test_a_user_has_a_limited_number_of_requests() -> None:
    limit = RequestLimit(2, 100)
    async with limit.slot(ANNA), limit.slot(ANNA):
        with pytest.raises(HTTPException, match="429"):
            await limit.slot(ANNA).__aenter__()

    async with limit.slot(ANNA), limit.slot(ANNA):
        pass


async def test_a_request_of_another_client_ends_the_oldest_of_the_largest_client() -> None:
    limit = RequestLimit(2, 3)
    running = []
    for number in range(3):
        held = asyncio.Event()
        running.append(asyncio.create_task(hold(limit, account(number), held)))
        await held.wait()

    async with limit.slot(ANNA):
        with pytest.raises(HTTPException, match="429"):
            await running[0]
        with pytest.raises(HTTPException, match="429"):  # the namespace has the most
            await limit.slot(account(3)).__aenter__()

    for task in running[1:]:
        task.cancel()
    assert [type(end) for end in await asyncio.gather(*running[1:], return_exceptions=True)] == [
        asyncio.CancelledError
    ] * 2


async def test_clients_with_one_request_each_are_not_ended() -> None:
    limit = RequestLimit(2, 3)
    async with AsyncExitStack() as running:
        for number in range(3):
            await running.enter_async_context(limit.slot(account(0, f"namespace-{number}")))

        with pytest.raises(HTTPException, match="429"):
            await limit.slot(ANNA).__aenter__()


async def test_a_request_waits_for_a_slot_of_its_user() -> None:
    limit = RequestLimit(1, 100, wait_seconds=60)
    held = asyncio.Event()
    async with limit.slot(ANNA):
        waiting = asyncio.create_task(hold(limit, ANNA, held))
        async with limit.slot(account(1)):  # another user does not wait
            pass
        assert not held.is_set()

    await held.wait()
    waiting.cancel()


async def test_a_request_that_gets_no_slot_in_time_is_refused() -> None:
    limit = RequestLimit(1, 100, wait_seconds=0.01)
    async with limit.slot(ANNA):
        with pytest.raises(HTTPException, match="429"):
            await limit.slot(ANNA).__aenter__()


async def test_a_request_that_ends_while_it_waits_takes_no_slot() -> None:
    limit = RequestLimit(1, 100, wait_seconds=60)
    async with limit.slot(ANNA):
        waiting = asyncio.create_task(hold(limit, ANNA, asyncio.Event()))
        await asyncio.sleep(0)
        waiting.cancel()

    assert isinstance(*await asyncio.gather(waiting, return_exceptions=True), asyncio.CancelledError)
    await asyncio.wait_for(limit.slot(ANNA).__aenter__(), 10)


async def test_while_others_wait_a_request_ends_after_its_turn() -> None:
    limit = RequestLimit(1, 2, wait_seconds=60, turn_seconds=0.05)
    held = [asyncio.Event() for _ in range(3)]
    running = []
    for number, event in enumerate(held):
        running.append(asyncio.create_task(hold(limit, User(f"user-{number}"), event)))
        await event.wait()

    (ended,) = await asyncio.gather(running[0], return_exceptions=True)
    assert isinstance(ended, HTTPException)
    assert not running[1].done()
    for task in running[1:]:
        task.cancel()


async def test_a_request_for_which_nobody_waits_has_no_turn() -> None:
    limit = RequestLimit(1, 2, wait_seconds=60, turn_seconds=0.01)
    async with limit.slot(ANNA), limit.slot(User("ben")):
        await asyncio.sleep(0.1)  # longer than a turn


async def test_a_request_that_waits_for_its_own_user_ends_no_other() -> None:
    limit = RequestLimit(1, 2, wait_seconds=1.5, turn_seconds=0.01)
    held = asyncio.Event()
    other = asyncio.create_task(hold(limit, User("ben"), held))
    await held.wait()
    async with limit.slot(ANNA):
        with pytest.raises(HTTPException, match="429"):
            await limit.slot(ANNA).__aenter__()

    assert not other.done()
    other.cancel()


async def test_accounts_of_one_namespace_share_the_places_to_wait() -> None:
    limit = RequestLimit(1, 1, wait_seconds=30.0)
    async with limit.slot(ANNA):
        waiting = [asyncio.create_task(limit.slot(account(number)).__aenter__()) for number in range(100)]
        await asyncio.sleep(0)
        with pytest.raises(HTTPException, match="429"):
            await limit.slot(account(100)).__aenter__()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
