"""Storage environment: the proxy of the process that transfers objects."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits

from tests.support.servers.objects import Bucket
from tests.support.settings import configure
from tests.support.transfers import fetched


def test_a_proxy_is_used_unless_the_server_is_excluded(
    bucket: Bucket, into: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("set/a.jpg", b"1")
    configure(monkeypatch, STORAGE_STALL_SECONDS=1.0)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="INPUT_UNREACHABLE"):
        fetched(f"s3://{bucket.name}/set", into, limits)
    monkeypatch.setenv("NO_PROXY", "minio.example.com,127.0.0.0/8")
    assert len(fetched(f"s3://{bucket.name}/set", into, limits).photos) == 1
