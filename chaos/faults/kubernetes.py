"""Kubernetes faults: the API server, etcd, the objects in it, and a second installation."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Final

from chaos.faults.table import PATIENCE_SECONDS, Context, Fault, Heal, Inject, at_each, nothing, undoable
from chaos.polling import wait_for
from chaos.system.proxies.api import ApiProxy, Refusal
from chaos.system.scene import SETTINGS, leads
from devcluster import Redis, wait_until
from devcluster.errors import ApiError
from devcluster.harness.system import GROUP, JOBS, REPOSITORY, System

_NAMESPACES = "/api/v1/namespaces"
_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/reconstructionjobs.reconstruction.dev"
_DOOMED_JOBS = 6
_STRANGER = "stranger"
_LEADS_SECONDS = 20.0
_UNMARKED_SECONDS = 120.0
_LEASE = "reconstruction-operator"
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


_kill_api = undoable(lambda scene: scene.cluster.kill_apiserver(), lambda scene: scene.cluster.heal())
_pause_api = undoable(lambda scene: scene.cluster.pause_apiserver(), lambda scene: scene.cluster.heal())


def _second_installation(context: Context) -> Heal:
    """Start a second operator with its own Lease and Redis, and no workers.

    When it has ended, its marks are removed from its jobs.
    """
    context.counter += 1
    cluster, namespace = context.scene.cluster, f"{_STRANGER}-{context.counter}"
    stack = contextlib.ExitStack()
    system = stack.enter_context(System(cluster, stack.enter_context(Redis()), settings=SETTINGS))

    try:
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    except (ApiError, OSError):  # another fault makes the API server unavailable
        context.missed = True
        return stack.close
    system.start_operator(_STRANGER, KUBECONFIG=str(cluster.kubeconfig), OPERATOR_NAMESPACE=namespace)

    def heal() -> None:
        stack.close()
        _remove_marks(context, namespace)

    if wait_for(lambda: leads(system, _STRANGER), _LEADS_SECONDS, context.scene.supervise) is None:
        context.missed = True
        heal()
        return nothing
    return heal


def _remove_marks(context: Context, namespace: str) -> None:
    """Remove the marks of the stranger, so that its jobs continue.

    Another fault may make the API server unavailable for a while.
    """
    api = context.scene.cluster.api

    def done() -> bool:
        try:
            for job in api.get(JOBS)["items"]:
                if job.get("status", {}).get("installation", {}).get("lease") == f"{namespace}/{_LEASE}":
                    path = f"{GROUP}/namespaces/{job['metadata']['namespace']}/reconstructionjobs"
                    api.patch(f"{path}/{job['metadata']['name']}/status", {"status": {"installation": None}})
        except (ApiError, OSError):
            return False
        return True

    wait_for(done, _UNMARKED_SECONDS, context.scene.supervise)


def _at_each_proxy(act: Callable[[ApiProxy], None]) -> Inject:
    return lambda context: at_each(context.scene.api_proxies.values(), act)


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
    Fault(
        "another installation on the same namespaces",
        "kubernetes",
        _second_installation,
        (4.0, 10.0),
        deposes=True,
        divides=True,
    ),
)
