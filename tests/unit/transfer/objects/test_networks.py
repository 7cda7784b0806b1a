"""Transfers over a network that is slow, breaks, or falls silent."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.contract.manifest import Manifest, SealedFile
from reconstruction_operator.transfer import fetch, outputs
from reconstruction_operator.transfer.delivery import Run
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits

from chaos.system.proxies.network import Network
from chaos.system.proxies.tcp import TcpProxy
from tests.support.objects import Bucket, S3Server
from tests.support.settings import configure

PHOTOS = {f"p{number}.jpg": bytes([number]) * (2 << 20) for number in range(6)}


@pytest.fixture
def proxy(storage: S3Server, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[TcpProxy]:
    """Between worker and server; the bucket itself is looked at without it."""
    with Network() as network:
        proxy = network.tcp(int(storage.address.rpartition(":")[2]))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        configure(monkeypatch, STORAGE_STALL_SECONDS=20.0)
        yield proxy


@pytest.fixture
def photos(bucket: Bucket) -> str:
    """The address of six photos of 2 MB."""
    for name, content in PHOTOS.items():
        bucket.put(f"set/{name}", content)
    return f"s3://{bucket.name}/set/"


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A sealed result with a mesh that is sent in parts."""
    folder = tmp_path / "result"
    folder.mkdir()
    described = []
    for name, content in (("model.glb", os.urandom(40) * (1 << 20)), ("preview.png", b"picture")):
        (folder / name).write_bytes(content)
        described.append(SealedFile(name, len(content), hashlib.sha256(content).hexdigest()))
    (folder / "manifest.json").write_text(Manifest("job1", attempt=1, files=tuple(described)).to_text())
    return folder


def take(
    uri: str, into: Path, limits: Limits, tick: Callable[[float, str], None] = lambda *_: None
) -> dict[str, bytes]:
    for path in into.iterdir():
        path.unlink()
    fetched = fetch.fetch(uri, into, replace(limits, max_bytes=1 << 30), tick)
    return {path.name: path.read_bytes() for path in fetched.photos}


def deliver(result: Path, bucket: Bucket, check: Callable[[], None]) -> None:
    outputs.deliver(result, f"s3://{bucket.name}/meshes/", Run("job1", 1, None), check, namespace="maps")


def kept(into: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in (into.parent / "fetched").iterdir() if not path.suffix}


def test_a_download_continues_after_its_connections_broke(
    photos: str, proxy: TcpProxy, into: Path, limits: Limits
) -> None:
    proxy.delay(0.02)
    broken: list[float] = []

    def spoil(fraction: float, _message: str) -> None:
        if fraction > 0.2 and not broken:
            broken.append(fraction)
            proxy.refuse()
        elif broken:
            proxy.heal()

    assert take(photos, into, limits, spoil) == PHOTOS
    assert broken


def test_an_upload_continues_after_its_connections_broke(proxy: TcpProxy, bucket: Bucket, result: Path) -> None:
    proxy.delay(0.005)
    broken: list[bool] = []

    def spoil() -> None:
        if broken:
            proxy.heal()
        elif bucket.unfinished_uploads:
            broken.append(True)
            proxy.refuse()

    deliver(result, bucket, spoil)
    assert broken
    folder = json.loads(bucket.get("meshes/result.json"))["folder"]
    assert bucket.get(f"meshes/{folder}model.glb") == (result / "model.glb").read_bytes()


def test_a_silent_server_fails_the_download_and_a_retry_fetches_the_rest(
    photos: str, proxy: TcpProxy, into: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.delay(0.01)

    def spoil(_fraction: float, _message: str) -> None:
        if kept(into):
            proxy.silence()

    with monkeypatch.context() as impatient:
        configure(impatient, STORAGE_STALL_SECONDS=2.0, STORAGE_TRANSFERS=2)
        with pytest.raises(StorageError, match=r"INPUT_UNREACHABLE: s3://bucket-\d+/set/ cannot be read"):
            take(photos, into, limits, spoil)
    before = kept(into)
    assert before
    proxy.heal()
    assert take(photos, into, limits) == PHOTOS
    assert before.items() <= kept(into).items()


def test_an_interrupted_upload_on_a_slow_network_leaves_no_parts_behind(
    proxy: TcpProxy, bucket: Bucket, result: Path
) -> None:
    proxy.delay(0.002)  # for 64 kB: a part of 8 MB takes a fraction of the time for the abort

    class StopError(Exception):
        pass

    def stop() -> None:
        if bucket.unfinished_uploads:
            raise StopError

    with pytest.raises(StopError):
        deliver(result, bucket, stop)
    assert bucket.unfinished_uploads == []
    assert not [key for key in bucket.keys if not key.endswith("preview.png")]
