"""Kubernetes faults: the API server, etcd, and the objects in it."""

from __future__ import annotations

import contextlib
import threading

from chaos.faults.table import PATIENCE_SECONDS, Context, Heal, fault, nothing
from chaos.polling import wait_for
from chaos.proxies import Refusal
from devcluster import wait_until
from devcluster.errors import ApiError
from devcluster.harness.system import JOBS, REPOSITORY

_NAMESPACES = "/api/v1/namespaces"
_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/reconstructionjobs.reconstruction.dev"
_DOOMED_JOBS = 6
_RUNNING_SECONDS = 15.0  # for one of them to run; enough without other faults

# --- Kubernetes -------------------------------------------------------------------------------------------------------


@fault("namespace deleted", on="objects", hold=(0.0, 1.0))
def _namespace_deleted(context: Context) -> Heal:
    context.counter += 1
    namespace = f"doomed-{context.counter}"
    api = context.scene.cluster.api
    api.post(_NAMESPACES, {"metadata": {"name": namespace}})
    context.load.burst(namespace, _DOOMED_JOBS)
    running = wait_for(lambda: context.load.runs_in(namespace), _RUNNING_SECONDS, context.scene.supervise)
    context.missed = running is None  # no worker had started one before the namespace was deleted
    api.delete(f"{_NAMESPACES}/{namespace}")
    context.load.mark_deleted(namespace)
    return lambda: wait_until(
        lambda: not api.is_there(f"{_NAMESPACES}/{namespace}"),
        f"namespace {namespace} to be gone",
        timeout_seconds=PATIENCE_SECONDS,
    )


@fault("CRD deleted and applied again", on="objects", hold=(0.0, 0.0), deposes=True)
def _crd_deleted(context: Context) -> Heal:
    cluster = context.scene.cluster
    with context.load.paused():
        with contextlib.suppress(ApiError):
            cluster.api.delete(_CRD)
        wait_until(lambda: not cluster.api.is_there(_CRD), "the CRD to be gone", timeout_seconds=PATIENCE_SECONDS)
        context.load.mark_deleted()
        cluster.kubectl("apply", "-f", REPOSITORY / "manifests" / "crd")
        wait_until(
            lambda: cluster.api.is_there(JOBS),
            "the API server to serve ReconstructionJobs again",
            timeout_seconds=PATIENCE_SECONDS,
        )
    return nothing


@fault("API server: killed", on="kubernetes", hold=(0.5, 6.0), deposes=True)
def _api_killed(context: Context) -> Heal:
    context.scene.cluster.kill_apiserver()
    return context.scene.cluster.heal


@fault("API server: paused", on="kubernetes", hold=(1.0, 10.0), deposes=True)
def _api_paused(context: Context) -> Heal:
    context.scene.cluster.pause_apiserver()
    return context.scene.cluster.heal


@fault("API server: 409 to writes", on="kubernetes", hold=(3.0, 8.0), deposes=True)
def _api_conflicts(context: Context) -> Heal:
    return _refuse(context, Refusal(409, "Conflict", share=0.7, writes_only=True))


@fault("API server: 429 with Retry-After", on="kubernetes", hold=(3.0, 8.0), deposes=True)
def _api_throttles(context: Context) -> Heal:
    return _refuse(context, Refusal(429, "TooManyRequests", share=0.7, retry_after_seconds=1))


@fault("API server: 500", on="kubernetes", hold=(3.0, 8.0), deposes=True)
def _api_fails(context: Context) -> Heal:
    return _refuse(context, Refusal(500, "InternalError", share=0.7))


@fault("API server: watches expired (410)", on="kubernetes", hold=(1.0, 6.0), deposes=True)
def _api_expires(context: Context) -> Heal:
    for proxy in context.scene.api_proxies.values():
        proxy.expire_watches()
    return _healer(context)


def _refuse(context: Context, refusal: Refusal) -> Heal:
    for proxy in context.scene.api_proxies.values():
        proxy.refuse(refusal)
    return _healer(context)


def _healer(context: Context) -> Heal:
    def heal() -> None:
        for proxy in context.scene.api_proxies.values():
            proxy.heal()

    return heal


@fault("API server: slow etcd", on="kubernetes", hold=(5.0, 10.0), deposes=True)
def _etcd_slow(context: Context) -> Heal:
    over = threading.Event()

    def stutter() -> None:
        while not over.is_set():
            context.scene.pause_etcd()
            over.wait(0.5)
            context.scene.resume_etcd()
            over.wait(0.1)

    thread = threading.Thread(target=stutter, name="slow etcd", daemon=True)
    thread.start()

    def heal() -> None:
        over.set()
        thread.join()
        context.scene.resume_etcd()

    return heal
