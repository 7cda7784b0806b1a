"""Fixtures for attempts and deletions, shared with the unit tests."""

from tests.unit.worker.conftest import meshes, wanted

__all__ = ["meshes", "wanted"]
