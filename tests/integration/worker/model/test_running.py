"""Model process: how it ends, and that no process is left. Real processes, no servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest
from reconstruction_operator import config
from reconstruction_operator.exhaustion import ExhaustedError
from reconstruction_operator.models.interface import (
    Model,
    ModelFailure,
    Parts,
    PartTurn,
    Photo,
    Report,
    Result,
    Step,
    Work,
)
from reconstruction_operator.worker.model.running import run_model

from tests.support.settings import configure

_PATIENCE_SECONDS = 60.0  # Python starts in 0.3 s on an idle machine

pytestmark = pytest.mark.usefixtures("rough_models")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    configure(monkeypatch, ALIVE_TTL_SECONDS=2.0)
    for name in ("scratch", "output"):
        (tmp_path / name).mkdir()
    return Work((Photo(tmp_path / "a.jpg", 64, 48, 9),), tmp_path / "scratch", tmp_path / "output", {}, 1)


def run(
    name: str,
    work: Work,
    *,
    report: Report = lambda *_, **__: None,
    check: Callable[[], None] = lambda: None,
    beat_seconds: float = 1.0,
    parts: Parts | None = None,
) -> Result:
    model = cast("Model", SimpleNamespace(name=name, isolated=True))  # its process alone loads the model
    return run_model(model, work, report=report, check=check, parts=parts, beat_seconds=beat_seconds)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what} in vain"
        time.sleep(0.02)


def pids_of(scratch: Path) -> list[int]:
    """Return all processes that run in that folder, except zombies: the model and its descendants."""
    return [
        process.pid
        for process in psutil.process_iter(["cwd", "status"])
        if process.info["cwd"] == str(scratch) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_a_good_model_returns_its_result_and_reports(work: Work) -> None:
    heard: list[tuple[Step, float, str]] = []
    result = run("rough-good", work, report=lambda *report, **_: heard.append(report))
    assert result == Result(quality={"photos": 1, "error": 0.123456789})
    assert heard[0] == (Step.PREPROCESS, 0.5, "half")
    assert [step for step, _, _ in heard] == sorted(step for step, _, _ in heard)
    wait_until(lambda: pids_of(work.scratch_dir) == [], "the end of all its processes")


def test_a_model_gets_an_answer_to_each_request_for_a_part(work: Work) -> None:
    answers = [PartTurn(part=1), PartTurn(made=1), PartTurn(part=0, made=2), PartTurn(made=3, over=True)]
    asked: list[tuple[str, int, int | None]] = []

    def answer(*request: Any) -> PartTurn:
        asked.append(request)
        return answers[len(asked) - 1]

    run("rough-asking", work, parts=answer)

    assert asked == [("stage~1", 3, None), ("stage~1", 3, 1), ("stage~1", 3, None), ("stage~1", 3, 0)]
    seen = [[turn.part, turn.made, turn.over] for turn in answers]
    assert json.loads((work.output_dir / "turns.json").read_text()) == seen


def test_a_model_that_waits_for_a_part_ends_with_its_run(work: Work) -> None:
    def interrupt(*_: Any) -> PartTurn:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("rough-asking", work, parts=interrupt)
    wait_until(lambda: pids_of(work.scratch_dir) == [], "the end of all its processes")


def test_the_warning_of_a_video_is_in_the_result_once(work: Work) -> None:
    frame = replace(work.photos[0], warning="3 frames of video a.mp4 are damaged")
    assert run("rough-good", replace(work, photos=(frame, frame))).warning == "3 frames of video a.mp4 are damaged"


def test_a_model_without_a_thread_for_its_heartbeat_ends_and_is_not_a_failure(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:  # as CPython does at the limit of processes
        if thread.name == "model heartbeat":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(ExhaustedError):
        run("rough-good", work)

    wait_until(lambda: pids_of(work.scratch_dir) == [], "the end of all its processes")


def test_a_model_gets_its_threads_but_no_setting_of_the_worker(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [row.name for row in config.TABLE]
    assert {"REDIS_STATE_DB", "REDIS_SENTINEL_PASSWORD", "OTEL_EXPORTER_OTLP_HEADERS"} <= set(settings)
    for name in (
        *settings,
        "CELERY_BROKER_READ_URL",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "AWS_SECRET_ACCESS_KEY",
        "UNRELATED",
    ):
        monkeypatch.setenv(name, "a secret")

    run("rough-good", work)

    seen = (work.output_dir / "seen.txt").read_text().splitlines()
    assert seen == ["photos=a.jpg", "masks=", "threads=1", "omp=1", "secrets=['UNRELATED']", "zlib=True"]


@pytest.mark.parametrize(
    ("name", "reason", "text"),
    [
        pytest.param("rough-segfault", "BACKEND_CRASHED", "reconstruct: killed by SIGSEGV", id="a crash"),
        pytest.param("rough-segfault", "BACKEND_CRASHED", "about to read a null pointer", id="the output of a crash"),
        pytest.param(
            "rough-exit", "BACKEND_CRASHED", "code 3 and without a result. Its last output: cannot go on", id="an exit"
        ),
        pytest.param("rough-silent", "BACKEND_CRASHED", "exited with code 0 and without a result", id="no result"),
        pytest.param("rough-killed", "OUT_OF_MEMORY", "killed from outside by SIGKILL", id="killed by the kernel"),
        pytest.param(
            "rough-torn",
            "BACKEND_CRASHED",
            "literal for int() with base 10: 'left eye'; then killed by SIGKILL, perhaps",
            id="a traceback",
        ),
        pytest.param("rough-quitter", "BACKEND_CRASHED", "SystemExit: no licence for 3 GPUs", id="an end of Python"),
        pytest.param("rough-error", "BACKEND_CRASHED", "TypeError: a defect of the model", id="an exception"),
        pytest.param("rough-failure", "NOT_ENOUGH_OVERLAP", "1 of 9 photos overlaps", id="a failure that it reports"),
        pytest.param("rough-disk", "DISK_FULL", "scratch/big)", id="a full disk"),
        pytest.param("rough-broken", "BACKEND_UNAVAILABLE", "cannot be loaded", id="a model that cannot be loaded"),
    ],
)
def test_every_death_becomes_a_reason(name: str, reason: str, text: str, work: Work) -> None:
    with pytest.raises(ModelFailure) as caught:
        run(name, work)
    assert (caught.value.reason, text in caught.value.message) == (reason, True), caught.value.message
    wait_until(lambda: pids_of(work.scratch_dir) == [], "the end of all its processes")


def test_a_process_that_fails_before_its_model_starts_reports_its_traceback(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work.scratch_dir.parent)

    with pytest.raises(ModelFailure, match=r"BACKEND_CRASHED.* its start: it exited with code 1.*FileNotFoundError"):
        run("rough-good", replace(work, scratch_dir=Path("scratch")))


def test_endless_output_does_not_delay_the_run(work: Work) -> None:
    assert run("rough-chatty", work).quality["photos"] == 1


def test_zlib_works_with_a_library_that_brings_its_own(work: Work) -> None:
    assert run("rough-zlib", work).quality["photos"] == 1
    assert (work.output_dir / "picture.png").stat().st_size > 0


def test_a_model_above_the_memory_limit_is_killed_and_reported(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, MODEL_MEMORY_BYTES=200 << 20)
    with pytest.raises(ModelFailure, match=r"OUT_OF_MEMORY: rough-hungry used \d+ MB .* allows 200 MB"):
        run("rough-hungry", work)
    wait_until(lambda: pids_of(work.scratch_dir) == [], "the end of all its processes")


def test_a_process_that_left_the_group_does_not_delay_the_end(work: Work) -> None:
    begun = time.monotonic()
    run("rough-daemon", work)
    assert time.monotonic() - begun < 19.0
    for pid in pids_of(work.scratch_dir):
        os.kill(pid, signal.SIGKILL)


def test_a_model_survives_while_its_worker_waits_for_redis(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUGH_MODELS_SIGNS", str(tmp_path))
    configure(monkeypatch, ALIVE_TTL_SECONDS=1.0)

    def report(step: Step, *_: object, resumed: str = "", remaining_seconds: float | None = None, **_q: object) -> None:
        assert not resumed
        assert remaining_seconds == (30.0 if step is Step.PREPROCESS else None)
        if step is Step.RECONSTRUCT:
            time.sleep(1.5)
            (tmp_path / "finish").touch()

    assert run("rough-patient", work, report=report, beat_seconds=0.2).quality["photos"] == 1


def test_only_a_model_that_needs_the_network_gets_sockets(work: Work) -> None:
    run("rough-caller", work)
    assert (work.output_dir / "sockets.txt").read_text() == "AF_INET AF_INET6 AF_NETLINK process 1"

    run("rough-downloader", work)
    assert (work.output_dir / "sockets.txt").read_text() == "process 0"


def test_a_model_that_ended_under_a_paused_worker_is_a_worker_error(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model ends by SIGKILL, which otherwise means OUT_OF_MEMORY."""
    configure(monkeypatch, ALIVE_TTL_SECONDS=0.2)  # less than the time between two signs of life
    with pytest.raises(
        ModelFailure, match=r"WORKER_ERROR.*no sign of life for 0\.2 s \(paused, or the machine is overloaded\)"
    ):
        run("rough-sleep", work)


