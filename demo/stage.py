"""Stage of the demo: an API server, a Redis, an operator and a worker as separate processes.

The API server is a temporary one (`own`) or the user's (`theirs`). Everything else ends with the `with` block.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from reconstruction_operator import config
from reconstruction_operator.contract import info

from demo import gallery
from demo.display import Display
from demo.first_mesh import FirstMesh
from demo.kubectl import KubectlError, ShownKubectl
from demo.photos import Photos
from demo.places import DemoError, Places
from devcluster import Cluster, DevclusterError, Redis, interrupts
from devcluster.files import CHECKOUT
from devcluster.harness.replicas import Replica
from devcluster.harness.system import System
from devcluster.programs import toolchain
from devcluster.programs.building import built, is_built
from devcluster.servers.ports import free_ports
from devcluster.servers.running import Running
from devcluster.waiting import wait_until

_CRD = "crd/reconstructionjobs.reconstruction.dev"
_OPERATOR_LEASE = ("-n", "reconstruction-system", "get", "lease", "reconstruction-operator")
_OLDEST_KUBERNETES = (1, 31)
_READY_SECONDS = 120.0  # until the CRD is served: under a second on an idle machine
_CHECK_SECONDS = 1.0  # between two checks that everything runs
_RESTART_SECONDS = 5.0  # between two in a kept demo: a process that always fails leaves the processor to others
_INSTALL_ID = "demo"
_WORKER_PROCESSES = 2  # one for the photos, one for the placeholder


@dataclass
class DemoServers:
    """The ready servers of a demo."""

    kubectl: ShownKubectl
    servers: tuple[Running, ...]
    gallery: str = ""  # its URL; empty: none

    def hold(self) -> NoReturn:
        """Block until interrupted, and start each process that ends again."""
        while True:
            time.sleep(_RESTART_SECONDS)
            for name in (name for server in self.servers for name in server.revive()):
                print(f"{time.strftime('%X')} {name} had ended, and was started again; see its log", flush=True)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Raise in the main thread when a process ends within the block, which could wait for it forever."""
        over = threading.Event()
        ended = list[DevclusterError]()

        def look() -> None:
            while not over.wait(_CHECK_SECONDS):
                try:
                    for server in self.servers:
                        server.check()
                except DevclusterError as error:
                    ended.append(error)
                    os.kill(os.getpid(), signal.SIGUSR1)
                    return

        signal.signal(signal.SIGUSR1, lambda *_: interrupts.raise_until_handled(ended[0]))
        thread = threading.Thread(target=look, name="process watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)


@contextlib.contextmanager
def own(places: Places, photos: Photos, display: Display, *, first: FirstMesh | None) -> Iterator[DemoServers]:
    """Run a temporary control plane, which uses only this machine and leaves nothing behind.

    `first` runs while the control plane is built; None: no run of the engine alone.
    """
    with contextlib.ExitStack() as stack:
        if is_built():
            first = None
        _build(stack, display, first)
        display.title("A Kubernetes control plane, a Redis, the operator and a worker start on this machine (10 s)")
        cluster = stack.enter_context(Cluster(managed=False))
        display.detail(f"etcd and kube-apiserver run; the API server is {cluster.url}")
        server = stack.enter_context(_redis(persistent=True))  # a restart loses nothing
        display.detail(f"Redis runs on port {server.port}")
        kubectl = _kubectl(cluster.kubectl_program, str(cluster.kubeconfig), "default", places, display)
        display.output(kubectl.run("apply", "-f", "manifests/crd"))
        _wait_served(kubectl)
        display.output(kubectl.run("apply", "-k", "manifests/install"))
        if first is not None:
            _give_stages(first, kubectl, photos, display)
        system = stack.enter_context(System(cluster, server, settings=_settings(places, photos)))
        account = "as the service account of manifests/install, with only its permissions"
        (port,) = free_ports(1)
        _start(system, places, display, account, INSTALL_ID=_INSTALL_ID, GALLERY_ADDRESS=f"http://127.0.0.1:{port}")
        address = gallery.start(system, kubectl, places, display, port)
        yield DemoServers(kubectl, (cluster, server, system), address)


def _build(stack: contextlib.ExitStack, display: Display, first: FirstMesh | None) -> None:
    """Build what is missing, and show its progress. Meanwhile the engine alone makes a mesh of the photos."""
    if first is None:
        built()
    else:
        stack.enter_context(first)
        display.title("Your mesh first, by the engine alone, while the control plane of the cluster is built")
        built(beside=first.progress)
        first.wait()
    toolchain.kubectl()
    toolchain.redis_server()


def _redis(*, persistent: bool = False) -> Redis:
    """Return a Redis with a password: other users of the machine can connect to it, and a Redis writes files."""
    return Redis(persistent=persistent, password=secrets.token_urlsafe(32))


def _give_stages(first: FirstMesh, kubectl: ShownKubectl, photos: Photos, display: Display) -> None:
    """Let the job of the same photos continue from the stages of the first mesh, and say so."""
    uid = kubectl.read("get", "namespace", kubectl.namespace)["metadata"]["uid"]
    continues = first.give_stages(_INSTALL_ID, kubectl.namespace, uid)
    how = "continues from the stages of the engine's run" if continues else "runs in full: the engine kept no stages"
    display.text(f"The same photos are now the job {photos.job}, which {how}")


@contextlib.contextmanager
def theirs(kubeconfig: str, namespace: str, places: Places, photos: Photos, display: Display) -> Iterator[DemoServers]:
    """Use the user's cluster with a new namespace, and the CRD if it is missing; delete both afterwards."""
    installed = shutil.which("kubectl")
    program = Path(installed) if installed else toolchain.kubectl()
    toolchain.redis_server()
    kubectl = _kubectl(program, kubeconfig, namespace, places, display)
    _check_suitable(kubectl, kubeconfig)
    display.title("A Redis, the operator and a worker start on this machine, for the cluster that you named")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_redis())
        if kubectl.succeeds("get", _CRD):
            display.text("The cluster already has the ReconstructionJob resource, which stays unchanged")
        else:
            stack.callback(_remove, kubectl, display, "manifests/crd", "-f")
            display.output(kubectl.run("apply", "-f", "manifests/crd"))
            _wait_served(kubectl)
        stack.callback(_remove, kubectl, display, namespace, "namespace")
        display.output(kubectl.run("create", "namespace", namespace))
        own = info.InstallationInfo(lease=f"{namespace}/{config.settings.LEASE_NAME}").name
        stack.callback(_remove, kubectl, display, own, "configmap", "--namespace", info.NAMESPACE)
        system = stack.enter_context(System(Cluster(), server, settings=_settings(places, photos)))
        settings = {"KUBECONFIG": kubeconfig, "OPERATOR_NAMESPACE": namespace, "WATCH_NAMESPACES": namespace}
        _start(system, places, display, "as the user of your kubeconfig", **settings)
        yield DemoServers(kubectl, (server, system))


