"""Video frames: replaces a video by sharp frames of it, each a step further on the way of the camera than the last.

Corners (Shi and Tomasi 1994, "Good features to track") are followed from frame to frame (Bouguet 2000, "Pyramidal
implementation of the Lucas Kanade feature tracker"). The way is the sum of their median moves, as shares of a frame's
longer side.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick, section
from reconstruction_operator.transfer.photos import sizes
from reconstruction_operator.units import counted

_AT_ONCE: Final = 100  # frames that take as much time as a photo may
_SEARCH: Final = 0.8  # of the time, in which frames are followed; then they are decoded again
_STEP: Final = 0.06  # of the way, between two frames: 48 for a round with the object in the middle
_WHOLE: Final = 0.9  # of the frames that the header announces; an edited video can have more than it shows
_SIDE_PX: Final = 640  # longer side of the frames that are measured
_CORNERS, _RESPONSE, _APART_PX = 200, 0.01, 12  # number; least response, as a share of the strongest; distance
_TRACKED: Final = 0.5  # of the corners; with fewer, new ones are found
# A file of another format, such as a playlist, may name other files and servers, which FFmpeg would read.
_FORMAT: Final = "format_whitelist;mov|protocol_whitelist;file"
_STDERR: Final = 2
Allow = Callable[[int], None]


class _Damage:
    """Counts damaged frames. FFmpeg conceals the damage, and prints a line for each damaged block to stderr."""

    def __init__(self) -> None:
        self.frames = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a frame that is decoded in the `with` block, if it is damaged."""
        printed = os.memfd_create("ffmpeg")
        stderr = os.dup(_STDERR)
        os.dup2(printed, _STDERR)
        try:
            yield
        finally:
            os.dup2(stderr, _STDERR)
            self.frames += os.fstat(printed).st_size > 0
            os.close(stderr)
            os.close(printed)


def replaced(
    path: Path, label: str, limits: Limits, allow: Allow, tick: Tick, *, left_bytes: int
) -> tuple[list[Path], str]:
    """Replace a video by at most `limits.max_photos` and `limits.max_chosen_frames` JPEGs, its upright frames, within
    `left_bytes` and `limits.frame_side`. Return them, and a warning if frames of the video are damaged.

    Raises StorageError as `checks.check_all`.
    """
    frames: list[Path] = []
    damage = _Damage()
    try:
        most = min(limits.max_photos, limits.max_chosen_frames)
        numbers = range(limits.max_frames)
        every = _read(path, label, limits, allow, section(tick, 0.0, _SEARCH), damage=damage, numbers=numbers)
        chosen = _chosen(every, most)
        if not chosen:
            raise StorageError("NO_PARALLAX", f"{label} shows no motion")
        for number, frame in _read(
            path, label, limits, allow, section(tick, _SEARCH, 1.0), damage=_Damage(), numbers=chosen
        ):
            frames.append(path.with_name(f"{path.name}.{number:06d}.jpg"))
            content = cv2.imencode(".jpg", _reduced(frame, limits.frame_side), (cv2.IMWRITE_JPEG_QUALITY, 95))[1]
            left_bytes -= content.nbytes
            sizes.check_rewritten(left_bytes, label, limits)
            frames[-1].write_bytes(content.tobytes())
    except cv2.error as error:
        raise StorageError("CORRUPT_IMAGE", f"{label} cannot be decoded: {error.err}") from None
    path.unlink()
    count = damage.frames
    text = f"{counted(count, 'frame')} of video {path.name} {'is' if count == 1 else 'are'} damaged"
    return frames, text if count else ""


def _reduced(frame: Any, side_px: int) -> Any:
    """Return the frame (h, w, 3), reduced so that its longer side is at most `side_px`; 0: as it is."""
    scale = side_px / max(frame.shape[:2])
    return frame if not 0.0 < scale < 1.0 else cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _chosen(frames: Iterator[tuple[int, Any]], most: int) -> list[int]:
    """Return the numbers of at most `most` frames: for each step of the way, the sharpest in its middle half.

    None without motion.
    """
    begun, found, ways, sharpness, before = 0.0, 0, [], [], None
    corners = origins = none = np.zeros((0, 1, 2), np.float32)  # where they are, and where they were at the way `begun`
    for _, frame in frames:
        scale = _SIDE_PX / max(frame.shape[:2])
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        if len(corners):
            corners, status, _ = cv2.calcOpticalFlowPyrLK(before, grey, corners, None)  # type: ignore[call-overload]
            corners, origins = corners[status == 1][:, None], origins[status == 1][:, None]
        moved = float(np.median(np.linalg.norm(corners - origins, axis=2))) / _SIDE_PX if len(corners) else 0.0
        ways.append(begun + moved)
        sharpness.append(cv2.Laplacian(grey, cv2.CV_32F).var())
        if len(corners) <= _TRACKED * found or moved >= _STEP:
            new = cv2.goodFeaturesToTrack(grey, _CORNERS, _RESPONSE, _APART_PX)
            corners = origins = none if new is None else new
            begun, found = begun + moved, len(corners)
        before = grey
    place = np.array(ways) / max(_STEP, max(ways) / most)
    step = np.minimum(place.astype(int), most - 1)
    order = np.lexsort((sharpness, np.abs(place - step - 0.5) < 0.25, step))  # noqa: PLR2004  # half of a half
    return sorted(order[np.diff(step[order], append=most) > 0].tolist()) if max(ways) >= _STEP else []


def _read(
    path: Path, label: str, limits: Limits, allow: Allow, tick: Tick, *, damage: _Damage, numbers: Collection[int]
) -> Iterator[tuple[int, Any]]:
    """Yield the frames (h, w, 3) with these numbers.

    Raises StorageError for a video that is broken or beyond the limits.
    """
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _FORMAT
    # One thread: each more needs memory for frames of its own.
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, (cv2.CAP_PROP_N_THREADS, 1))
    if not video.isOpened():
        raise StorageError("CORRUPT_IMAGE", f"{label} is damaged, or of a kind that OpenCV does not read")
    header = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_COUNT)
    width, height, announced = (int(video.get(what)) for what in header)
    sizes.check_size(width, height, label, limits)
    if announced > limits.max_frames:
        text = f"{label} has {announced} frames; at most {limits.max_frames} are accepted"
        raise StorageError("IMAGE_TOO_LARGE", text)
    for number in range(max(numbers) + 1):
        if number % _AT_ONCE == 0:
            allow(sizes.DECODER_BYTES * limits.max_pixels)
            tick(number / max(announced, number + 1), f"frame {number}/{announced}")
        with damage.counted():
            more, frame = video.read() if number in numbers else (video.grab(), None)
        if not more:
            if number < max(1, _WHOLE * announced):
                raise StorageError("CORRUPT_IMAGE", f"{label} is truncated: it has {number} of {announced} frames")
            return
        if frame is not None:
            yield number, frame
