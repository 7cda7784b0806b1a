"""Faults: each has a function that injects it and returns the function that heals it.

`chaos.plan` decides which faults come and when. A fault picks its victims with the random numbers of its round.
"""

from chaos.faults import installations, kubernetes, mounts, older_data, processes, stores
from chaos.faults.table import Fault


def all_faults() -> tuple[Fault, ...]:
    """Every fault, in the order of the report."""
    return (
        *processes.FAULTS,
        *mounts.FAULTS,
        *stores.FAULTS,
        *older_data.FAULTS,
        *kubernetes.FAULTS,
        *installations.FAULTS,
    )
