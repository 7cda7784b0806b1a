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


def test_the_watch_begins_where_the_list_ended_and_goes_on_from_the_last_bookmark(api: Api, server: Server) -> None:
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


def test_another_error_of_a_watch_is_raised(api: Api, server: Server) -> None:
    server.put(200, LIST)
    server.put(200, json.dumps({"type": "ERROR", "object": {"code": 500, "message": "etcd is away"}}).encode())
    with pytest.raises(ApiError, match="etcd is away"):
        list(once(api, "/apis/x"))


def test_a_refusal_ends_the_following_and_is_passed_on(api: Api, server: Server) -> None:
    server.put(403, {"message": "you may not"})
    found: queue.Queue[Change | Refusal] = queue.Queue()
    Watch(api, "/apis/x", found, source="events").start()
    refusal = found.get(timeout=10)
    assert isinstance(refusal, Refusal)
    assert (type(refusal.error), refusal.source) == (ForbiddenError, "events")


def test_a_server_that_was_away_is_listed_again(api: Api, server: Server) -> None:
    server.put(500, {"message": "starting"})
    server.put(200, LIST)
    found: queue.Queue[Change | Refusal] = queue.Queue()
    watch = Watch(api, "/apis/x", found)
    watch.start()
    change = found.get(timeout=10)
    watch.close()
    assert isinstance(change, Change)
    assert change.listed == LIST["items"]
