"""Installation fault: a second installation watches the same namespaces."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from chaos.faults.table import Context, Fault, Heal, nothing
from chaos.polling import wait_for
from chaos.system.scene import SETTINGS, leads
from devcluster import Redis
from devcluster.errors import ApiError
from devcluster.harness.system import System

_STRANGER: Final = "stranger"
_LEADS_SECONDS: Final = 20.0
_HANDOVER_SECONDS: Final = 120.0
_LEASE: Final = "reconstruction-operator"
_PROGRAM: Final = Path(sys.executable).with_name("reconstruction-operator")


def _second_installation(context: Context) -> Heal:
    """Start a second operator with its own Lease and Redis, and no workers. When it stops, its jobs are handed over."""
    context.counter += 1
    cluster, namespace = context.scene.cluster, f"{_STRANGER}-{context.counter}"
    stack = ExitStack()
    system = stack.enter_context(System(cluster, stack.enter_context(Redis()), settings=SETTINGS))

    try:
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    except (ApiError, OSError):  # another fault makes the API server unavailable
        context.missed = True
        return stack.close
    system.start_operator(_STRANGER, KUBECONFIG=str(cluster.kubeconfig), OPERATOR_NAMESPACE=namespace)
    if wait_for(lambda: leads(system, _STRANGER), _LEADS_SECONDS, context.scene.supervise) is None:
        context.missed = True
        stack.close()
        _hand_over(context, namespace)
        return nothing

    def heal() -> None:
        stack.close()
        _hand_over(context, namespace)

    return heal


def _hand_over(context: Context, namespace: str) -> None:
    """Hand the jobs of the stranger's Lease over. Another fault may make the API server unavailable for a while."""
    scene = context.scene
    command = (_PROGRAM, "handover", f"--from={namespace}/{_LEASE}", f"--to=reconstruction-system/{_LEASE}", "--force")
    environment = scene.system.environment(KUBECONFIG=str(scene.cluster.kubeconfig))

    def done() -> bool:
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0

    wait_for(done, _HANDOVER_SECONDS, scene.supervise)


FAULTS: Final = (
    Fault("another installation on the same namespaces", "kubernetes", _second_installation, (4.0, 10.0), deposes=True),
)
