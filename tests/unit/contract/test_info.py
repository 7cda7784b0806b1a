"""Info of an installation: its text is read again, and bounded."""

from __future__ import annotations

import json
from dataclasses import replace

from reconstruction_operator.api import codec
from reconstruction_operator.contract.info import MAX_BYTES, InstallationInfo, Workers

MODELS = {"photogrammetry": {"version": "1.2", "parameters": {"properties": {"quality": {"enum": ["fast"]}}}}}
INFO = InstallationInfo(
    lease="recon/operator", problems=("RedisEvicts",), workers=(Workers(("gpu",), 2, MODELS),), complete=True
)


def test_the_text_is_decoded_to_the_same_info() -> None:
    assert codec.decode(InstallationInfo, json.loads(INFO.text())) == INFO
    assert INFO.name == "reconstruction-info.recon.operator"


def test_a_text_that_would_be_too_long_leaves_the_workers_out() -> None:
    workers = tuple(Workers((f"queue-{number}",), 1) for number in range(MAX_BYTES // 10))
    less = codec.decode(InstallationInfo, json.loads(replace(INFO, workers=workers).text()))
    assert (less.workers, less.complete, less.problems) == ((), False, ("RedisEvicts",))
