"""Settings of all tests: how many random examples they try, which files start first, and when garbage is collected."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Test machines are shared: how long an example takes proves nothing about the code.
settings.register_profile("shared", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("release", settings.get_profile("shared"), max_examples=500)  # make test-long


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile(config.getoption("--hypothesis-profile") or "shared")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect no garbage while tests are collected: they and what they import stay until the end, and are not looked at again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start long files first: started last, each would keep one process busy and the others idle."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
