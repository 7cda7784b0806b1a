"""Models that misbehave, each in one way."""
# ruff: noqa: ARG002, PLC0415  # the order of imports matters in one; most ignore their arguments

import ctypes
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import spy
from reconstruction_operator.models import parts
from reconstruction_operator.models.interface import (
    HelpOver,
    ModelFailure,
    Placement,
    Report,
    Result,
    Step,
    Weights,
    Work,
)
from reconstruction_operator.models.stages import Stages


class Good:
    """Behaves; writes what it saw to `seen.txt`."""

    name: ClassVar[str] = "rough-good"
    isolated: ClassVar[bool] = True
    step_shares: ClassVar[Mapping[Step, float]] = dict.fromkeys(Step, 1 / 6)
    min_photos: ClassVar[int] = 1
    max_photos: ClassVar[int] = 10

    def unavailable(self) -> str | None:
        return None

    def check_parameters(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        return dict(parameters)

    def run(self, work: Work, report: Report) -> Result:
        report(Step.PREPROCESS, 0.5, "half", remaining_seconds=30.0)
        report(Step.RECONSTRUCT, 0.0)
        self.misbehave(work, report)
        report(Step.POSTPROCESS, 1.0)
        (work.output_dir / "model.glb").write_bytes(b"glTF")
        report(Step.PREVIEW, 1.0)
        for number in range(2):
            (work.output_dir / f"preview_{number}.png").write_bytes(b"PNG")
        seen = [
            f"photos={','.join(photo.path.name for photo in work.photos)}",
            f"masks={','.join(photo.mask.name for photo in work.photos if photo.mask)}",
            f"threads={work.threads}",
            f"omp={os.environ.get('OMP_NUM_THREADS')}",
            f"secrets={sorted(name for name, value in os.environ.items() if 'secret' in value)}",
            f"zlib={'zlib' in sys.modules}",
        ]
        (work.output_dir / "seen.txt").write_text("\n".join(seen))
        return Result(quality={"photos": len(work.photos), "error": 0.123456789})

    def misbehave(self, work: Work, report: Report) -> None:
        """Do nothing; the models below misbehave here."""


Misbehaviour = Callable[[Work, Report], None]


def model(name: str) -> Callable[[Misbehaviour], type[Good]]:
    """A model of that name, which misbehaves in this way."""

    def make(misbehave: Misbehaviour) -> type[Good]:
        return type(name, (Good,), {"name": name, "misbehave": lambda _, work, report: misbehave(work, report)})

    return make


@model("rough-sleep")
def native_sleep(work: Work, report: Report) -> None:
    """Holds the interpreter's lock in native code for an hour: no Python thread runs in this process."""
    leave_pid(work)
    ctypes.PyDLL(None).sleep(3600)


@model("rough-stubborn")
def stubborn(work: Work, report: Report) -> None:
    """Ignores SIGTERM, as does its child process."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"])
    leave_pid(work)
    while True:
        time.sleep(60)


@model("rough-segfault")
def segmentation_fault(work: Work, report: Report) -> None:
    print("about to read a null pointer", flush=True)  # noqa: T201  # as libraries do
    ctypes.string_at(0)


@model("rough-exit")
def exiting(work: Work, report: Report) -> None:
    os.write(2, b"cannot go on\n")
    os._exit(3)


@model("rough-silent")
def silent(work: Work, report: Report) -> None:
    """Exits with code 0 and without a result."""
    os._exit(0)


@model("rough-hungry")
def hungry(work: Work, report: Report) -> None:
    """Allocates 20 MB again and again."""
    eaten = []
    for _ in range(500):
        eaten.append(b"x" * (20 << 20))
        time.sleep(0.02)


@model("rough-killed")
def killed(work: Work, report: Report) -> None:
    """Dies by SIGKILL, as by the kernel when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


@model("rough-torn")
def torn(work: Work, report: Report) -> None:
    """Prints a traceback, then dies by SIGKILL."""
    try:
        int("left eye")
    except ValueError:
        traceback.print_exc()
    os.kill(os.getpid(), signal.SIGKILL)


@model("rough-quitter")
def quitting(work: Work, report: Report) -> None:
    """Ends Python as a program does."""
    sys.exit("no licence for 3 GPUs")


@model("rough-patient")
def patient(work: Work, report: Report) -> None:
    """Works until a test lets it finish."""
    wait_for_sign("finish")


@model("rough-poison")
def poison(work: Work, report: Report) -> None:
    """Kills the worker's process that runs its task, whenever a test asks for it."""
    wait_for_sign("kill").unlink()  # each sign is for one kill
    guard = Path(f"/proc/{os.getppid()}/stat").read_text()
    os.kill(int(guard.rpartition(")")[2].split()[1]), signal.SIGKILL)  # field 4: the guard's parent is the task
    time.sleep(60)


@model("rough-error")
def error(work: Work, report: Report) -> None:
    raise TypeError("a defect of the model")


@model("rough-failure")
def failing(work: Work, report: Report) -> None:
    raise ModelFailure("NOT_ENOUGH_OVERLAP", "1 of 9 photos overlaps")


@model("rough-memory")
def no_memory(work: Work, report: Report) -> None:
    raise MemoryError


@model("rough-disk")
def no_disk(work: Work, report: Report) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(work.scratch_dir / "big"))


