"""Paths in the checkout."""

from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent
CHART: Final = "charts/reconstruction-operator"


def read(name: str) -> str:
    """Return the content of a file of the checkout."""
    return (CHECKOUT / name).read_text()
