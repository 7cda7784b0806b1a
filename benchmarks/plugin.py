"""Plugin benchmark: duration of `kubectl recon --help` and of `get` with 1,000 jobs, and CPU time of the program and the API server.

`python -m benchmarks.plugin`. It asserts nothing.
"""

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

from benchmarks.usage import cpu_seconds
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


def measure(name: str, command: Sequence[str], times: int, *, server: int | None = None, **environment: str) -> None:
    """Run a command `times` times, after one run to warm the caches, and print one row. `server`: the API server's pid."""
    found = []
    for _ in range(times + 1):
        begin, spent, served = time.monotonic(), _commands_seconds(), _server_seconds(server)
        subprocess.run(
            [_PROGRAM, *command], env=os.environ | environment, stdout=subprocess.DEVNULL, check=True, timeout=60
        )
        found.append((time.monotonic() - begin, _commands_seconds() - spent, _server_seconds(server) - served))
    wall, own, servers = ([1000 * one for one in seconds] for seconds in zip(*found[1:], strict=True))
    print(
        f"{name:<28} median {statistics.median(wall):6.0f} ms, slowest {max(wall):6.0f} ms,"
        f" CPU {statistics.median(own):6.0f} ms, of the API server {statistics.median(servers):6.0f} ms"
    )


def _commands_seconds() -> float:
    """Return the CPU time of the finished commands."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _server_seconds(pid: int | None) -> float:
    return 0.0 if pid is None else cpu_seconds(pid)


def fill(cluster: Cluster, count: int) -> None:
    """Create the jobs, each with the status of a running job."""
    path = f"{GROUP}/namespaces/{_NAMESPACE}/reconstructionjobs"

    def create(number: int) -> None:
        name = f"job-{number:04d}"
        cluster.api.post(path, manifest(name, input={"uri": "file:///photos/banana"}))
        cluster.api.patch(f"{path}/{name}/status", {"status": _STATUS})

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(create, range(count)))


def main() -> None:
    """Print one row for each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    measure("--help", ["--help"], options.times)
    with Cluster() as cluster:
        cluster.kubectl("apply", "-f", REPOSITORY / "manifests" / "crd")
        wait_until(lambda: cluster.api.is_there(f"{GROUP}/reconstructionjobs"), "the API server to serve jobs")
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
        fill(cluster, options.jobs)
        server = cluster.pids["kube-apiserver"][1]
        for command in (["get"], ["get", "-o", "wide"], ["get", "-o", "json"]):
            name = f"{' '.join(command)} of {options.jobs:,} jobs"
            arguments = [*command, "-n", _NAMESPACE]
            measure(name, arguments, options.times, server=server, KUBECONFIG=str(cluster.kubeconfig))


if __name__ == "__main__":
    main()
