"""The environment of the process that transfers: the proxy that it uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.transfer import fetch
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits

from tests.support.servers.objects import Bucket
from tests.support.settings import configure


def test_a_proxy_is_used_unless_the_server_is_excluded(
    bucket: Bucket, into: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("set/a.jpg", b"1")
    configure(monkeypatch, STORAGE_STALL_SECONDS=1.0)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="INPUT_UNREACHABLE"):
        fetch.fetch(f"s3://{bucket.name}/set", into, into.with_name("fetched"), limits, lambda *_: None)
    monkeypatch.setenv("NO_PROXY", "minio.example.com,127.0.0.0/8")
    assert (
        len(fetch.fetch(f"s3://{bucket.name}/set", into, into.with_name("fetched"), limits, lambda *_: None).photos)
        == 1
    )
