"""Paths in the checkout."""

from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]
DATA: Final = CHECKOUT / "tests" / "data"
CHART: Final = CHECKOUT / "charts" / "reconstruction-operator"
PHOTOS: Final = DATA / "photos"
