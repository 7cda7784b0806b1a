"""Kubernetes faults: the API server, etcd, and the objects in it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Final

from chaos.faults.table import PATIENCE_SECONDS, Context, Fault, Heal, Inject, nothing, together
from chaos.polling import wait_for
from chaos.system.proxies.api import ApiProxy, Refusal
from devcluster import wait_until
from devcluster.errors import ApiError
from devcluster.harness.system import JOBS, REPOSITORY

_NAMESPACES = "/api/v1/namespaces"
_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/reconstructionjobs.reconstruction.dev"
_DOOMED_JOBS = 6
_RUNNING_SECONDS = 15.0  # until one of them runs; enough without other faults


def _delete_namespace(context: Context) -> Heal:
    context.counter += 1
    namespace = f"doomed-{context.counter}"
    api = context.scene.cluster.api
    api.post(_NAMESPACES, {"metadata": {"name": namespace}})
    context.load.burst(namespace, _DOOMED_JOBS)
    running = wait_for(lambda: context.load.runs_in(namespace), _RUNNING_SECONDS, context.scene.supervise)
    context.missed = running is None  # no worker started a job before the namespace was deleted
    api.delete(f"{_NAMESPACES}/{namespace}")
    context.load.mark_deleted(namespace)
    return lambda: wait_until(
        lambda: not api.is_there(f"{_NAMESPACES}/{namespace}"),
        f"the deletion of namespace {namespace}",
        timeout_seconds=PATIENCE_SECONDS,
    )


def _delete_crd(context: Context) -> Heal:
    cluster = context.scene.cluster
    with context.load.paused():
        with contextlib.suppress(ApiError):
            cluster.api.delete(_CRD)
        wait_until(lambda: not cluster.api.is_there(_CRD), "the deletion of the CRD", timeout_seconds=PATIENCE_SECONDS)
        context.load.mark_deleted()
        cluster.kubectl("apply", "-f", REPOSITORY / "manifests" / "crd")
        wait_until(
            lambda: cluster.api.is_there(JOBS),
            "the API server to serve ReconstructionJobs again",
            timeout_seconds=PATIENCE_SECONDS,
        )
    return nothing


def _kill_api(context: Context) -> Heal:
    context.scene.cluster.kill_apiserver()
    return context.scene.cluster.heal


def _pause_api(context: Context) -> Heal:
    context.scene.cluster.pause_apiserver()
    return context.scene.cluster.heal


def _at_each_proxy(act: Callable[[ApiProxy], None]) -> Inject:
    def inject(context: Context) -> Heal:
        proxies = context.scene.api_proxies.values()
        for proxy in proxies:
            act(proxy)
        return together([proxy.heal for proxy in proxies])

    return inject


def _refuses(refusal: Refusal) -> Inject:
    return _at_each_proxy(lambda proxy: proxy.refuse(refusal))


def _slow_etcd(context: Context) -> Heal:
    over, etcd = threading.Event(), context.scene.cluster.processes["etcd"]

    def stutter() -> None:
        while not over.is_set():
            etcd.pause()
            over.wait(0.5)
            etcd.resume()
            over.wait(0.1)

    thread = threading.Thread(target=stutter, name="slow etcd", daemon=True)
    thread.start()

    def heal() -> None:
        over.set()
        thread.join()
        etcd.resume()

    return heal


def _of_the_api(name: str, inject: Inject, hold: tuple[float, float]) -> Fault:
    return Fault(f"API server: {name}", "kubernetes", inject, hold, deposes=True)


_CONFLICT: Final = Refusal(409, "Conflict", share=0.7, writes_only=True)
_THROTTLED: Final = Refusal(429, "TooManyRequests", share=0.7, retry_after_seconds=1)
FAULTS: Final = (
    Fault("namespace deleted", "objects", _delete_namespace, hold=(0.0, 1.0)),
    Fault("CRD deleted and applied again", "objects", _delete_crd, hold=(0.0, 0.0), deposes=True),
    _of_the_api("killed", _kill_api, (0.5, 6.0)),
    _of_the_api("paused", _pause_api, (1.0, 10.0)),
    _of_the_api("409 to writes", _refuses(_CONFLICT), (3.0, 8.0)),
    _of_the_api("429 with Retry-After", _refuses(_THROTTLED), (3.0, 8.0)),
    _of_the_api("500", _refuses(Refusal(500, "InternalError", share=0.7)), (3.0, 8.0)),
    _of_the_api("watches expired (410)", _at_each_proxy(ApiProxy.expire_watches), (1.0, 6.0)),
    _of_the_api("slow etcd", _slow_etcd, (5.0, 10.0)),
)
