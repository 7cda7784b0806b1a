"""Silence of a watch: the API server sends nothing of Events until there is one, and nobody is told of a fault."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any

import pytest
from kubectl_recon.kube import api as plugin
from reconstruction_operator.kube import client, paths, reflector
from reconstruction_operator.kube.access import find_cluster

from devcluster import Cluster
from devcluster.waiting import wait_until

_SILENCE_SECONDS = 0.5
_WATCHES = 4


class Watches:
    """Counts the watches that a transport begins."""

    def __init__(self, transport: Any) -> None:
        self.read = transport.read
        self.count = 0
        self._transport = transport

    def chunks(self, path: str, query: Mapping[str, str], silence_seconds: float) -> Generator[bytes, None, None]:
        self.count += 1
        return self._transport.chunks(path, query, silence_seconds)


class AsyncWatches(Watches):
    """The same in an event loop."""

    def chunks(self, path: str, query: Mapping[str, str], silence_seconds: float) -> AsyncGenerator[bytes, None]:
        self.count += 1
        return self._transport.chunks(path, query, silence_seconds)


def write_event(cluster: Cluster, namespace: str) -> None:
    about = {"kind": "ReconstructionJob", "namespace": namespace, "name": "banana"}
    body = {"metadata": {"name": "after-the-silence"}, "involvedObject": about, "reason": "Tested", "type": "Normal"}
    plugin.connect(kubeconfig=str(cluster.kubeconfig)).api.post(paths.core(namespace, "events"), body)


def test_the_plugin_and_the_demo_follow_silent_events(
    cluster: Cluster, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    changes: queue.Queue[reflector.Change] = queue.Queue()
    watches = Watches(plugin.connect(kubeconfig=str(cluster.kubeconfig)).api)
    closed = threading.Event()
    followed = reflector.Reflector(paths.core(namespace, "events"), changes.put, silence_seconds=_SILENCE_SECONDS)
    thread = threading.Thread(target=reflector.follow, args=(watches, followed, closed), daemon=True)
    thread.start()
    try:
        wait_until(lambda: watches.count >= _WATCHES, "more watches after silences")
        write_event(cluster, namespace)
        assert changes.get(timeout=30) == reflector.Change()  # the list, which was empty
        change = changes.get(timeout=30)
    finally:
        closed.set()
        thread.join(30)

    assert (change.key and change.key.name, thread.is_alive()) == ("after-the-silence", False)
    assert caplog.text == ""


async def test_the_gallery_follows_silent_events(
    cluster: Cluster, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    changes: asyncio.Queue[reflector.Change] = asyncio.Queue()
    api = client.Api(find_cluster(kubeconfig=str(cluster.kubeconfig)))
    watches = AsyncWatches(api)
    followed = reflector.Reflector(
        paths.core(namespace, "events"), changes.put_nowait, silence_seconds=_SILENCE_SECONDS
    )
    task = asyncio.create_task(reflector.follow_async(watches, followed))
    try:
        await asyncio.to_thread(wait_until, lambda: watches.count >= _WATCHES, "more watches after silences")
        await asyncio.to_thread(write_event, cluster, namespace)
        assert await asyncio.wait_for(changes.get(), 30) == reflector.Change()
        change = await asyncio.wait_for(changes.get(), 30)
    finally:
        task.cancel()
        await asyncio.wait([task])
        await api.close()

    assert change.key is not None
    assert change.key.name == "after-the-silence"
    assert caplog.text == ""
