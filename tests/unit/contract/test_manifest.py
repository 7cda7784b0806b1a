"""The format of `manifest.json`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.attempt_status import Inputs, StepTime, Usage
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.manifest import Manifest, SealedFile

from tests.support.refs import make_attempt, make_bare

ATTEMPT = make_attempt("uid-1", 2, "gpu", namespace="red", install_id="mine", namespace_uid="ns-1")
MANIFEST = Manifest(
    attempt=ATTEMPT,
    model="photogrammetry",
    findings=Findings(
        inputs=Inputs(30, 5_000),
        steps=(StepTime("Loading input files", 1), StepTime("Preprocessing images", 10)),
        usage=Usage(cpu_seconds=42, peak_memory_bytes=1 << 30),
        quality={"faces": "1200"},
        warning="11 of 16 photos were aligned",
        size="1.2 x 0.8 x 0.4 m",
        resumed_from="matches of attempt 1",
    ),
    placement={"latitude": 52.5, "metresPerUnit": 120.125, "rotation": [0.5] * 9},
    stages={"photos": "1" * 64, "surface": "2" * 64},
    uri="file:///meshes/a",
    parameters={"quality": "fast", "crop": True},
    versions={"model": "1", "python": "3.11.2"},
    files=(SealedFile("model.glb", 7, "0" * 64),),
)


def test_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.parse(MANIFEST.to_text().encode()) == MANIFEST
    assert Manifest.parse(Manifest(make_bare()).to_text().encode()) == Manifest(make_bare())


def test_manifest_of_the_first_release_has_less_and_unknown_keys_are_ignored() -> None:
    content = json.loads(MANIFEST.to_text())
    for name in ("parameters", "versions", *codec.encode(MANIFEST.findings), "placement", "stages"):
        del content[name]
    parsed = Manifest.parse(json.dumps(content | {"later": 1}).encode())
    assert parsed is not None
    assert (parsed.attempt, parsed.files) == (ATTEMPT, MANIFEST.files)
    assert (parsed.parameters, parsed.versions, parsed.placement, parsed.stages) == ({}, {}, {}, {})
    assert parsed.findings == Findings()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b"\0" * 100, b"\xff", b"[" * 200_000])
def test_any_other_text_is_not_a_manifest(text: bytes) -> None:
    assert Manifest.parse(text) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempt": 2},
        {"attempt": codec.encode(ATTEMPT) | {"number": True}},
        {"attempt": codec.encode(ATTEMPT) | {"job": {"namespace": "red", "name": "banana", "uid": "../x"}}},
        {"files": [{"name": "model.glb"}]},
        {"files": 7},
        {"files": [{"name": "model.glb", "bytes": float("inf"), "sha256": ""}]},
    ],
    ids=str,
)
def test_a_manifest_with_a_field_of_another_type_is_invalid(wrong: dict[str, Any]) -> None:
    assert Manifest.parse(json.dumps(json.loads(MANIFEST.to_text()) | wrong).encode()) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"inputs": None},
        {"quality": []},
        {"steps": {"Loading input files": 1}},
        {"steps": [7]},
        {"usage": "12"},
        {"usage": {"cpuSeconds": float("nan"), "peakMemoryBytes": 1.5}},
        {"size": 7},
    ],
    ids=str,
)
def test_a_wrong_value_of_what_the_run_found_is_left_out(wrong: dict[str, Any]) -> None:
    parsed = Manifest.parse(json.dumps(json.loads(MANIFEST.to_text()) | wrong).encode())
    assert parsed is not None
    (name,) = wrong
    assert not getattr(parsed.findings, name) or getattr(parsed.findings, name) in (Usage(), (StepTime(""),))
    assert parsed.files == MANIFEST.files


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        pytest.param(MANIFEST.to_text().encode(), ATTEMPT, id="whole"),
        pytest.param(
            b'{"attempt": %s, "files": [{"bytes": 1e999}]}' % json.dumps(codec.encode(ATTEMPT)).encode(),
            ATTEMPT,
            id="edited",
        ),
        pytest.param(b'{"model": "m"}', None, id="without an attempt"),
        pytest.param(b'{"attempt": {"number": 2}}', None, id="without a job"),
        pytest.param(b"[]", None, id="a list"),
        pytest.param(b"{", None, id="cut off"),
    ],
)
def test_identity_is_read_from_an_edited_manifest(text: bytes, identity: AttemptRef | None) -> None:
    assert Manifest.identify(text) == identity
