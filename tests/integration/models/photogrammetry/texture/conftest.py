"""Photos of a sphere: those of the unit tests."""

from tests.unit.models.photogrammetry.texture.conftest import photographed

__all__ = ["photographed"]
