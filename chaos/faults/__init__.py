"""The faults, one function each: hurt the scene, and give back what mends it.

Which ones come, and when, is the plan's (`chaos.plan`). What one picks among the processes and jobs that it finds, it picks
by the random numbers of its round.
"""

from chaos.faults import processes, stores, kubernetes  # isort: skip  # the order of the report
from chaos.faults.table import Fault, entered

__all__ = ["all_faults", "kubernetes", "processes", "stores"]


def all_faults() -> tuple[Fault, ...]:
    """Every fault, in the order of the report."""
    return entered()
