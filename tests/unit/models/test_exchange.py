"""Messages between a worker and a model process: round trips and malformed lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reconstruction_operator.models import exchange
from reconstruction_operator.models.exchange import (
    DefectMessage,
    ExitMessage,
    FailureMessage,
    ModelMessage,
    ProgressMessage,
    RunRequest,
)
from reconstruction_operator.models.interface import Photo, Placement, Result, StageFolder, Step, Work


@pytest.mark.parametrize(
    "message",
    [
        ProgressMessage(Step.RECONSTRUCT, 0.25, "depth map 3/12"),
        ProgressMessage(Step.RECONSTRUCT, 0.25, "continues", "features of attempt 1"),
        ProgressMessage(Step.RECONSTRUCT, 0.25, "depth map 3/12", remaining_seconds=61.5, quality={"registered": 20}),
        Result(quality={"faces": 12, "error": 0.5, "note": "ok"}, simulated=True),
        Result(warning="3 of 9", placement=Placement(52.5, 13.4, 35.25, 120.125, (0.5,) * 9)),
        FailureMessage("LOW_TEXTURE", "3 of 9"),
        DefectMessage("TypeError: …"),
        ExitMessage(3),
        ExitMessage(-11, 2.5),
    ],
    ids=lambda message: type(message).__name__,
)
def test_messages_round_trip(message: ModelMessage) -> None:
    line = exchange.encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert exchange.decode(line) == message


@pytest.mark.parametrize(
    "line",
    [
        b"not JSON",
        b"[]",
        b"{}",
        b'{"kind": "news"}',
        b'{"kind": "progress", "step": 9, "fraction": 0.1, "message": ""}',
        b'{"kind": "progress", "step": 3, "fraction": NaN, "message": ""}',
        b'{"kind": "result", "quality": [1], "simulated": false}',
        b'{"kind": "result", "placement": {"latitude": 1}}',
        b'{"kind": "exit", "code": 0, "cpu_seconds": NaN}',
        exchange.encode(Result(placement=Placement(52.5, 13.4, float("nan"), 1.0, ()))),
        exchange.encode(Result(placement=Placement(52.5, 13.4, 0.0, 1.0, (float("inf"),)))),
    ],
    ids=lambda line: line[:40].decode(errors="replace"),
)
def test_a_malformed_line_is_none(line: bytes) -> None:
    assert exchange.decode(line) is None


def test_numpy_numbers_become_plain_ones() -> None:
    encoded = exchange.encode(Result(quality={"faces": np.int64(12), "share": np.float32(0.5)}))
    assert exchange.decode(encoded) == Result(quality={"faces": 12, "share": 0.5})
    rest = ProgressMessage(Step.PREVIEW, 0.5, "", remaining_seconds=np.float32(2.5))
    assert exchange.decode(exchange.encode(rest)) == ProgressMessage(Step.PREVIEW, 0.5, "", remaining_seconds=2.5)


@pytest.mark.parametrize("stages", [None, StageFolder(Path("/j/t"), "key", 3, 1 << 30, "uid", "banana")])
def test_requests_round_trip(stages: StageFolder | None) -> None:
    photos = (Photo(Path("/j/a.jpg"), 640, 480, 9), Photo(Path("/j/b.jpg"), 640, 480, 9, Path("/j/b.mask.png")))
    work = Work(photos, Path("/j/s"), Path("/j/o"), {"quality": "fast"}, 2, stages)
    request = RunRequest("photogrammetry", work, 10.0)
    assert RunRequest.from_json(request.to_json()) == request
