"""Settings of all tests: how many random examples they try, which start first, and when garbage is collected."""

import gc
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

_TOGETHER: Final = ("tests/real/chart/",)  # each of these folders has a control plane of its own

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
    """Start long files first: started last, each would keep one process busy and the others idle.

    Files that share the default system follow each other, since other systems on the same cluster take its place.
    """
    items.sort(key=lambda item: (item.get_closest_marker("long") is None, _uses_default_system(item)))


def _uses_default_system(item: pytest.Item) -> bool:
    found = item._fixtureinfo.name2fixturedefs.get("system", ()) if isinstance(item, pytest.Function) else ()
    return bool(found) and found[-1].baseid == "tests/real"


class Scheduling(LoadFileScheduling):
    """Gives out the tests of a file together, and those of a folder that would start its servers in each process."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in _TOGETHER if nodeid.startswith(folder)), super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None
