"""Model process: runs an isolated model in its own process group, which can be killed at any point.

Any death becomes a reason.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Self

from reconstruction_operator import config, exhaustion
from reconstruction_operator.models import exchange, registry
from reconstruction_operator.models.exchange import ExitMessage, ModelMessage, PartMessage, ProgressMessage, RunRequest
from reconstruction_operator.models.interface import (
    Model,
    ModelFailure,
    Parts,
    PartTurn,
    Report,
    Result,
    StageElsewhere,
    Work,
)
from reconstruction_operator.transfer.objects.environment import is_secret
from reconstruction_operator.units import megabytes
from reconstruction_operator.worker.model.usage import ModelUsage, UsageWatch

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.1  # how often the run checks whether it has to end
_BEAT_SECONDS = 1.0  # between two signs of life to the process
_KILL_SECONDS = 10.0  # wait after SIGKILL; a process that hangs on a dead disk is left behind
_GRACE_SECONDS = 1.0  # between SIGTERM and SIGKILL; part of the model interface
_LOG_TAIL_BYTES = 4_096
_MESSAGE_TAIL_CHARS = 400
# -P: a module in the current folder must not shadow a library's.
_PROGRAM = ("-P", "-m", "reconstruction_operator.models.child")
_TRACEBACK = "Traceback (most recent call last):"
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
# A model needs none of the worker's settings, and some are secrets.
_SETTINGS = frozenset(row.name for row in config.TABLE)  # names of environment variables
# Celery and OpenTelemetry read further secrets, such as CELERY_BROKER_READ_URL.
_SECRET_PREFIXES = ("CELERY_", "OTEL_")


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

    An exception of `report` or `check` ends the process within `_GRACE_SECONDS`. MODEL_MEMORY_BYTES limits the resident
    memory of all its processes together. `used` is called with the measured usage of the processes, however they ended.
    `parts` answers an isolated model that asks for a part of a stage; None: it makes all stages alone.

    Raises ModelFailure and StageElsewhere as the model does; ModelFailure with OUT_OF_MEMORY or BACKEND_CRASHED if the
    process died; OSError if it could not be started (ExhaustedError for lack of processes).
    """
    if not model.isolated:
        return _with_warnings(model, work, model.run(work, report))
    request = RunRequest(model.name, work, config.settings.ALIVE_TTL_SECONDS)
    with _ModelProcess(request, beat_seconds, answers=parts is not None) as process:
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


