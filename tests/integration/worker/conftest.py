"""Fixtures of attempts and deletions: those of the unit tests."""

from tests.unit.worker.conftest import _forgotten, meshes, stuck, wanted

__all__ = ["_forgotten", "meshes", "stuck", "wanted"]
