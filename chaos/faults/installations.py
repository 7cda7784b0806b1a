"""Installation fault: a second installation watches the same namespaces."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from chaos.faults.table import Context, Fault, Heal, nothing
from chaos.polling import wait_for
from chaos.system.scene import SETTINGS, leads
from devcluster import Redis
from devcluster.errors import ApiError
from devcluster.harness.system import System

_STRANGER: Final = "stranger"
_LEADS_SECONDS: Final = 20.0


def _second_installation(context: Context) -> Heal:
    """Start a second operator with its own Lease and Redis, and no workers. The jobs that it claims wait until it stops."""
    context.counter += 1
    cluster, namespace = context.scene.cluster, f"{_STRANGER}-{context.counter}"
    stack = ExitStack()
    system = stack.enter_context(System(cluster, stack.enter_context(Redis()), settings=SETTINGS))

    try:
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    except (ApiError, OSError):  # another fault makes the API server unavailable
        context.missed = True
        return stack.close
    system.start_operator(
        _STRANGER, KUBECONFIG=str(cluster.kubeconfig), OPERATOR_NAMESPACE=namespace, ADOPT_AFTER_SECONDS="0"
    )
    if wait_for(lambda: leads(system, _STRANGER), _LEADS_SECONDS, context.scene.supervise) is None:
        context.missed = True
        stack.close()
        return nothing
    return stack.close


FAULTS: Final = (
    Fault("another installation on the same namespaces", "kubernetes", _second_installation, (4.0, 10.0), deposes=True),
)
