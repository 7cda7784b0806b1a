"""The format of `manifest.json`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reconstruction_operator.contract.manifest import Manifest, SealedFile
from reconstruction_operator.contract.records import Owner

MANIFEST = Manifest(
    job_id="uid-1",
    task_id="uid-1-2",
    model="photogrammetry",
    attempt=2,
    images=30,
    input_bytes=5_000,
    quality={"faces": "1200"},
    warning="11 of 16 photos were aligned",
    placement={"latitude": 52.5, "metresPerUnit": 120.125, "rotation": [0.5] * 9},
    uri="file:///meshes/a",
    owner=Owner("uid-1", "mine", "red", "banana", "gpu", 2),
    parameters={"quality": "fast", "crop": True},
    versions={"model": "1", "python": "3.11.2"},
    steps={"Loading input files": 1.25, "Preprocessing images": 10.0},
    cpu_seconds=42.5,
    peak_memory_bytes=1 << 30,
    resumed_from="matches of attempt 1",
    files=(SealedFile("model.glb", 7, "0" * 64),),
)


def test_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.parse(MANIFEST.to_text().encode()) == MANIFEST
    assert Manifest.parse(Manifest("bare").to_text().encode()) == Manifest("bare")


def test_manifest_of_the_first_release_has_less_and_unknown_keys_are_ignored() -> None:
    content = json.loads(MANIFEST.to_text())
    for name in ("owner", "parameters", "versions", "steps", "usage", "resumedFrom", "warning", "placement"):
        del content[name]
    parsed = Manifest.parse(json.dumps(content | {"later": 1}).encode())
    assert parsed is not None
    assert (parsed.job_id, parsed.owner, parsed.files) == ("uid-1", None, MANIFEST.files)
    assert (parsed.parameters, parsed.versions, parsed.steps) == ({}, {}, {})
    assert (parsed.warning, parsed.placement) == ("", {})
    assert (parsed.cpu_seconds, parsed.peak_memory_bytes, parsed.resumed_from) == (None, None, "")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b"\0" * 100, b"\xff", b"[" * 200_000])
def test_any_other_text_is_not_a_manifest(text: bytes) -> None:
    assert Manifest.parse(text) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempt": "2"},
        {"attempt": True},
        {"inputs": None},
        {"quality": []},
        {"files": [{"name": "model.glb"}]},
        {"files": 7},
        {"files": [{"name": "model.glb", "bytes": float("inf"), "sha256": ""}]},
        {"steps": {"Loading input files": float("inf")}},
        {"usage": {"cpuSeconds": float("nan")}},
        {"usage": {"cpuSeconds": "12"}},
        {"usage": {"peakMemoryBytes": 1.5}},
        {"owner": {"jobId": "../x"}},
        {"owner": 7},
    ],
    ids=str,
)
def test_a_manifest_with_a_field_of_another_type_is_invalid(wrong: dict[str, Any]) -> None:
    assert Manifest.parse(json.dumps(json.loads(MANIFEST.to_text()) | wrong).encode()) is None


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        pytest.param(MANIFEST.to_text().encode(), ("uid-1", 2), id="whole"),
        pytest.param(b'{"jobId": "uid-1", "attempt": 2, "files": [{"bytes": 1e999}]}', ("uid-1", 2), id="edited"),
        pytest.param(b'{"jobId": "uid-1"}', ("uid-1", 0), id="without an attempt"),
        pytest.param(b'{"attempt": 2}', None, id="without a job"),
        pytest.param(b"[]", None, id="a list"),
        pytest.param(b"{", None, id="cut off"),
    ],
)
def test_identity_is_read_from_an_edited_manifest(text: bytes, identity: tuple[str, int] | None) -> None:
    assert Manifest.identify(text) == identity
