"""API server in this process, with some jobs, for the feed and for the watch with kopf."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import test_utils, web
from kubernetes.client.configuration import Configuration
from reconstruction_operator.api.identity import GROUP, KIND, PLURAL, VERSION
from reconstruction_operator.controller.kube.listing import UNFINISHED
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.access import ClusterAccess
from reconstruction_operator.kube.client import Api

PATH: Final = paths.jobs(None)
PAGE: Final = 2
_VERBS: Final = ["get", "list", "watch", "patch"]
_DISCOVERY: Final = {
    "/api": {"versions": ["v1"]},
    "/apis": {
        "groups": [
            {"name": name, "versions": [{"version": version}], "preferredVersion": {"version": version}}
            for name, version in ((GROUP, VERSION), ("apiextensions.k8s.io", "v1"))
        ]
    },
    "/api/v1": {
        "resources": [
            {"name": name, "kind": kind, "singularName": "", "namespaced": kind == "Event", "verbs": _VERBS}
            for name, kind in (("namespaces", "Namespace"), ("events", "Event"))
        ]
    },
    "/apis/apiextensions.k8s.io/v1": {
        "resources": [
            {
                "name": "customresourcedefinitions",
                "kind": "CustomResourceDefinition",
                "singularName": "",
                "namespaced": False,
                "verbs": _VERBS,
            }
        ]
    },
    f"/apis/{GROUP}/{VERSION}": {
        "resources": [{"name": PLURAL, "kind": KIND, "singularName": "", "namespaced": True, "verbs": _VERBS}]
    },
}


class ApiServer:
    """Lists its jobs in pages of two, and sends its events to the next watch, once."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        self.bodies = list(bodies)
        self.version = 100
        self.events: list[bytes] = []
        self.status = 200
        self.replaced = (b"", b"")  # in lists: bytes that JSON cannot have
        self.failures = 0  # number of the next requests that fail
        self.selections_that_fail = 0  # the same for lists with a selector
        self.later_pages_that_fail = 0  # the same for pages after the first
        self.blocked: asyncio.Event | None = None  # lists of all jobs wait for it
        self.asked: list[str] = []  # kinds of the requests
        self.watched: list[str | None] = []  # resource version of each watch
        self._ended = asyncio.Event()
        self.url = ""

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Api]:
        """Serve, and yield a client."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        async with test_utils.TestServer(app) as server:
            self.url = str(server.make_url("")).rstrip("/")
            api = Api(ClusterAccess(self.url, Configuration()))
            yield api
            await api.close()
            self._ended.set()

    def put(self, kind: str, body: object) -> None:
        """Add an event for the next watch."""
        self.events.append(json.dumps({"type": kind, "object": body}).encode() + b"\n")

    def end_watches(self) -> None:
        """End the watches that wait for events."""
        self._ended.set()
        self._ended = asyncio.Event()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path != PATH:
            return web.json_response(_DISCOVERY[request.path])
        if "watch" in request.query:
            return await self._watch(request)
        return await self._list(request.query)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self.asked.append("watch")
        self.watched.append(request.query.get("resourceVersion"))
        events, self.events = self.events, []
        if events:
            return web.Response(body=b"".join(events))
        response = web.StreamResponse()
        await response.prepare(request)
        await self._ended.wait()
        return response

    async def _list(self, query: Mapping[str, str]) -> web.Response:
        selector, is_one = query.get("fieldSelector"), query["limit"] == "1"
        self.asked.append("one" if is_one else "page" if selector is None else "unfinished page")
        if self.failures:
            self.failures -= 1
            return web.json_response({"message": "busy"}, status=503)
        if "continue" in query and self.later_pages_that_fail:
            self.later_pages_that_fail -= 1
            return web.json_response({"message": "timeout"}, status=504)
        if selector is not None and self.selections_that_fail:
            self.selections_that_fail -= 1
            return web.json_response({"message": "timeout"}, status=504)
        if self.status != 200:  # OK
            return web.json_response({"message": "refused"}, status=self.status)
        if selector is None and not is_one and self.blocked is not None:
            await self.blocked.wait()
        selected = [body for body in self.bodies if selector is None or body["status"].get("phase") not in _FINISHED]
        begin = int(query.get("continue", 0))
        end = begin + PAGE
        metadata = {"resourceVersion": str(self.version), "continue": str(end) if end < len(selected) else ""}
        text = json.dumps({"items": selected[begin:end], "metadata": metadata}).encode()
        return web.Response(
            body=text.replace(*self.replaced) if self.replaced[0] else text, content_type="application/json"
        )


_FINISHED: Final = UNFINISHED.replace("status.phase!=", "").split(",")
