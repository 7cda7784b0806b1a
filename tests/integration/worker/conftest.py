"""Fixtures for attempts and deletions, shared with the unit tests."""

from tests.unit.worker.conftest import _forgotten, meshes, started, stuck, wanted

__all__ = ["_forgotten", "meshes", "started", "stuck", "wanted"]