class _StopError(Exception):
    pass


@pytest.mark.parametrize("name", ["rough-sleep", "rough-stubborn"])
def test_an_interruption_kills_the_whole_process_group(name: str, work: Work, rough_models: Path) -> None:
    asked: list[float] = []

    def check() -> None:
        if list(rough_models.iterdir()):
            asked.append(time.monotonic())
            raise _StopError

    with pytest.raises(_StopError):
        run(name, work, check=check)

    assert time.monotonic() - asked[0] < 2.0
    wait_until(lambda: pids_of(work.scratch_dir) == [], "the end of all its processes")


_TASK = """
import sys
from pathlib import Path
from reconstruction_operator import config
from reconstruction_operator.exhaustion import ExhaustedError
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import Work
from reconstruction_operator.worker.model.running import run_model
config.use(config.Settings(ALIVE_TTL_SECONDS=2.0))
folder = Path(sys.argv[1])
work = Work((), folder / "scratch", folder / "output", {}, 1)
run_model(registry.find(sys.argv[2]), work, report=lambda *_, **__: None, check=lambda: None)
"""


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGKILL, id="killed"), pytest.param(signal.SIGSTOP, id="paused")]
)
@pytest.mark.parametrize("name", ["rough-sleep", "rough-stubborn"])
def test_a_model_ends_when_its_worker_is_killed_or_paused(
    number: signal.Signals, name: str, work: Work, rough_models: Path
) -> None:
    folder = work.scratch_dir.parent
    task = subprocess.Popen([sys.executable, "-c", _TASK, str(folder), name], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: bool(list(rough_models.iterdir())), "the model to run")
        task.send_signal(number)
        wait_until(lambda: pids_of(work.scratch_dir) == [], "the model to end itself")
    finally:
        task.kill()
        task.wait()
