"""Fixtures of transfers: those of the unit tests."""

from tests.unit.transfer.conftest import into, limits

__all__ = ["into", "limits"]
