"""Info of an installation: its text is read again, and bounded."""

from __future__ import annotations

import json

from reconstruction_operator.api import codec
from reconstruction_operator.contract.info import MAX_BYTES, InstallationInfo, Workers

MODELS = {"photogrammetry": {"version": "1.2", "parameters": {"properties": {"quality": {"enum": ["fast"]}}}}}
INFO = InstallationInfo(
    lease="recon/operator", problems=("RedisEvicts",), workers=(Workers(("gpu",), 2, MODELS),), complete=True
)


def test_the_text_is_decoded_to_the_same_info() -> None:
    assert codec.decode(InstallationInfo, json.loads(INFO.text())) == INFO
    assert INFO.key == "recon.operator"


def test_a_text_that_would_be_too_long_loses_schemas_and_then_workers() -> None:
    long = {"splats": {"version": "1", "parameters": {"enum": ["x" * MAX_BYTES]}}}
    (group,) = codec.decode(InstallationInfo, json.loads(_of(Workers(("gpu",), 2, long)).text())).workers
    assert group.models == {"splats": {"version": "1", "parameters": None}}

    many = _of(*(Workers((f"queue-{number}",), 1) for number in range(MAX_BYTES // 10)))
    less = codec.decode(InstallationInfo, json.loads(many.text()))
    assert (less.workers, less.complete, less.problems) == ((), False, ("RedisEvicts",))


def _of(*workers: Workers) -> InstallationInfo:
    return InstallationInfo(lease="a/b", problems=("RedisEvicts",), workers=workers, complete=True)
