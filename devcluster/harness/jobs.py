"""Jobs as a user handles them: create, read, patch, wait. For tests, benchmarks and fault runs."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubectl_recon.kube.api import connect
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.reflector import Change, Reflector, follow

from devcluster.errors import ApiError
from devcluster.harness.manifests import manifest
from devcluster.harness.system import REPOSITORY, System
from devcluster.servers.cluster import Cluster
from devcluster.waiting import wait_until

_BRIEF = {"stepSeconds": 0.05}
_DEADLINE_SECONDS = 90.0  # generous, since other work may share the machine


def condition(job: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the condition of that type; empty if the operator has not set it yet."""
    conditions = [entry for entry in job.get("status", {}).get("conditions", []) if entry["type"] == kind]
    return conditions[0] if conditions else {}


def is_true(job: Mapping[str, Any], kind: str) -> bool:
    """Return whether that condition is true."""
    return condition(job, kind).get("status") == "True"


def phase(job: Mapping[str, Any]) -> str:
    """Return the phase; empty if the operator has not set it yet."""
    return str(job.get("status", {}).get("phase", ""))


@dataclass
class Jobs:
    """ReconstructionJobs of one namespace, as a user with full rights handles them."""

    system: System
    namespace: str

    def create(self, name: str | None = None, **spec: Any) -> str:
        """Create a job, of the placeholder model unless `spec` names another, and return its name."""
        name = name or f"job-{uuid.uuid4().hex[:8]}"
        wanted = {"modelType": "placeholder", "input": {"uri": f"file://{REPOSITORY}/tests/data/photos/berlin"}} | spec
        self.system.cluster.api.post(paths.jobs(self.namespace), manifest(name, **wanted))
        return name

    def get(self, name: str) -> dict[str, Any]:
        """Return the object."""
        body: dict[str, Any] = self.system.cluster.api.get(paths.job(self.namespace, name))
        return body

    def delete(self, name: str) -> None:
        """Delete the object, as `kubectl delete --wait=false`."""
        self.system.cluster.api.delete(paths.job(self.namespace, name))

    def patch(self, name: str, **spec: Any) -> None:
        """Send a merge patch of the spec. If the server rejects it, raise ApiError with the message."""
        self.system.cluster.api.patch(paths.job(self.namespace, name), {"spec": spec})

    def request_cancel(self, name: str) -> None:
        """Take the first step of a cancel."""
        self.patch(name, cancelRequested=True)

    def confirm_cancel(self, name: str) -> None:
        """Take the second step of a cancel."""
        self.patch(name, cancelConfirmed=True)

    def cancel(self, name: str) -> None:
        """Take both steps of a cancel."""
        self.request_cancel(name)
        self.confirm_cancel(name)

    def create_in(self, wanted: str, name: str | None = None, **spec: Any) -> str:
        """Create a job, wait until it is in that phase, and return its name.

        A job that is to succeed takes a moment.
        """
        brief = {"parameters": _BRIEF} if wanted == "Succeeded" and "modelType" not in spec else {}
        name = self.create(name, **brief | spec)
        self.wait_phase(name, wanted)
        return name

    def wait(
        self,
        name: str,
        what: str,
        holds: Callable[[dict[str, Any]], bool],
        *,
        timeout_seconds: float = _DEADLINE_SECONDS,
    ) -> dict[str, Any]:
        """Wait until `holds` accepts the job, and return it. The error has its last status and the end of the logs."""
        last: dict[str, Any] = {}

        def look() -> dict[str, Any] | None:
            nonlocal last
            last = {}
            with contextlib.suppress(ApiError):
                last = self.get(name)
            return last if last and holds(last) else None

        job = wait_until(
            look,
            f"{name} to be {what}",
            timeout_seconds=timeout_seconds,
            seen=lambda: f"it is {last.get('status', last)}\n{self.system.log_ends()}",
        )
        assert job is not None  # noqa: S101 -- for the type checker: waited for
        return job

    def wait_phase(self, name: str, *phases: str, timeout_seconds: float = _DEADLINE_SECONDS) -> dict[str, Any]:
        """Wait until the job is in one of these phases, and return it."""
        return self.wait(name, f"in phase {phases}", lambda job: phase(job) in phases, timeout_seconds=timeout_seconds)

    def wait_finished(self, name: str, *, timeout_seconds: float = _DEADLINE_SECONDS) -> dict[str, Any]:
        """Wait until the job has finished with any outcome, and return it."""
        return self.wait(name, "finished", lambda job: is_true(job, "Finished"), timeout_seconds=timeout_seconds)

    def wait_gone(self, name: str, *, timeout_seconds: float = _DEADLINE_SECONDS) -> None:
        """Wait until the object is deleted."""
        path = paths.job(self.namespace, name)
        wait_until(
            lambda: not self.system.cluster.api.is_there(path),
            f"the end of the object {name}",
            timeout_seconds=timeout_seconds,
            seen=lambda: self.get(name),
        )

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Return (type, reason, note) of the job's Events, oldest first."""
        listed = self.system.cluster.api.get(f"/api/v1/namespaces/{self.namespace}/events")
        mine = [event for event in listed["items"] if event["involvedObject"].get("name") == name]
        return [(event["type"], event["reason"], event.get("message", "")) for event in mine]

    def wait_event(self, name: str, reason: str) -> tuple[str, str, str]:
        """Wait for the first Event of the job with that reason, and return its (type, reason, note)."""
        (event, *_) = wait_until(
            lambda: [event for event in self.events(name) if event[1] == reason],
            f"an Event {reason} of {name}",
            timeout_seconds=_DEADLINE_SECONDS,
            seen=lambda: self.events(name),
        )
        return event

    def folder(self, name: str) -> Path:
        """Return the job's folder on the workers' volume."""
        return self.system.jobs_dir / str(self.get(name)["metadata"]["uid"])

    def kubectl(self, *arguments: str, check: bool = True, timeout_seconds: float = 120.0) -> str:
        """Run kubectl in the namespace, and return its output (both streams)."""
        done = self.system.cluster.kubectl(
            "-n", self.namespace, *arguments, check=check, timeout_seconds=timeout_seconds
        )
        return done.stdout + done.stderr


