"""A real S3 server, a bucket on it, and a proxy that simulates faults of the network."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chaos.system.proxies.network import Network
from chaos.system.proxies.tcp import TcpProxy
from devcluster import Redis
from devcluster.harness.workers import Farm
from devcluster.servers.storage.s3 import S3
from tests.support.settings import configure
from tests.support.storage import StorageJob, sealed_result
from tests.unit.transfer.conftest import into

if TYPE_CHECKING:
    from tests.support.servers.objects import Bucket

__all__ = ["into"]  # a fixture
_numbers = count(1)


@pytest.fixture
def proxy(s3: S3) -> Iterator[TcpProxy]:
    """Between workers and server."""
    with Network() as network:
        yield network.tcp(s3.port)


@pytest.fixture
def bucket(s3: S3) -> Bucket:
    """An empty bucket, read without the proxy."""
    from tests.support.servers.objects import S3Server  # noqa: PLC0415  # boto3 takes seconds

    return S3Server(s3.url(), s3.access_key, s3.secret_key).bucket(f"bucket-{next(_numbers)}")


@pytest.fixture
def access(s3: S3, proxy: TcpProxy, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The bucket, to which this process has access through the proxy."""
    for name, value in s3.environment(proxy.port).items():
        monkeypatch.setenv(name, value)
    configure(monkeypatch, STORAGE_SCHEMES=("s3",), STORAGE_STALL_SECONDS=20.0)
    return bucket


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A sealed result with a mesh that is sent in parts."""
    return sealed_result(tmp_path / "result", mesh_bytes=40 << 20)


@pytest.fixture
def farm(s3: S3, proxy: TcpProxy) -> Iterator[Farm]:
    """Workers that reach the server through the proxy; none has been started."""
    settings = {"STORAGE_SCHEMES": "s3", "STORAGE_STALL_SECONDS": "10", "BEAT_SECONDS": "0.5"}
    with Redis() as server, Farm(server, **s3.environment(proxy.port), **settings) as running:
        yield running


@pytest.fixture
def job(farm: Farm, bucket: Bucket) -> StorageJob:
    """A job with photos in the bucket, whose result goes there."""
    return StorageJob(farm, bucket)
