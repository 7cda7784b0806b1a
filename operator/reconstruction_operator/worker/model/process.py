"""Model process: an isolated model in its own process group, which can be killed at any point."""

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
from pathlib import Path
from typing import Self

from reconstruction_operator import config, exhaustion
from reconstruction_operator.models import exchange
from reconstruction_operator.models.exchange import ExitMessage, ModelMessage, RunRequest
from reconstruction_operator.models.interface import (
    PartTurn,
)
from reconstruction_operator.transfer.objects.environment import is_secret

logger = logging.getLogger(__name__)

_KILL_SECONDS = 10.0  # wait after SIGKILL; a process that hangs on a dead disk is left behind
GRACE_SECONDS = 1.0  # between SIGTERM and SIGKILL; part of the model interface
_LOG_TAIL_BYTES = 4_096
# -P: a module in the current folder must not shadow a library's.
_PROGRAM = ("-P", "-m", "reconstruction_operator.models.child")
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


class ModelProcess:
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
        deadline = time.monotonic() + GRACE_SECONDS
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


def _environment(scratch: Path, threads: int) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in _SETTINGS and not name.startswith(_SECRET_PREFIXES) and not is_secret(name, value)
    }
    limits = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    return {**inherited, **limits, "PYTHONUNBUFFERED": "1", "TMPDIR": str(scratch)}
