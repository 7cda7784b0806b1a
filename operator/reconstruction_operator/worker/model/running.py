"""Running a model: in the worker's process, or isolated in one of its own. Any death of that becomes a reason."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from dataclasses import replace

from reconstruction_operator import config
from reconstruction_operator.models import exchange, registry
from reconstruction_operator.models.exchange import ExitMessage, ModelMessage, PartMessage, ProgressMessage, RunRequest
from reconstruction_operator.models.interface import Model, ModelFailure, Parts, Report, Result, StageElsewhere, Work
from reconstruction_operator.units import megabytes
from reconstruction_operator.worker.model.process import ModelProcess
from reconstruction_operator.worker.model.usage import ModelUsage, UsageWatch

_POLL_SECONDS = 0.1  # how often the run checks whether it has to end
_BEAT_SECONDS = 1.0  # between two signs of life to the process
_MESSAGE_TAIL_CHARS = 400
_TRACEBACK = "Traceback (most recent call last):"

logger = logging.getLogger(__name__)


def run_model(
    model: Model,
    work: Work,
    *,
    report: Report,
    check: Callable[[], None],
    used: Callable[[ModelUsage], None] = lambda _: None,
    parts: Parts | None = None,
    beat_seconds: float = _BEAT_SECONDS,
) -> Result:
    """Run the model, an isolated one in a process that gets a sign of life every `beat_seconds`; return its result.

    An exception of `report` or `check` ends the process within `process.GRACE_SECONDS`. MODEL_MEMORY_BYTES limits the
    resident memory of all its processes together. `used` is called with the measured usage of the processes, however
    they ended. `parts` answers an isolated model that asks for a part of a stage; None: it makes all stages alone.

    Raises ModelFailure and StageElsewhere as the model does; ModelFailure with OUT_OF_MEMORY or BACKEND_CRASHED if the
    process died; OSError if it could not be started (ExhaustedError for lack of processes).
    """
    if not model.isolated:
        return _with_warnings(model, work, model.run(work, report))
    request = RunRequest(model.name, work, config.settings.ALIVE_TTL_SECONDS)
    with ModelProcess(request, beat_seconds, answers=parts is not None) as process:
        outcome: ModelMessage | None = None
        step = "its start"
        watch = UsageWatch(process.pid, config.settings.MODEL_MEMORY_BYTES, model.name)
        try:
            while not process.ended:
                for message in process.listen(_POLL_SECONDS):
                    if isinstance(message, ProgressMessage):
                        step = message.step.name.lower()
                        report(
                            message.step,
                            message.fraction,
                            message.message,
                            resumed=message.resumed,
                            remaining_seconds=message.remaining_seconds,
                            quality=message.quality,
                        )
                    elif isinstance(message, PartMessage):
                        if parts is not None:
                            process.answer(parts(message.stage, message.count, message.made))
                    elif not isinstance(message, ExitMessage):
                        outcome = message
                check()
                watch.check()
        finally:
            if watch.peak_bytes:
                exact = 0.0 if process.exit is None else process.exit.cpu_seconds
                spent = max(exact, watch.cpu_seconds)
                used(ModelUsage(spent, watch.peak_bytes, watch.read_bytes, watch.written_bytes, watch.gpu_seconds))
        result = _judged(outcome, process, f"{model.name} died during {step}", watch.newest_bytes)
        return _with_warnings(model, work, result)


def _with_warnings(model: Model, work: Work, result: Result) -> Result:
    """Return the result with the warnings of its photos, and of licences of weights that forbid commercial use."""
    photos = dict.fromkeys(photo.warning for photo in work.photos)  # once for all frames of a video
    forbidding = [
        f"the licence {used.licence} of the weights {used.name} forbids commercial use"
        for used in registry.weights(model)
        if not used.commercial
    ]
    return replace(result, warning="; ".join(filter(None, [result.warning, *photos, *forbidding])))


def _judged(outcome: ModelMessage | None, process: ModelProcess, what: str, newest_bytes: int) -> Result:
    match outcome:
        case Result():
            return outcome
        case exchange.FailureMessage(reason, text):
            raise ModelFailure(reason, text)
        case exchange.ElsewhereMessage(stage):
            raise StageElsewhere(stage)
        case exchange.DefectMessage(text):
            logger.error("%s with an unexpected exception:\n%s", what, text)
            raise ModelFailure("BACKEND_CRASHED", f"{what}: {text.strip().splitlines()[-1][:_MESSAGE_TAIL_CHARS]}")
        case _:
            raise _death(process, what, newest_bytes)


def _death(process: ModelProcess, what: str, newest_bytes: int) -> ModelFailure:
    code = process.exit_code()
    log = process.read_log()
    logger.error("%s (exit code %d); the end of its output:\n%s", what, code, log)
    if process.was_paused:
        silence = f"{process.silence_seconds:g} s"
        return ModelFailure(
            "WORKER_ERROR",
            f"{what}: its worker gave no sign of life for {silence} (paused, or the machine is overloaded), so the "
            "model ended itself",
        )
    if code == -signal.SIGKILL:
        used = f"; it used {megabytes(newest_bytes)} when it was last seen" if newest_bytes else ""
        if _TRACEBACK in log:
            crash = _with_tail(what, log)
            return ModelFailure("BACKEND_CRASHED", f"{crash}; then killed by SIGKILL, perhaps for memory{used}")
        # The worker did not send SIGKILL, so most likely the kernel did, for lack of memory.
        return ModelFailure("OUT_OF_MEMORY", f"{what}: killed from outside by SIGKILL, most likely for memory{used}")
    name = next((item.name for item in signal.Signals if item == -code), f"signal {-code}")
    how = f"it exited with code {code} and without a result" if code >= 0 else f"killed by {name}"
    return ModelFailure("BACKEND_CRASHED", _with_tail(f"{what}: {how}", log))


def _with_tail(text: str, log: str) -> str:
    tail = " | ".join(line.strip() for line in log.splitlines() if line.strip())[-_MESSAGE_TAIL_CHARS:]
    return f"{text}. Its last output: {tail}" if tail else text
