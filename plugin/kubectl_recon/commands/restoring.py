"""`restore`: creates a job that takes the result of a deleted job of the same name over from the trash.

This needs only the right to create jobs. Only workers can read the trash: `kubectl exec` lists it, which needs `pods/exec` in
their namespace.
"""

from __future__ import annotations

import subprocess
from typing import Any, Final

from reconstruction_operator.kube import paths

from kubectl_recon.commands import watching
from kubectl_recon.display.screen import note
from kubectl_recon.errors import ApiError, ConflictError, ReconError, UsageError
from kubectl_recon.installation import published
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import manifests
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.selecting import LATEST, Selection, bare

_WORKERS: Final = "app.kubernetes.io/part-of=reconstruction"
_CONTAINER: Final = "worker"
_TIMEOUT_SECONDS: Final = 60.0


def restore(connection: Connection, name: str, spec: dict[str, Any], *, follow: bool) -> int:
    """Restore the newest result of that name. With `follow`, the exit code is that of the new job's outcome."""
    name = bare(name)
    if name == LATEST:
        raise UsageError(f"{LATEST} is the newest job, which is not deleted: use the name of a job, or list the trash")
    body = manifests.manifest(
        name, {"input": {"uri": manifests.UNKNOWN_PHOTOS}, **spec, "reuse": "Required"}, namespace=connection.namespace
    )
    try:
        job = Job(connection.api.post(paths.jobs(connection.namespace), body, fieldValidation="Strict"))
    except ConflictError as error:
        raise ReconError(
            f"there is a job {name}, so its name cannot be restored: kubectl recon results {name} downloads its result"
        ) from error
    note(f"{name}: created; it takes over the newest result of that name")
    return watching.follow(connection, Selection((name,)), {job.key: job}) if follow else 0


def listed(connection: Connection, *, everywhere: bool) -> int:
    """Print the trash of each worker's volume. Exit code 1 if no worker could list it."""
    namespace = published.read(connection.api).namespace
    kubectl = connection.kubectl(namespace)
    if kubectl is None:
        raise ReconError("the trash is listed by kubectl exec, but there is no kubectl on PATH")
    command, environment = kubectl
    scope = [] if everywhere else ["--namespace", connection.namespace]
    listed_any = False
    for pod in _workers(connection, namespace):
        done = subprocess.run(
            [*command, "exec", pod, "-c", _CONTAINER, "--", "reconstruction-operator", "restore", "--list", *scope],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode == 0:
            print(done.stdout.rstrip())  # noqa: T201  # the result
            listed_any = True
        else:
            note(f"{pod}: {done.stderr.strip()}")
    return 0 if listed_any else 1


def _workers(connection: Connection, namespace: str) -> list[str]:
    """Return one running pod of each pool, whose workers share a volume. Raises ReconError if there is none."""
    try:
        pods = connection.api.items(paths.core(namespace, "pods"), labelSelector=_WORKERS)
    except ApiError as error:
        raise ReconError(
            f"only workers can read the trash, and you may not list pods in namespace {namespace}: {error}. "
            "With the name of the job, no list is needed: kubectl recon restore NAME"
        ) from error
    pools = {
        str(pod["metadata"].get("labels", {}).get("app.kubernetes.io/component")): str(pod["metadata"]["name"])
        for pod in pods
        if pod.get("status", {}).get("phase") == "Running"
        and any(container["name"] == _CONTAINER for container in pod["spec"]["containers"])
    }
    if not pools:
        raise ReconError(f"there are no running pods of workers in namespace {namespace}")
    return list(pools.values())
