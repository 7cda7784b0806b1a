from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubectl_recon.commands import results
from kubectl_recon.errors import ReconError, UsageError
from kubectl_recon.storage import downloading
from reconstruction_operator.contract.manifest import Manifest, SealedFile, local_names
from reconstruction_operator.transfer.objects.layout import Pointer, folder_of

from tests.support.refs import make_attempt
from tests.support.servers.objects import Bucket

CONTENT = {"model.glb": b"mesh" * 500_000, "previews/front.png": b"png" * 1000}


def manifest() -> Manifest:
    sealed = tuple(
        SealedFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in CONTENT.items()
    )
    return Manifest(make_attempt("uid-1"), files=sealed)


def deliver(bucket: Bucket, address: str = "meshes/banana") -> str:
    """Store a result as the workers deliver it; return the address of its folder."""
    sealed = manifest()
    for name, content in CONTENT.items():
        bucket.put(f"{address}/{folder_of(sealed)}{name}", content)
    bucket.put(f"{address}/{folder_of(sealed)}manifest.json", sealed.to_text().encode())
    bucket.put(f"{address}/result.json", Pointer.of(sealed).to_bytes())
    return f"s3://{bucket.name}/{address}/{folder_of(sealed)}"


def test_a_result_is_downloaded_with_the_mesh_named_after_the_job(bucket: Bucket, tmp_path: Path) -> None:
    results.fetch(downloading.source(deliver(bucket)), "banana", tmp_path / "out", ())
    assert (tmp_path / "out" / "banana.glb").read_bytes() == CONTENT["model.glb"]
    assert (tmp_path / "out" / "previews" / "front.png").read_bytes() == CONTENT["previews/front.png"]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.*")) == ["banana.glb", "front.png"]


def test_the_pointer_at_the_output_address_leads_to_the_result(bucket: Bucket, tmp_path: Path) -> None:
    deliver(bucket)
    assert results.of_address(f"s3://{bucket.name}/meshes/banana/", str(tmp_path), ["*.png"]) == 0
    assert [path.name for path in tmp_path.rglob("*.*")] == ["front.png"]


def test_complete_files_are_not_downloaded_again(
    bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = deliver(bucket)
    assert results.of_address(uri, str(tmp_path), ()) == 0
    capsys.readouterr()
    assert results.of_address(uri, str(tmp_path), ()) == 0
    assert capsys.readouterr().out.count("(kept)") == 2


def test_an_interrupted_download_is_resumed(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "banana.glb.part").write_bytes(CONTENT["model.glb"][:1_000_000])
    place, files = downloading.files(downloading.source(deliver(bucket)))
    done: list[int] = []
    mesh = next(file for file in files if file.name == "model.glb")
    downloading.fetch(place, mesh, tmp_path / "banana.glb", done.append)
    assert done == [1_000_000, 1_000_000]
    assert (tmp_path / "banana.glb").read_bytes() == CONTENT["model.glb"]


def test_a_damaged_file_is_never_kept(bucket: Bucket, tmp_path: Path) -> None:
    uri = deliver(bucket)
    key = next(key for key in bucket.keys if key.endswith("model.glb"))
    bucket.put(key, b"MESH" + CONTENT["model.glb"][4:])
    with pytest.raises(ReconError, match=r"model.glb was damaged during the transfer \(sha256"):
        results.fetch(downloading.source(uri), "banana", tmp_path, ())
    assert not list(tmp_path.glob("banana.glb*"))


@pytest.mark.parametrize(
    "file", [SealedFile("../evil.sh", 1, "x"), SealedFile("a\x1b[2J", 1, "x"), SealedFile("a", -1, "x")]
)
def test_a_name_outside_the_folder_is_rejected(file: SealedFile, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(Manifest(make_attempt("uid-1"), files=(file,)).to_text())
    with pytest.raises(ReconError, match="outside its folder"):
        downloading.files(downloading.source(f"file://{tmp_path}"))


@pytest.mark.parametrize(
    "text", ["{}", "[" * 100_000, " " * (1 << 20) + manifest().to_text()], ids=["of-another-program", "nested", "large"]
)
def test_a_manifest_that_no_worker_wrote_is_rejected(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ReconError, match="was not written by a worker"):
        downloading.files(downloading.source(f"file://{tmp_path}"))


FOLDER = folder_of(manifest())


@pytest.mark.parametrize(
    ("folder", "padding", "sealed", "wrong"),
    [("other/secret/", 0, 0, "result"), (FOLDER, 1 << 16, 0, "result"), (FOLDER, 0, 1 << 20, "manifest")],
    ids=["a-pointer-to-another-folder", "a-large-pointer", "a-large-manifest"],
)
def test_what_no_worker_delivered_is_rejected(
    folder: str, padding: int, sealed: int, wrong: str, bucket: Bucket
) -> None:
    bucket.put(f"banana/{folder}manifest.json", manifest().to_text().encode() + b" " * sealed)
    bucket.put("banana/result.json", Pointer("uid-1", 1, folder).to_bytes() + b" " * padding)
    with pytest.raises(ReconError, match=rf"{wrong}.json was not written by a worker"):
        downloading.files(downloading.source(f"s3://{bucket.name}/banana/"))


def test_a_download_ends_at_the_size_in_the_manifest(tmp_path: Path) -> None:
    endless: Any = SimpleNamespace(
        manifest=lambda: manifest().to_text().encode(), chunks=lambda *_: itertools.repeat(bytes(1_000_000), 1_000)
    )
    with pytest.raises(ReconError, match=r"model\.glb is longer than the 2000000 bytes"):
        results.fetch(endless, "banana", tmp_path, ())
    assert (tmp_path / "banana.glb.part").stat().st_size <= 2_000_000


def test_a_result_on_a_volume_that_is_not_mounted_is_explained() -> None:
    with pytest.raises(
        UsageError, match="is on the workers' volume, at file:///jobs/uid, which is not mounted on this machine"
    ):
        downloading.source("file:///jobs/uid")


def test_a_pattern_without_a_match_is_rejected_with_the_names_of_the_files(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no file \*.obj; it has: model.glb, previews/front.png"):
        results.of_address(deliver(bucket), str(tmp_path), ["*.obj"])


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(["model.glb", "a.png"], ["banana.glb", "a.png"], id="one mesh"),
        pytest.param(
            ["model.glb", "model_compressed.glb", "model_full.glb"],
            ["banana.glb", "banana_compressed.glb", "banana_full.glb"],
            id="the mesh to look at has the short name",
        ),
        pytest.param(["model.glb", "banana.glb"], ["model.glb", "banana.glb"], id="another file has the name"),
    ],
)
def test_meshes_are_named_after_the_job(files: list[str], expected: list[str]) -> None:
    assert list(local_names(files, "banana").values()) == expected
