"""`run`: reconstructs on this machine, without a cluster, in a process of the package with the models."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.api import figures
from reconstruction_operator.api.verdict import Verdict

from kubectl_recon.commands.submitting import check, tell_costs
from kubectl_recon.display.progress import size_text
from kubectl_recon.display.screen import note
from kubectl_recon.errors import ReconError, UsageError, install
from kubectl_recon.jobs.times import duration_text
from kubectl_recon.photos import archives

_WORKERS_PACKAGE: Final = "psutil"  # which the plugin has only with the extra of a worker
_FAILED: Final = 3
_SIGNALLED: Final = 128  # exit code of a process that a signal ended, less the signal's number
_LOG_PERCENT: Final = 10  # step of the log in a file or pipe


@dataclass(frozen=True, slots=True)
class LocalRun:
    """The parameters of a run. `photos`: folders, files, archives. `folder`: for the result. `threads`: 0 for all."""

    photos: Sequence[str]
    folder: str
    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 0
    force: bool = False
    dry_run: bool = False  # only check, and print what the run is expected to take


def run(request: LocalRun) -> None:
    """Check all that needs no photo, then the photos; reconstruct, and print the path of each file.

    Raises UsageError if the run could not begin or the photos would fail, FailedError if the model failed.
    """
    program = _program()
    with _interruptible():
        _check(request, program)
        with archives.unpacked(request.photos) as paths:
            checked = check(paths, force=request.force)
            if request.dry_run:
                tell_costs(checked)
                note("not reconstructed (dry run)")
                return
            photos = [str(photo.path) for photo in checked]
            _run(request, _command(request, program, photos))


def _check(request: LocalRun, program: Sequence[str]) -> None:
    with _lines(_command(request, program, request.photos, "--check")) as (process, lines):
        said = list(lines)
        if process.wait() != 0:
            raise UsageError(said[-1]["failure"]["message"] if said else "the program with the models does not start")


def _run(request: LocalRun, command: Sequence[str]) -> None:
    began = time.monotonic()
    last: Mapping[str, Any] = {}
    facts = [""]
    with _shown() as show, _lines(command) as (_, lines):
        for line in lines:
            last = line
            if "step" in line:
                if line["fact"] not in facts:
                    note(f"  {line['fact']}")
                    facts.append(line["fact"])
                show({**line, "message": "" if line["message"] in facts else line["message"]})
    took = duration_text(round(time.monotonic() - began))
    if "result" not in last:
        failure = last.get("failure") or {"reason": "BACKEND_CRASHED", "message": "its process ended without a result"}
        raise FailedError(f"{failure['reason']} after {took}: {failure['message']}")
    _print_result(last["result"], Path(request.folder), took)


class FailedError(ReconError):
    """The model failed."""

    exit_code = _FAILED


def _program() -> list[str]:
    if importlib.util.find_spec(_WORKERS_PACKAGE) is None:
        raise ReconError(
            f"this machine has no models: {install('.[photogrammetry]')} (Linux), or submit the photos to a cluster "
            "(kubectl recon submit)"
        )
    return [sys.executable, "-m", "reconstruction_operator.cli.main"]


def _command(request: LocalRun, program: Sequence[str], photos: Sequence[str], *more: str) -> list[str]:
    options = [f"--param={name}={json.dumps(value)}" for name, value in request.parameters.items()]
    options += [f"--output={request.folder}", f"--model={request.model}", f"--threads={request.threads}"]
    return [*program, "reconstruct", *options, *more, "--", *photos]


@contextmanager
def _lines(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], Iterator[Mapping[str, Any]]]]:
    """Yield the program and its reports. It ends with this block: it may not have got the Ctrl-C of this process."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, (json.loads(line) for line in process.stdout or () if line.startswith("{"))
        except BaseException:
            process.terminate()  # it deletes its files
            try:
                process.wait()
            except KeyboardInterrupt:  # another Ctrl-C ends it at once
                process.kill()
            raise
        process.terminate()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does, and then the process with their exit code."""
    received: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    numbers = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN
    ]  # as under nohup
    earlier = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    except KeyboardInterrupt:
        if received:
            sys.exit(_SIGNALLED + received[0])
        raise
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _print_result(result: Mapping[str, Any], folder: Path, took: str) -> None:
    if result["verdict"] != Verdict.FINE:
        note(result["message"])
    for file in result["files"]:
        print(f"{folder / file['name']}  {size_text(file['bytes'])}")  # noqa: T201  # the result
    words = figures.in_words(result["quality"], result["size"])
    numbers = words or ", ".join(f"{name} {value}" for name, value in result["quality"].items())
    note(f"Done in {took}{f': {numbers}' if numbers else ''}.")
    program = "recon" if Path(sys.argv[0]).name == "recon" else "kubectl recon"
    note(f"Show it: {program} open {folder}, or in the terminal: {program} preview {folder}")


@contextmanager
def _shown() -> Iterator[Any]:
    """Yield a function that shows a report: in a bar on a terminal, else in a line for every ten percent."""
    if not sys.stderr.isatty():
        yield _StepLog()
        return
    # These imports take longer than most commands.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("[dim]{task.fields[message]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        steps = _Steps(display)
        yield steps
        steps.end()


class _Steps:
    """A bar for the whole run, and a line for each finished step."""

    def __init__(self, display: Any) -> None:
        self._display, self._step, self._began = display, "", time.monotonic()
        self._task = display.add_task("", total=1.0, message="", left="")

    def __call__(self, line: Mapping[str, Any]) -> None:
        if line["step"] != self._step:
            self.end()
            self._step, self._began = line["step"], time.monotonic()
        fields = {"description": self._step, "completed": line["fraction"], "message": line["message"][:30]}
        self._display.update(self._task, left=_left(line), **fields)

    def end(self) -> None:
        """Print the duration of the current step."""
        if self._step:
            took = duration_text(round(time.monotonic() - self._began))
            self._display.console.print(f"  {self._step:<24}{took:>7}", highlight=False)
            self._step = ""


class _StepLog:
    """Prints a line for each step and every ten percent."""

    def __init__(self) -> None:
        self._last: tuple[str, int] = ("", -1)

    def __call__(self, line: Mapping[str, Any]) -> None:
        reached = (line["step"], line["percent"] // _LOG_PERCENT)
        if reached != self._last:
            self._last = reached
            rest = ", ".join(text for text in (line["message"], _left(line)) if text)
            note(f"{line['percent']:3d}% {line['step']}  {rest}".rstrip())


def _left(line: Mapping[str, Any]) -> str:
    """Return the time left, as estimated by the model; empty if it is unknown."""
    seconds = line["remainingSeconds"]
    return "" if seconds is None else f"{duration_text(round(seconds))} left"
