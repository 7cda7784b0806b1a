"""Faults: one function each, which injects the fault and returns the function that heals it.

`chaos.plan` decides which faults come and when. A fault picks its victims with the random numbers of its round.
"""

from chaos.faults import processes, stores, kubernetes  # isort: skip  # the order of the report
from chaos.faults.table import Fault, registered

__all__ = ["all_faults", "kubernetes", "processes", "stores"]


def all_faults() -> tuple[Fault, ...]:
    """Every fault, in the order of the report."""
    return registered()
