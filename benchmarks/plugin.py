"""Duration and CPU time of `kubectl recon --help` and of `get` with 1,000 jobs: `python -m benchmarks.plugin`. Never asserted."""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from devcluster import Cluster, wait_until
from devcluster.harness.manifests import manifest
from devcluster.harness.system import GROUP, REPOSITORY

_PROGRAM: Final = Path(sys.executable).with_name("kubectl-recon")
_NAMESPACE: Final = "bench"
_STATUS: Final = {
    "observedGeneration": 1,
    "phase": "Running",
    "attempt": 1,
    "worker": "worker@node",
    "message": "Running reconstruction: 12 of 40 pairs",
    "progress": {"percent": 30, "step": "Running reconstruction", "stepIndex": 3, "stepCount": 6, "etaSeconds": 300},
    "conditions": [
        {
            "type": kind,
            "status": "True",
            "reason": "Started",
            "message": "x" * 80,
            "lastTransitionTime": "2026-03-01T12:00:00Z",
        }
        for kind in ("Accepted", "Dispatched", "Running", "Suspended", "Complete", "Failed", "Cancelled", "Finished")
    ],
}


def measured(command: Sequence[str], times: int, **environment: str) -> list[tuple[float, float]]:
    """Wall-clock and CPU time of each run of a command, in seconds, after one run that warms the caches."""
    found = []
    for _ in range(times + 1):
        begin, spent = time.monotonic(), cpu_seconds()
        subprocess.run(
            [_PROGRAM, *command], env=os.environ | environment, stdout=subprocess.DEVNULL, check=True, timeout=60
        )
        found.append((time.monotonic() - begin, cpu_seconds() - spent))
    return found[1:]


def cpu_seconds() -> float:
    """What the commands that are over have spent."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def show(name: str, found: Sequence[tuple[float, float]]) -> None:
    """One row."""
    wall, cpu = ([1000 * one for one in times] for times in zip(*found, strict=True))
    print(
        f"{name:<28} median {statistics.median(wall):6.0f} ms, slowest {max(wall):6.0f} ms,"
        f" CPU {statistics.median(cpu):6.0f} ms"
    )


def fill(cluster: Cluster, count: int) -> None:
    """Create the jobs, each with the status of one that runs."""
    path = f"{GROUP}/namespaces/{_NAMESPACE}/reconstructionjobs"

    def create(number: int) -> None:
        name = f"job-{number:04d}"
        cluster.api.post(path, manifest(name, input={"uri": "file:///photos/banana"}))
        cluster.api.patch(f"{path}/{name}/status", {"status": _STATUS})

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(create, range(count)))


def main() -> None:
    """Measure, and print one row for each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    show("--help", measured(["--help"], options.times))
    with Cluster() as cluster:
        cluster.kubectl("apply", "-f", REPOSITORY / "manifests" / "crd")
        wait_until(lambda: cluster.api.is_there(f"{GROUP}/reconstructionjobs"), "the API server to serve jobs")
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
        fill(cluster, options.jobs)
        config = str(cluster.kubeconfig)
        for command in (["get"], ["get", "-o", "wide"], ["get", "-o", "json"]):
            found = measured([*command, "-n", _NAMESPACE], options.times, KUBECONFIG=config)
            show(f"{' '.join(command)} of {options.jobs:,} jobs", found)


if __name__ == "__main__":
    main()