@model("rough-filler")
def filler(work: Work, report: Report) -> None:
    """Fills its disk to the last byte."""
    with (work.scratch_dir / "big").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))


@model("rough-growing")
def growing(work: Work, report: Report) -> None:
    """Writes 64 KiB every hundredth of a second, until it is killed."""
    with (work.scratch_dir / "big").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
            time.sleep(0.01)


@model("rough-chatty")
def chatty(work: Work, report: Report) -> None:
    """Reports and prints faster than the worker reads."""
    for number in range(20_000):
        report(Step.RECONSTRUCT, number / 20_000, "x" * 300)
    for _ in range(2_000):
        os.write(1, b"printed " * 100)
        os.write(2, b"logged " * 100)
    report(Step.RECONSTRUCT, float("nan"), "no number")
    report(Step.PREPROCESS, 0.1, "backwards")


@model("rough-daemon")
def daemon(work: Work, report: Report) -> None:
    """Leaves a process behind that has left the group and holds all inherited file descriptors."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(20)
        os._exit(0)


@model("rough-zlib")
def compressing(work: Work, report: Report) -> None:
    """Compresses after it has loaded pycolmap, which brings its own zlib."""
    import gzip
    import zlib

    import pycolmap
    from PIL import Image

    assert pycolmap.__version__
    assert zlib.decompress(zlib.compress(b"0" * 100_000)) == gzip.decompress(gzip.compress(b"0" * 100_000))
    Image.new("RGB", (64, 64)).save(work.output_dir / "picture.png")


@model("rough-spy")
def spying(work: Work, report: Report) -> None:
    """Fails with the files of other processes that it could read."""
    ancestors, pid = [], os.getppid()  # the first is the guard, which is no other process than this
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        ancestors.append(pid)
    assert len(ancestors) > 1
    raise ModelFailure("SPIED", f"read: {spy.readable(ancestors)}")


class Caller(Good):
    """Opens sockets in a thread that began before the run, and in a process."""

    name: ClassVar[str] = "rough-caller"

    def __init__(self) -> None:
        self._run = threading.Event()
        self._seen: list[str] = []
        self._thread = threading.Thread(target=self._call, daemon=True)
        self._thread.start()

    def misbehave(self, work: Work, report: Report) -> None:
        self._run.set()
        self._thread.join()
        code = [sys.executable, "-S", "-c", "import socket; socket.socket()"]
        self._seen.append(f"process {subprocess.run(code, stderr=subprocess.DEVNULL, check=False).returncode}")
        (work.output_dir / "sockets.txt").write_text(" ".join(self._seen))

    def _call(self) -> None:
        self._run.wait()
        for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_UNIX):
            try:
                socket.socket(family, socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_STREAM).close()
            except PermissionError:
                self._seen.append(family.name)


class Downloader(Caller):
    """The same, and it needs the network."""

    name: ClassVar[str] = "rough-downloader"
    network: ClassVar[bool] = True


class Described(Good):
    """Has a schema, and relies on it."""

    name = "rough-described"
    parameters_schema: ClassVar[Mapping[str, object]] = {
        "type": "object",
        "properties": {"points": {"type": "integer", "minimum": 2}},
    }

    def misbehave(self, work: Work, report: Report) -> None:
        report(Step.RECONSTRUCT, 1 / int(str(work.parameters["points"])))


class Detailed(Good):
    """Has qualities, and too little memory for the higher ones and for large photos."""

    name = "rough-detailed"
    parameters_schema: ClassVar[Mapping[str, object]] = {
        "type": "object",
        "properties": {
            "quality": {"enum": ["preview", "fast", "standard", "high"], "default": "standard"},
            "maxImageSize": {"type": "integer", "minimum": 400, "maximum": 4000},
            "seed": {"type": "integer"},
        },
        "additionalProperties": False,
    }

    def check_parameters(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        quality = parameters.get("quality", "standard")
        size = {"preview": 900, "fast": 1600}.get(str(quality), 2400)
        return {"quality": quality, "maxImageSize": size, **parameters}

    def misbehave(self, work: Work, report: Report) -> None:
        if work.parameters["quality"] in ("standard", "high") or int(str(work.parameters["maxImageSize"])) > 2000:
            raise MemoryError


@model("rough-unequipped")
def unequipped(work: Work, report: Report) -> None:
    """Finds only when it runs that the worker lacks something."""
    raise ModelFailure("BACKEND_UNAVAILABLE", "it needs a CUDA GPU, and this worker sees none")


class Versioned(Good):
    """Behaves, and counts its runs by files outside the attempt's folders."""

    name = "rough-versioned"
    version: ClassVar[str] = "2026-11"

    def misbehave(self, work: Work, report: Report) -> None:
        leave_pid(work)


