"""Faults: each is injected by a function that returns the function to heal it.

`chaos.plan` selects and schedules them. A fault picks its victims with the random generator of its round.
"""

from chaos.faults import gallery, kubernetes, mounts, ports, processes, stores
from chaos.faults.table import Fault


def all_faults() -> tuple[Fault, ...]:
    """Return every fault, in the order of the report."""
    return (*processes.FAULTS, *mounts.FAULTS, *ports.FAULTS, *gallery.FAULTS, *stores.FAULTS, *kubernetes.FAULTS)
