"""What holds for all tests."""

import pytest
from hypothesis import HealthCheck, settings

# Machines that tests run on are shared: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take a minute or more come first: begun last, each would keep one process busy and the others idle."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
