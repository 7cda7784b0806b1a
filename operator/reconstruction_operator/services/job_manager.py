"""Two-step cancel of a job, for other programs. The operator decides cancels in `planning/rules/cancelling.py`.

A request (`cancel_request:{job_id}` = "pending") may be withdrawn; a confirmation (`cancel:{job_id}` = "1") makes the
worker stop. Both expire after 3600 s. Every change is one atomic command or script, so that two confirmations, or a
confirmation and a clear, never leave half a state.

All functions raise ValueError for a job id that is unsafe as a key.
"""

from __future__ import annotations

import functools
from typing import Final

import redis

from reconstruction_operator import config
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import connections
from reconstruction_operator.state.calls import Call, Script, run

_PENDING: Final = "pending"
_CONFIRMED: Final = "1"

_CONFIRM: Final = Script.of(
    "confirm",
    """-- Turn a request into a confirmation. Answers whether there was a request.
local request_key, cancel_key = unpack(KEYS)
local confirmed, ttl_s = unpack(ARGV)
if redis.call('EXISTS', request_key) == 0 then return 0 end
redis.call('DEL', request_key)
redis.call('SET', cancel_key, confirmed, 'EX', ttl_s)
return 1
""",
)
# A full Redis refuses a plain SET, but allows one after a deletion in the same script.
_SET: Final = Script.of(
    "set",
    """-- Set the first key, and delete the others. Answers nothing.
redis.call('DEL', unpack(KEYS))
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return false
""",
)


@functools.cache
def get_redis_client() -> redis.Redis:
    """Return the client of the job state, created from `config.settings.REDIS_STATE_DB` at the first call;
    `cache_clear()` drops it.
    """
    return connections.state_client()


def request_cancellation(job_id: str) -> bool:
    """Step one: request a cancel. Return True."""
    _set((Keys().cancel_request(job_id),), _PENDING)
    return True


def confirm_cancellation(job_id: str) -> bool:
    """Step two: turn the request into a cancel. Without a request, change nothing and return False."""
    keys = Keys()
    flags = keys.cancel_request(job_id), keys.cancel(job_id)
    return run(get_redis_client(), Call(_CONFIRM, flags, (_CONFIRMED, config.CANCEL_TTL_SECONDS), bool))


def is_job_cancelled(job_id: str) -> bool:
    """Return whether the cancel is confirmed."""
    return bool(get_redis_client().exists(Keys().cancel(job_id)))


def cancel_pending(job_id: str) -> bool:
    """Return whether a cancel is requested but not confirmed."""
    return bool(get_redis_client().exists(Keys().cancel_request(job_id)))


def clear_cancellation(job_id: str) -> None:
    """Delete the request and the confirmation."""
    keys = Keys()
    get_redis_client().delete(keys.cancel_request(job_id), keys.cancel(job_id))


def withdraw_request(job_id: str) -> bool:
    """Withdraw the request; a confirmation stays. Return whether there was a request."""
    return bool(get_redis_client().delete(Keys().cancel_request(job_id)))


def assert_cancelled(job_id: str) -> bool:
    """Set the confirmation or renew its TTL, so that it does not expire while the job still waits. Return True."""
    keys = Keys()
    _set((keys.cancel(job_id), keys.cancel_request(job_id)), _CONFIRMED)
    return True


def _set(keys: tuple[str, ...], value: str) -> None:
    run(get_redis_client(), Call(_SET, keys, (value, config.CANCEL_TTL_SECONDS), bool))
