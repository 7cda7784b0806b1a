"""Check process: photo bombs end in it, and so does every photo that is no longer wanted."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image
from reconstruction_operator.contract.photos import Photo
from reconstruction_operator.transfer import programs
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.photos import checks, process
from reconstruction_operator.worker.interruption import call_interruptibly

from tests.support import bombs
from tests.support.paths import PHOTOS
from tests.support.photos import make_photo, write_clip

MB = 1 << 20
OVERLAYS = PHOTOS / "heic" / "overlays.heic"  # its decoding takes 6 s


@pytest.fixture
def limits(limits: Limits) -> Limits:
    """At most 64 MB, and 16 megapixels."""
    return replace(limits, max_bytes=64 * MB, max_pixels=1 << 24, max_side=30_000)


def check(folder: Path, limits: Limits, tick: Callable[[float, str], None] = lambda *_: None) -> list[Photo]:
    return list(process.check_all(sorted(folder.iterdir()), limits, tick))


def children() -> dict[int, psutil.Process]:
    return {child.pid: child for child in psutil.Process().children()}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        pytest.param(lambda: bombs.jpeg_of_scans(1_000), "more than 1000 scans", id="JPEG, scans"),
        pytest.param(lambda: bombs.jpeg_of_exif(1_000), "more than 1000 scans and other segments", id="JPEG, EXIF"),
        pytest.param(lambda: bombs.tiff_of_values(273, 4, 4_000_000), "more than 1000000 values", id="TIFF, strips"),
        pytest.param(lambda: bombs.tiff_of_values(282, 5, 2_000_000), "more than 1000000 values", id="TIFF, one tag"),
        pytest.param(lambda: bombs.png_with_exif(20_000_000), "more memory|not decoded within 60 s", id="PNG, EXIF"),
        pytest.param(lambda: bytes(64 * MB + 1), "IMAGE_TOO_LARGE: .* 64 MB; at most 64 MB", id="large file"),
    ],
)
def test_bomb_is_named_in_little_time_and_memory(
    make: Callable[[], bytes], text: str, into: Path, limits: Limits
) -> None:
    (into / "a.jpg").write_bytes(make_photo())
    (into / "bad.jpg").write_bytes(make())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    with pytest.raises(StorageError, match=text) as caught:
        check(into, limits)
    assert "photo bad.jpg (2 of 2)" in caught.value.message
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    here = resource.getrusage(
        resource.RUSAGE_SELF
    )  # a child counts the memory of its parent until it has started its program
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 40.0
    assert after.ru_maxrss <= max(before.ru_maxrss, here.ru_maxrss, 512 << 10)
    assert here.ru_utime - own.ru_utime < 1.0


class EnoughError(Exception):
    pass


def test_cancel_ends_the_decoding_of_a_bomb(into: Path, limits: Limits) -> None:
    shutil.copy(OVERLAYS, into / "bad.heic")
    others = children()
    threads = set(threading.enumerate())
    begun = time.process_time()

    def tick(*_: object) -> None:
        if any(sum(child.cpu_times()[:2]) > 1.0 for pid, child in children().items() if pid not in others):
            raise EnoughError

    with pytest.raises(EnoughError):
        call_interruptibly(lambda: check(into, limits, tick), tick)
    for thread in set(threading.enumerate()) - threads:
        thread.join(30.0)
    assert children().keys() == others.keys()
    assert set(threading.enumerate()) <= threads
    assert time.process_time() - begun < 1.0


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGXCPU, r"CORRUPT_IMAGE: photo bad.heic \(2 of 2\) is not decoded within 2 s"),
        (signal.SIGSTOP, r"CORRUPT_IMAGE: photo bad.heic \(2 of 2\) is not decoded within 2 s"),
        (signal.SIGSEGV, r"CORRUPT_IMAGE: photo bad.heic \(2 of 2\) makes the decoder crash"),
        (signal.SIGKILL, "exited with code -9"),
    ],
)
def test_slow_or_crashing_photo_is_named_but_not_one_whose_process_is_killed(
    number: signal.Signals, reason: str, into: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "SILENCE_SECONDS", 2.0)
    (into / "a.jpg").write_bytes(make_photo())
    shutil.copy(OVERLAYS, into / "bad.heic")
    others = children()

    def tick(_fraction: float, text: str) -> None:
        if text == "photo 2/2":
            for pid in children().keys() - others.keys():
                os.kill(pid, number)

    with pytest.raises((StorageError, OSError), match=reason):
        check(into, limits, tick)


def test_process_has_limits_and_no_secret(into: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_STATE_DB", "redis://:secret@redis/1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    shutil.copy(OVERLAYS, into / "a.heic")
    others = children()

    def tick(*_: object) -> None:
        for pid in children().keys() - others.keys():
            lines = [" ".join(line.split()) for line in Path(f"/proc/{pid}/limits").read_text().splitlines()]
            if any(line.startswith("Max cpu time 6") for line in lines):
                assert "secret" not in Path(f"/proc/{pid}/environ").read_text()
                assert any(line.startswith("Max address space") and "unlimited unl" not in line for line in lines)
                raise EnoughError

    with pytest.raises(EnoughError):
        check(into, limits, tick)


def test_ordinary_photos_are_read_as_without_the_process(into: Path, limits: Limits) -> None:
    other = into.with_name("other")
    other.mkdir()
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        (into / f"{kind}.jpg").write_bytes(make_photo(kind))
    for name in ("plain.heic", "turned.heic", "ten_bit.hif"):
        shutil.copy(PHOTOS / "heic" / name, into)
    for path in (PHOTOS / "lund").glob("*.jpg"):
        shutil.copy(path, into)
    write_clip(into / "a.mov")
    Image.new("CMYK", (40, 20)).save(into / "a.tif")
    shutil.copytree(into, other, dirs_exist_ok=True)

    expected = checks.check_all(sorted(other.iterdir()), limits, lambda *_: None)
    assert check(into, limits) == [replace(photo, path=into / photo.path.name) for photo in expected]
    assert {path.name: path.read_bytes() for path in into.iterdir()} == {
        path.name: path.read_bytes() for path in other.iterdir()
    }


def test_progress_within_a_video_is_reported(into: Path, limits: Limits) -> None:
    (into / "a.jpg").write_bytes(make_photo())
    write_clip(into / "b.mov", [*range(60)] * 5)
    heard: list[tuple[float, str]] = []
    check(into, limits, lambda *report: heard.append(report))
    assert heard == sorted(heard, key=lambda report: report[0])
    assert [text for text, _ in itertools.groupby(text for _, text in heard)] == [
        "photo 1/2",
        "photo 2/2",
        *(f"photo 2/2: {share}% of b.mov" for share in (27, 53, 80, 87, 93)),
    ]


def test_a_damaged_video_prints_no_lines_of_ffmpeg(
    into: Path, limits: Limits, capfd: pytest.CaptureFixture[str]
) -> None:
    content = write_clip(into / "a.mov").read_bytes()
    middle = content.index(b"moov") // 2
    end = content.index(b"moov") - 4
    (into / "a.mov").write_bytes(content[:middle] + bytes(end - middle) + content[end:])
    with pytest.raises(StorageError, match="is truncated"):
        check(into, limits)
    assert " @ 0x" not in capfd.readouterr().err


def test_rewritten_photos_count_against_the_limit_of_an_input(into: Path, limits: Limits) -> None:
    for name in ("a.heic", "b.heic"):
        shutil.copy(PHOTOS / "heic" / "plain.heic", into / name)
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: photo b.heic \(2 of 2\): .* more than 0 MB as such"):
        check(into, replace(limits, max_bytes=1500))