@dataclass
class Seen:
    """All versions of a namespace's jobs that a watcher of the API saw."""

    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the versions of one job."""
        return self.versions.get(name, [])

    def steps(self, name: str) -> list[str]:
        """Return the distinct steps, in the order of their first appearance."""
        named = (version.get("status", {}).get("progress", {}).get("step", "") for version in self.of(name))
        return list(dict.fromkeys(step for step in named if step))

    def assert_never_backwards(self, name: str) -> None:
        """Raise AssertionError if progress or attempt fell."""
        positions = [
            (status.get("attempt", 0), status.get("progress", {}).get("percent", 0))
            for status in (version.get("status", {}) for version in self.of(name))
        ]
        if positions != sorted(positions):
            raise AssertionError(f"(attempt, percent) of {name} fell: {positions}")


def watch(cluster: Cluster, namespace: str) -> tuple[Seen, Callable[[], None]]:
    """Collect in a thread what a watcher sees, until the second value is called."""
    seen = Seen()
    stopping = threading.Event()

    def apply(change: Change) -> None:
        if change.key is not None and change.body is not None:
            versions = seen.versions.setdefault(change.key.name, [])
            if not versions or versions[-1] != change.body:
                versions.append(dict(change.body))

    api = connect(kubeconfig=str(cluster.kubeconfig)).api
    reflector = Reflector(paths.jobs(namespace), apply)
    # It ends with the program: a blocked read cannot be interrupted.
    threading.Thread(target=follow, args=(api, reflector, stopping), daemon=True).start()
    return seen, stopping.set
