from __future__ import annotations

import json
import logging
import time

from reconstruction_operator.models.photogrammetry.timing.costs import Known

from benchmarks.recording import Recorder, UnloadedClock, as_text


def test_the_unloaded_clock_is_never_ahead_of_the_real_one() -> None:
    before = time.monotonic()
    clock = UnloadedClock()
    seconds = [clock() for _ in range(100)]
    assert seconds == sorted(seconds)
    assert 0.0 < seconds[-1] <= time.monotonic() - before


def test_rising_reports_a_second_apart_and_learned_facts_are_recorded() -> None:
    seconds = iter((1.0, 1.5, 2.5, 3.0, 3.1, 3.2))
    recorder = Recorder(lambda: next(seconds))
    for share in (0.0, 0.2, 0.2, 0.4, 1.0):
        recorder.emit(logging.makeLogRecord({"args": ("DEPTHS", share)}))
    recorder.emit(logging.makeLogRecord({"args": (Known(pairs=66),)}))
    assert recorder.heard == [("DEPTHS", 1.0, 0.0), ("DEPTHS", 2.5, 0.2), ("DEPTHS", 3.1, 1.0)]
    assert recorder.learned == [(3.2, {"pairs": 66})]


def test_each_fact_has_its_own_line() -> None:
    recordings = {"12 photos": {"seconds": 61.2, "heard": [["PHOTOS", 0.1, 0.5], ["PHOTOS", 1.0, 1.0]]}}
    text = as_text(recordings)
    assert json.loads(text) == recordings
    assert len(text.splitlines()) == 6