def _kubectl(program: Path, kubeconfig: str, namespace: str, places: Places, display: Display) -> ShownKubectl:
    return ShownKubectl(
        program, kubeconfig, namespace, folder=CHECKOUT, cache=places.kubectl_cache, show=display.command
    )


def _settings(places: Places, photos: Photos) -> dict[str, str]:
    return {
        "JOBS_DIR": str(places.jobs),
        # Places of the manifests' /photos.
        "INPUT_ROOTS": (
            f"/photos/{photos.job}={photos.folder},/photos={CHECKOUT / 'examples' / 'photos'},{places.uploads}"
        ),
        "DRAIN_SECONDS": "1",  # an interrupted demo does not wait for the reconstruction
    }


def _start(system: System, places: Places, display: Display, account: str, **settings: str) -> None:
    for name in ("operator", "worker"):
        (system.folder / f"{name}.log").symlink_to(places.logs / f"{name}.log")
    # The worker starts first: an operator without workers reports that in the job's Events.
    worker = system.start_worker(concurrency=_WORKER_PROCESSES)
    system.wait_registered()
    display.detail(
        f"celery -A reconstruction_operator.celery_app worker: process {worker.pid}; it does not use Kubernetes"
    )
    operator = system.start_operator(**settings)
    Replica(system).wait_ready()
    display.detail(f"reconstruction-operator run: process {operator.pid}, {account}")


def _wait_served(kubectl: ShownKubectl) -> None:
    # Not `kubectl wait`, which fails for a CRD that has no conditions yet.
    wait_until(
        lambda: kubectl.succeeds("get", "--raw", "/apis/reconstruction.dev/v1alpha1"),
        "the API server to serve ReconstructionJobs",
        timeout_seconds=_READY_SECONDS,
    )


def _check_suitable(kubectl: ShownKubectl, kubeconfig: str) -> None:
    if not Path(kubeconfig).is_file():
        raise DemoError(f"There is no file {kubeconfig}: KUBECONFIG=... names a kubeconfig of your cluster.")
    try:
        version = kubectl.read("--request-timeout=15s", "version")["serverVersion"]
    except KubectlError as error:
        raise DemoError(
            f"The cluster of {kubeconfig} does not answer. kubectl reports:\n{error.message}\n"
            f"Without KUBECONFIG=... the demo starts its own control plane."
        ) from error
    served = (int(version["major"]), int(version["minor"].rstrip("+")))
    if served < _OLDEST_KUBERNETES:
        raise DemoError(f"The cluster has Kubernetes {version['gitVersion']}; the resource's rules need 1.31 or newer.")
    if not kubectl.succeeds("auth", "can-i", "create", "customresourcedefinitions", "--all-namespaces"):
        raise DemoError("The user of that kubeconfig may not create CustomResourceDefinitions.")
    if kubectl.succeeds(*_OPERATOR_LEASE):
        raise DemoError(
            "The cluster has an operator installed (the Lease reconstruction-operator in the namespace "
            "reconstruction-system): it would process the demo's jobs too. Use it with manifests/examples instead."
        )


def _remove(kubectl: ShownKubectl, display: Display, what: str, kind: str, *options: str) -> None:
    # This may run after an error: report what cannot be removed, and continue the clean-up.
    try:
        display.output(kubectl.run("delete", kind, what, "--ignore-not-found", "--timeout=120s", *options))
    except KubectlError as error:
        display.refusal(f"{error}\nThis may remain in the cluster.")
