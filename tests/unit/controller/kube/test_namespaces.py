"""Namespaces: when their uids are read, and that no job gets the uid of an earlier namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.namespaces import Namespaces
from reconstruction_operator.kube.errors import ApiError

from tests.support.jobs import make_body


class Server:
    """An API server with namespaces by name. An error is raised instead of an answer."""

    def __init__(self, **uids: str | ApiError) -> None:
        self.uids: dict[str, str | ApiError] = dict(uids)
        self.read: list[str] = []

    async def get(self, path: str) -> Mapping[str, Any]:
        self.read.append(path)
        uid = self.uids[path.removeprefix("/api/v1/namespaces/")]
        if isinstance(uid, ApiError):
            raise uid
        return {"metadata": {"uid": uid}}


class Known:
    """The uids that an operator knows, with a clock."""

    def __init__(self, server: Any) -> None:
        self.now = 0.0
        self.cache = Cache()
        self.namespaces = Namespaces(server, self.cache, monotonic=lambda: self.now)

    def add(self, name: str, namespace: str = "red") -> JobRef:
        """Let the watch show a new job."""
        entry = self.cache.put(make_body(name, namespace=namespace))
        assert entry is not None
        return entry.key

    async def uid_of(self, key: JobRef) -> str | ApiError:
        return (await self.namespaces.uids([key]))[key.namespace]


async def test_a_uid_is_read_once_for_the_jobs_of_a_namespace() -> None:
    server = Server(red="ns-1", blue="ns-2")
    known = Known(server)
    keys = [known.add("a"), known.add("b"), known.add("c", "blue")]
    assert await known.namespaces.uids(keys) == {"red": "ns-1", "blue": "ns-2"}
    assert await known.uid_of(known.add("d")) == "ns-1"
    assert server.read == ["/api/v1/namespaces/red", "/api/v1/namespaces/blue"]
    known.now = 61.0
    await known.uid_of(keys[0])
    assert len(server.read) == 3


async def test_a_namespace_that_was_deleted_and_created_again_is_read_again() -> None:
    server = Server(red="ns-1")
    known = Known(server)
    old = known.add("a")
    assert await known.uid_of(old) == "ns-1"
    server.uids["red"] = "ns-2"
    known.cache.remove(old)  # as are all jobs of a deleted namespace
    assert await known.uid_of(known.add("b")) == "ns-2"


async def test_an_error_of_the_api_server_is_returned_and_the_next_call_tries_again() -> None:
    error = ApiError(503, "Unavailable", "later")
    server = Server(red=error, blue="ns-2")
    known = Known(server)
    keys = [known.add("a"), known.add("b", "blue")]
    assert await known.namespaces.uids(keys) == {"red": error, "blue": "ns-2"}
    server.uids["red"] = "ns-1"
    assert await known.uid_of(keys[0]) == "ns-1"


async def test_a_namespace_that_may_not_be_read_has_no_uid_and_is_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(red=ApiError(403, "Forbidden", "no"), blue=ApiError(403, "Forbidden", "no"), green="ns-3")
    known = Known(server)
    assert await known.namespaces.uids([known.add("a"), known.add("b", "blue")]) == {"red": "", "blue": ""}
    assert known.namespaces.unreadable
    assert len(caplog.records) == 1
    assert "take over no earlier result" in caplog.text
    await known.uid_of(known.add("c", "green"))
    assert not known.namespaces.unreadable
