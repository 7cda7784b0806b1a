"""Watch: its thread ends at a permanent error, and retries after any other."""

from __future__ import annotations

import json
import queue
from typing import TYPE_CHECKING

from kubectl_recon.errors import ForbiddenError
from kubectl_recon.kube.api import Api
from kubectl_recon.kube.watch import Seen, Watch

from tests.support.jobs import make_body, make_key

if TYPE_CHECKING:
    from tests.unit.plugin.conftest import Server

BODY = make_body("a")
LIST = {"items": [BODY], "metadata": {"resourceVersion": "5"}}


def test_a_watch_starts_at_the_list(api: Api, server: Server) -> None:
    server.put(200, LIST)
    server.put(200, json.dumps({"type": "DELETED", "object": BODY}).encode() + b"\n")
    found: queue.Queue[Seen] = queue.Queue()
    watch = Watch(api, "/apis/x", found, source="jobs", labelSelector="a=b", fieldSelector=None)
    watch.start()
    changes = [found.get(timeout=10) for _ in range(3)]
    watch.close()
    assert [(seen.source, seen.change.key, seen.change.deleted) for seen in changes] == [
        ("jobs", make_key("a"), False),
        ("jobs", None, False),
        ("jobs", make_key("a"), True),
    ]
    watched = server.asked[1][1]
    assert ("resourceVersion=5" in watched, "labelSelector=a%3Db" in watched, "fieldSelector" in watched) == (
        True,
        True,
        False,
    )


def test_a_permanent_error_ends_the_watch_and_is_reported(api: Api, server: Server) -> None:
    server.put(403, {"message": "you may not"})
    found: queue.Queue[Seen] = queue.Queue()
    Watch(api, "/apis/x", found, source="events").start()
    seen = found.get(timeout=10)
    assert (type(seen.error), seen.source) == (ForbiddenError, "events")


def test_an_unavailable_server_is_retried(api: Api, server: Server) -> None:
    server.put(500, {"message": "starting"})
    server.put(200, LIST)
    found: queue.Queue[Seen] = queue.Queue()
    watch = Watch(api, "/apis/x", found)
    watch.start()
    seen = found.get(timeout=10)
    watch.close()
    assert seen.change.body == BODY