class Staged(Good):
    """Seals a stage, then kills itself; the next run goes on from the stage, and behaves."""

    name = "rough-staged"

    def misbehave(self, work: Work, report: Report) -> None:
        stages = Stages.of(work)
        stage = stages.find("features")
        if stage is None:
            folder = stages.begin("features")
            (folder / "features.txt").write_text("of one photo")
            stages.seal("features", folder)
            if work.parameters.get("dies", True):
                os.kill(os.getpid(), signal.SIGKILL)
        else:
            report(Step.POSTPROCESS, 0.0, f"continues after {stage}", resumed=str(stage))


class Asking(Good):
    """Asks for the three parts of a stage, and writes down which it got."""

    name = "rough-asking"

    def misbehave(self, work: Work, report: Report) -> None:
        turns: list[object] = []
        made = None
        while work.parts is not None:
            turn = work.parts("stage~1", 3, made)
            turns.append([turn.part, turn.made, turn.over])
            made = turn.part
            if turn.over:
                break
        (work.output_dir / "turns.json").write_text(json.dumps(turns))


class Parted(Good):
    """Makes a stage of `parts` parts in `seconds` each, with helpers, and with `layers` some stages, with a `pause`
    before each but the first. Notes the process that began each part. The part `deadly` kills its process: a helper's,
    or with `always` also the run's.
    """

    name = "rough-parted"
    makes_parts: ClassVar[bool] = True
    version: ClassVar[str] = os.environ.get("ROUGH_MODELS_VERSION", "1")

    def misbehave(self, work: Work, report: Report) -> None:
        count = int(str(work.parameters["parts"]))
        names = ["ground", "walls", "roof"][: int(str(work.parameters.get("layers", 1)))]
        stages = Stages.of(work, follows=dict.fromkeys(names, ""))

        def make(folder: Path, number: int, before: int, layer: int) -> None:
            Path(os.environ["ROUGH_MODELS_PIDS"], f"{number + layer * count}.{os.getpid()}").touch()
            if number == work.parameters.get("deadly") and (work.helps or work.parameters.get("always")):
                os.kill(os.getpid(), signal.SIGKILL)
            spend(float(str(work.parameters["seconds"])), before / count, f"part {number + 1}/{count}")
            (folder / f"{number}.txt").write_text(f"{number}\n")

        def spend(seconds: float, fraction: float, text: str) -> None:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                report(Step.RECONSTRUCT, fraction, text)
                time.sleep(0.05)

        def wait(made: int) -> None:
            report(Step.RECONSTRUCT, made / count, f"{made} of {count} parts made")

        for layer, name in enumerate(names):

            def fill(folder: Path, name: str = name, layer: int = layer) -> None:
                makes = partial(make, layer=layer)
                parts.gather(parts.made(stages, name, list(range(count)), makes, waiting=wait), folder)

            if layer and not work.helps:
                spend(float(str(work.parameters.get("pause", 0))), 1.0, "a pause")
            made = stages.made(name, fill)
            texts = [(made / f"{number}.txt").read_text() for number in range(count)]
            (work.output_dir / f"{name}.txt").write_text("".join(texts))

    def run(self, work: Work, report: Report) -> Result:
        try:
            return super().run(work, report)
        except HelpOver:
            return Result()


class Warned(Good):
    """Behaves, with a warning and a place on Earth."""

    name = "rough-warned"

    def run(self, work: Work, report: Report) -> Result:
        placement = Placement(52.5, 13.25, 35.5, 120.0, (1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0))
        result, size = super().run(work, report), "1.2 x 0.8 x 0.4 m"
        return replace(result, warning="5 of 9 photos were aligned", size=size, placement=placement)


class Learned(Good):
    """Behaves, with weights that forbid commercial use."""

    name = "rough-learned"
    weights = (Weights("depths", "0123456789abcdef" * 4, "CC-BY-NC-4.0", commercial=False),)


class Meshless(Good):
    name = "rough-meshless"

    def run(self, work: Work, report: Report) -> Result:
        return Result()


def leave_pid(work: Work) -> None:
    """Leave a file named for this process, outside the attempt's folders, which are deleted."""
    Path(os.environ["ROUGH_MODELS_PIDS"], f"{os.getpid()}.pid").touch()


def wait_for_sign(name: str) -> Path:
    """Wait for a file that a test creates."""
    sign = Path(os.environ["ROUGH_MODELS_SIGNS"], name)
    while not sign.exists():
        time.sleep(0.05)
    return sign
