"""Transfers over a network that is slow, loses connections, or stops sending."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from reconstruction_operator.transfer.errors import StorageError

from chaos.system.proxies.tcp import TcpProxy
from tests.support import transfers
from tests.support.servers.objects import Bucket
from tests.support.settings import configure
from tests.support.storage import sealed_result
from tests.support.transfers import Output, contents

BUILD_SECONDS = 1800
pytestmark = [pytest.mark.long, pytest.mark.timeout(BUILD_SECONDS)]

PHOTOS = {f"p{number}.jpg": bytes([number]) * (2 << 20) for number in range(6)}
_CLIENTS_SECONDS = 30
_TRIES = 3  # the machine may be busy during one of them


@pytest.fixture
def photos(access: Bucket) -> str:
    """The address of six photos of 2 MB."""
    for name, content in PHOTOS.items():
        access.put(f"set/{name}", content)
    return f"s3://{access.name}/set/"


def fetch_again(uri: str, into: Path, tick: Callable[[float, str], None] = lambda *_: None) -> dict[str, bytes]:
    for path in into.iterdir():
        path.unlink()
    return transfers.photos(uri, into, tick=tick)


def test_a_download_continues_after_its_connections_broke(photos: str, proxy: TcpProxy, into: Path) -> None:
    proxy.delay(0.02)
    broken: list[float] = []

    def spoil(fraction: float, _message: str) -> None:
        if fraction > 0.2 and not broken:
            broken.append(fraction)
            proxy.refuse()
        elif broken:
            proxy.heal()

    assert fetch_again(photos, into, spoil) == PHOTOS
    assert broken


def test_an_upload_continues_after_its_connections_broke(proxy: TcpProxy, access: Bucket, result: Path) -> None:
    proxy.delay(0.005)
    broken: list[bool] = []

    def spoil() -> None:
        if broken:
            proxy.heal()
        elif access.unfinished_uploads:
            broken.append(True)
            proxy.refuse()

    Output(access).deliver(result, check=spoil)
    assert broken
    assert Output(access).read() == contents(result)


def test_a_silent_server_fails_the_download_and_a_retry_fetches_the_rest(
    photos: str, proxy: TcpProxy, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.delay(0.01)

    def spoil(_fraction: float, _message: str) -> None:
        if transfers.kept(into):
            proxy.silence()

    with monkeypatch.context() as impatient:
        configure(impatient, STORAGE_STALL_SECONDS=2.0, STORAGE_TRANSFERS=2)
        with pytest.raises(StorageError, match=r"INPUT_UNREACHABLE: s3://bucket-\d+/set/ cannot be read"):
            fetch_again(photos, into, spoil)
    before = transfers.kept(into)
    assert before
    proxy.heal()
    assert fetch_again(photos, into) == PHOTOS
    assert before.items() <= transfers.kept(into).items()


@pytest.mark.release  # most of a minute
def test_a_request_that_takes_longer_than_the_clients_own_limits_succeeds(
    proxy: TcpProxy, access: Bucket, tmp_path: Path
) -> None:
    """By default, the client limits a request with its body to 30 s, and all its tries to 180 s."""
    result = sealed_result(tmp_path / "result", mesh_bytes=12 << 20)  # sent in one request
    proxy.delay(0.25)  # for 64 kB: 48 s
    began = time.monotonic()
    Output(access).deliver(result, check=lambda: None)
    assert time.monotonic() - began > _CLIENTS_SECONDS
    assert Output(access).read() == contents(result)


class StopError(Exception):
    """Raised in the middle of an upload."""


def test_an_interrupted_upload_on_a_slow_network_leaves_no_parts_behind(
    proxy: TcpProxy, access: Bucket, result: Path
) -> None:
    proxy.delay(0.002)  # for 64 kB: a part of 8 MB takes a fraction of the time for the abort

    def stop() -> None:
        if access.unfinished_uploads:
            raise StopError

    for _ in range(_TRIES):
        with pytest.raises(StopError):
            Output(access).deliver(result, check=stop)
        assert "meshes/result.json" not in access.keys
        if not access.unfinished_uploads:
            return
        access.abort_uploads()
    pytest.fail(f"parts were left behind in each of {_TRIES} tries")
