"""Memory benchmark: the operator's memory with objects that a tenant made to harm it.

    python -m benchmarks.hostile_memory

It runs a real control plane, a real Redis and an operator with the default settings as a process. For each kind of object it
prints a row, in MiB: the operator's resident memory before; its peak while the objects are created, and the resident memory some
time later; the same for an operator that starts when they exist. The chart limits the operator to 512 MiB.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from devcluster import Cluster, Redis, wait_until
from devcluster.harness.manifests import manifest
from devcluster.harness.replicas import Replica
from devcluster.harness.system import System

_ROW: Final = "{:<52} {:>7} {:>7} {:>9} {:>13} {:>9}"
_BINDING: Final = (
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/reconstructionjobs-parameters"
)
_LISTS_BYTES: Final = 1_300_000
_ANNOTATION_BYTES: Final = 250_000
_SETTLED_SECONDS: Final = 10.0
_DEADLINE_SECONDS: Final = 600.0
_KIB: Final = 1024


def main() -> None:
    """Run the benchmark and print one row for each kind of object."""
    print(_ROW.format("MiB", "before", "peak", "resident", "restart: peak", "resident"))
    with _system() as system:
        system.cluster.api.delete(_BINDING)  # as if the objects were stored before the policy existed
        lists = "[" + ",".join(["[]"] * (_LISTS_BYTES // len("[],"))) + "]"
        _measure(
            system,
            "30 jobs with 1.3 MB of small lists as parameters",
            30,
            "Failed",
            parameters={"a": json.loads(lists)},
        )
    with _system() as system:
        annotations = {"example.com/note": "x" * _ANNOTATION_BYTES}
        _measure(
            system,
            "500 suspended jobs with 250 kB of annotations",
            500,
            "Suspended",
            annotations=annotations,
            suspend=True,
        )


@contextmanager
def _system() -> Iterator[System]:
    with Cluster() as cluster, Redis() as redis, System(cluster, redis) as system:
        system.install()
        system.start_operator()
        Replica(system).wait_metric("reconstruction_leader", 1)
        yield system


def _measure(
    system: System, what: str, number: int, phase: str, *, annotations: dict[str, str] | None = None, **spec: Any
) -> None:
    before, _ = _memory(system)
    for index in range(number):
        body = manifest(f"hostile-{index}", modelType="placeholder", input={"uri": "file:///photos/none"}, **spec)
        body["metadata"]["annotations"] = annotations or {}
        wait_until(
            lambda body=body: _is_stored(system, body),  # type: ignore[misc]  # mypy infers no lambda with a default
            "the API server to store a job",  # it applies a change of its policies with a delay
            timeout_seconds=_DEADLINE_SECONDS,
        )
    created = _settled(system, number, phase)
    system.processes.pop("operator").stop()
    system.start_operator()
    restarted = _settled(system, number, phase)
    print(_ROW.format(what, before, created[1], created[0], restarted[1], restarted[0]), flush=True)


def _is_stored(system: System, body: dict[str, Any]) -> bool:
    """Create the job by kubectl, with a timeout that suffices for so many values."""
    arguments = ("create", "--validate=false", "-f", "-")
    done = system.cluster.kubectl(*arguments, input=json.dumps(body), check=False, timeout_seconds=_DEADLINE_SECONDS)
    return done.returncode == 0 or "AlreadyExists" in done.stderr


def _settled(system: System, number: int, phase: str) -> tuple[int, int]:
    """Return the operator's memory some time after all jobs are in that phase."""
    replica = Replica(system)

    def done() -> bool:
        try:
            return replica.metric("reconstruction_jobs", phase=phase) == number
        except OSError:  # the operator is starting
            system.processes["operator"].check()
            return False

    wait_until(done, f"{number} jobs to be {phase}", timeout_seconds=_DEADLINE_SECONDS)
    time.sleep(_SETTLED_SECONDS)
    return _memory(system)


def _memory(system: System) -> tuple[int, int]:
    """Return the operator's resident memory in MiB, now and at its peak."""
    status = Path(f"/proc/{system.processes['operator'].pid}/status").read_text()
    values = dict(line.split(":", 1) for line in status.splitlines())
    return tuple(int(values[name].split()[0]) // _KIB for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]  # two


if __name__ == "__main__":
    main()