class _ModelProcess:
    """The process group of one `with` block. Its processes end with the block."""

    def __init__(self, request: RunRequest, beat_seconds: float, *, answers: bool) -> None:
        self.exit: ExitMessage | None = None
        self.ended = False
        self._logs = True  # whether its stderr is open
        self._was_paused = False
        self._last_beat = time.monotonic()
        self.silence_seconds = request.silence_seconds
        self._beat_seconds = beat_seconds
        self._lines = bytearray()
        self._log = bytearray()
        file = request.work.scratch_dir / "request.json"
        file.write_text(request.to_json())
        self._messages, theirs = os.pipe()
        asked, self._answers = os.pipe() if answers else (-1, -1)
        passed = [descriptor for descriptor in (theirs, asked) if descriptor >= 0]
        try:
            with exhaustion.starting():
                self._process = subprocess.Popen(
                    [sys.executable, *_PROGRAM, str(theirs), str(asked), str(file)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=passed,
                    cwd=request.work.scratch_dir,
                    env=_environment(request.work.scratch_dir, request.work.threads),
                    start_new_session=True,
                )
        except BaseException:
            self._close_ours()
            raise
        finally:
            for descriptor in passed:
                os.close(descriptor)
        self.pid = self._process.pid  # of the group's leader
        assert self._process.stdin is not None  # noqa: S101  # PIPE sets both; for the type checker
        assert self._process.stderr is not None  # noqa: S101
        self._stdin = self._process.stdin.fileno()
        self._stderr = self._process.stderr.fileno()
        for descriptor in (self._messages, self._stdin, self._stderr):
            os.set_blocking(descriptor, False)
        self._closed = threading.Event()
        # A separate thread: the main thread can block on Redis for longer than the child's silence limit.
        self._beating = threading.Thread(target=self._beat, name="model heartbeat", daemon=True)
        try:
            with exhaustion.starting():
                self._beating.start()
        except BaseException:
            self._end_process()
            self._close_pipes()
            raise

    @property
    def was_paused(self) -> bool:
        """Whether this worker was paused for longer than the process waits for a sign of life."""
        return self._was_paused or time.monotonic() - self._last_beat > self.silence_seconds

    def read_log(self) -> str:
        """Return the last output of the process."""
        while self._read_log():
            pass
        return bytes(self._log).decode(errors="replace").strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._dead():
            self._signal(signal.SIGTERM)
            self._wait_until_dead()
        self._end_process()
        self._closed.set()
        self._beating.join()  # its file descriptor may soon belong to another file
        self._close_pipes()

    def _end_process(self) -> None:
        # The leader is not reaped yet, so its pid cannot name another group.
        self._signal(signal.SIGKILL)
        try:
            self._process.wait(timeout=_KILL_SECONDS)
        except subprocess.TimeoutExpired:  # it hangs on a disk, and ends when the disk responds
            logger.error("process %d was killed but does not end: it is left behind", self.pid)  # noqa: TRY400

    def _close_ours(self) -> None:
        os.close(self._messages)
        if self._answers >= 0:
            os.close(self._answers)

    def _close_pipes(self) -> None:
        self._close_ours()
        for pipe in (self._process.stdin, self._process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def answer(self, turn: PartTurn) -> None:
        """Answer the model, which asks for a part and waits. A process that has ended gets no answer."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._answers, exchange.encode_turn(turn))  # shorter than a pipe holds: it never blocks

    def listen(self, seconds: float) -> list[ModelMessage]:
        """Return the messages that arrive within that time."""
        # Closed descriptors are omitted, since select would return for them at once; without descriptors it waits.
        pipes = ((self._messages, not self.ended), (self._stderr, self._logs))
        readable, _, _ = select.select([pipe for pipe, is_open in pipes if is_open], [], [], seconds)
        if self._stderr in readable:
            self._read_log()
        if self._messages in readable:
            return self._read_messages()
        # A process that left the group may keep the pipe open.
        self.ended = self.ended or (not readable and self._dead())
        return []

    def _read_log(self) -> bool:
        try:
            chunk = os.read(self._stderr, 65_536)
        except BlockingIOError:
            return False
        self._log += chunk
        del self._log[:-_LOG_TAIL_BYTES]
        self._logs = bool(chunk)
        return self._logs

    def _read_messages(self) -> list[ModelMessage]:
        try:
            chunk = os.read(self._messages, 65_536)
        except BlockingIOError:
            return []
        if not chunk:
            self.ended = True
            return []
        self._lines += chunk
        *lines, rest = self._lines.split(b"\n")
        self._lines = rest[-exchange.MAX_LINE_BYTES :]
        messages = [message for line in lines if (message := exchange.decode(bytes(line))) is not None]
        self.exit = next((message for message in messages if isinstance(message, ExitMessage)), self.exit)
        return messages

    def _beat(self) -> None:
        while not self._closed.wait(self._beat_seconds):
            self._was_paused = self.was_paused
            self._last_beat = time.monotonic()
            with contextlib.suppress(OSError):  # the process has ended or does not read, which other code detects
                os.write(self._stdin, b".")

    def exit_code(self) -> int:
        """Return the exit code of the model, as in `subprocess`; of the leader, if that ended
        before the model began.
        """
        if self.exit is not None:
            return self.exit.code
        self._wait_until_dead()
        end = self._end()
        if end is None:
            return -signal.SIGKILL
        return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status

    def _wait_until_dead(self) -> None:
        deadline = time.monotonic() + _GRACE_SECONDS
        while not self._dead() and time.monotonic() < deadline:
            self.listen(0.02)

    def _dead(self) -> bool:
        return self._end() is not None

    def _end(self) -> os.waitid_result | None:
        """Return how the leader has ended; None if it runs. Does not reap it."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def _judged(outcome: ModelMessage | None, process: _ModelProcess, what: str, newest_bytes: int) -> Result:
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


def _death(process: _ModelProcess, what: str, newest_bytes: int) -> ModelFailure:
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


def _environment(scratch: Path, threads: int) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in _SETTINGS and not name.startswith(_SECRET_PREFIXES) and not is_secret(name, value)
    }
    limits = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    return {**inherited, **limits, "PYTHONUNBUFFERED": "1", "TMPDIR": str(scratch)}
