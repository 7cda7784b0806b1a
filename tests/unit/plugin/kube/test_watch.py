from __future__ import annotations

import json
import queue
from typing import TYPE_CHECKING, Any

import pytest
from kubectl_recon.errors import ApiError, ForbiddenError
from kubectl_recon.kube.api import Api
from kubectl_recon.kube.watch import Change, Refusal, Watch, once

if TYPE_CHECKING:
    from tests.unit.plugin.conftest import Server

LIST = {"items": [{"metadata": {"name": "a"}}], "metadata": {"resourceVersion": "5"}}


def event(kind: str, version: int, **body: Any) -> bytes:
    return json.dumps(
        {"type": kind, "object": {"metadata": {"name": "a", "resourceVersion": str(version)}, **body}}
    ).encode()


def expired() -> bytes:
    status = {"kind": "Status", "code": 410, "message": "too old"}
    return json.dumps({"type": "ERROR", "object": status}).encode()


def test_a_watch_starts_at_the_list_and_continues_from_a_bookmark(api: Api, server: Server) -> None:
    server.put(200, LIST)
    server.put(200, b"\n".join([event("MODIFIED", 6), event("BOOKMARK", 9)]))
    server.put(200, b"\n".join([event("DELETED", 10), expired()]))
    changes = list(once(api, "/apis/x", labelSelector="a=b"))
    assert [(change.deleted, change.listed is not None) for change in changes] == [
        (False, True),
        (False, False),
        (True, False),
    ]
    watched = [path for _, path, _ in server.asked if "watch=1" in path]
    assert ["resourceVersion=5" in watched[0], "resourceVersion=9" in watched[1]] == [True, True]
    assert all("labelSelector=a%3Db" in path for path in watched)


def test_an_error_other_than_expired_is_raised(api: Api, server: Server) -> None:
    server.put(200, LIST)
    server.put(200, json.dumps({"type": "ERROR", "object": {"code": 500, "message": "etcd is unavailable"}}).encode())
    with pytest.raises(ApiError, match="etcd is unavailable"):
        list(once(api, "/apis/x"))


def test_a_permanent_error_ends_the_watch_and_is_reported(api: Api, server: Server) -> None:
    server.put(403, {"message": "you may not"})
    found: queue.Queue[Change | Refusal] = queue.Queue()
    Watch(api, "/apis/x", found, source="events").start()
    refusal = found.get(timeout=10)
    assert isinstance(refusal, Refusal)
    assert (type(refusal.error), refusal.source) == (ForbiddenError, "events")


def test_an_unavailable_server_is_retried(api: Api, server: Server) -> None:
    server.put(500, {"message": "starting"})
    server.put(200, LIST)
    found: queue.Queue[Change | Refusal] = queue.Queue()
    watch = Watch(api, "/apis/x", found)
    watch.start()
    change = found.get(timeout=10)
    watch.close()
    assert isinstance(change, Change)
    assert change.listed == LIST["items"]
