"""Result layout: a folder for each content, and a pointer that other programs may have overwritten."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.manifest import Manifest, SealedFile
from reconstruction_operator.transfer.objects import layout
from reconstruction_operator.transfer.objects.layout import Pointer
from reconstruction_operator.transfer.objects.process import ObjectTarget

from tests.support.refs import make_attempt

MANIFEST = Manifest(make_attempt("job1", 2), uri="s3://b/meshes/", files=(SealedFile("model.glb", 4, "abc"),))


def test_the_folder_depends_on_the_content_alone() -> None:
    folder = layout.folder_of(MANIFEST)
    assert folder.startswith("job1/2-")
    assert layout.folder_of(replace(MANIFEST, findings=Findings(quality={"a": "1"}), uri="s3://elsewhere/")) == folder
    assert layout.folder_of(replace(MANIFEST, files=(SealedFile("model.glb", 4, "abd"),))) != folder
    assert layout.folder_of(replace(MANIFEST, attempt=make_attempt("job1", 3))) != folder


@pytest.mark.parametrize("uri", ["s3://b/meshes", "s3://b/meshes/"])
def test_the_address_of_a_result_is_its_folder(uri: str) -> None:
    target = ObjectTarget(uri, "maps")
    assert target.place_of(replace(MANIFEST, uri=uri)) == f"s3://b/meshes/{layout.folder_of(MANIFEST)}"


def test_a_pointer_is_read_as_it_was_written() -> None:
    pointer = Pointer.of(MANIFEST)
    assert Pointer.parse(pointer.to_bytes()) == pointer


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"1", b'{"jobId": "a", "attempt": "1", "folder": "b"}', b"\xff"])
def test_what_another_program_wrote_is_not_a_pointer(text: bytes) -> None:
    assert Pointer.parse(text) is None


@pytest.mark.parametrize(
    ("name", "attempt"), [(layout.probe_of(3), 3), ("0-abc", 0), ("x-abc", None), ("3", None), ("-1", None)]
)
def test_a_folder_names_its_attempt(name: str, attempt: int | None) -> None:
    assert layout.attempt_of(name) == attempt
