"""Calls about parts: a run and the workers that help it share out the parts of a stage.

Pure: each function makes a `Call` of the script of its name. `run` is the token of the run that is helped. A maker is
that run, or a helper by its Celery task id.
"""

from __future__ import annotations

from typing import Any, Literal

from reconstruction_operator import config
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import fields
from reconstruction_operator.state.calls import Call, UnexpectedReplyError, script
from reconstruction_operator.state.replies import NO_USAGE, BeatReply, HelpersUsage, HelpReply, PartsReply

_CODES = ("make", "wait", "over")


def take_part(
    keys: Keys,
    job_id: str,
    *,
    run: str,
    maker: str,
    stage: str,
    count: int,
    made: int | None = None,
    what: Literal["take", "leave", "look"] = "take",
) -> Call[PartsReply]:
    """Report the part that this maker has `made`, and `take` the next of the `count` parts of the stage; or `leave`,
    without one; or only `look` how far the stage is.

    The run's first call for a stage begins it. A part whose maker is lost, or slow, is given to another one.
    """

    def read(reply: Any) -> PartsReply:
        match reply:
            case [code, str() as part, int() as finished, int() as makers, *helpers] if code in _CODES:
                taken = fields.whole(part, 0, count - 1)
                known = dict(zip(helpers[::2], helpers[1::2], strict=True))
                return PartsReply(taken, code == "over", finished, makers, known)
            case _:
                raise UnexpectedReplyError("take_part", reply)

    newest = "" if made is None else made
    arguments = (run, maker, stage, count, newest, fields.retention_ms(), _lost_ms(), what)
    return Call(script("take_part"), (keys.job(job_id), keys.parts(job_id)), arguments, read)


def help_run(keys: Keys, job_id: str, *, run: str, helper: str, worker: str, life: str) -> Call[HelpReply]:
    """Report that a helper is alive, and ask whether the run still wants help, and with which stage.

    `life` is as in `worker_calls.start_draining`.
    """

    def read(reply: Any) -> HelpReply:
        match reply:
            case [owned, cancelled, str() as stop, str() as drain_at, str() as stage]:
                beat = BeatReply(owned == 1, cancelled == 1, fields.parse_stop(stop), fields.time_of(drain_at))
                return HelpReply(beat, stage)
            case _:
                raise UnexpectedReplyError("help_run", reply)

    of_job = (keys.job(job_id), keys.alive(job_id), keys.cancel(job_id), keys.draining(worker), keys.parts(job_id))
    return Call(script("help_run"), of_job, (run, helper, worker, life, fields.retention_ms()), read)


def leave_parts(
    keys: Keys, job_id: str, *, run: str, helper: str, why: str = "", used: HelpersUsage = NO_USAGE
) -> Call[None]:
    """Report that a helper makes no more parts: `why` it has refused or failed, or empty."""
    cpu_ms = fields.milliseconds(used.cpu_seconds)
    arguments = (run, helper, fields.plain(why), cpu_ms, used.read_bytes, used.written_bytes)
    return Call(script("leave_parts"), (keys.parts(job_id),), arguments, lambda _: None)


def close_parts(keys: Keys, job_id: str, *, run: str) -> Call[tuple[int, HelpersUsage]]:
    """Report that the run needs no more help.

    Returns how many helpers have not left yet, and what those that have left used.
    """

    def read(reply: Any) -> tuple[int, HelpersUsage]:
        match reply:
            case [int() as helpers, int() as cpu_ms, int() as read_bytes, int() as written_bytes]:
                return helpers, HelpersUsage(cpu_ms / 1000, read_bytes, written_bytes)
            case _:
                raise UnexpectedReplyError("close_parts", reply)

    return Call(script("close_parts"), (keys.parts(job_id),), (run, _lost_ms()), read)


def _lost_ms() -> int:
    return fields.milliseconds(config.settings.ALIVE_TTL_SECONDS)
