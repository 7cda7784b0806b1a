"""Fixtures for attempts and deletions, shared with the unit tests."""

from tests.unit.worker.conftest import _forgotten, meshes, stuck, wanted

__all__ = ["_forgotten", "meshes", "stuck", "wanted"]
