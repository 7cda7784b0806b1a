"""Stop: only the server gets SIGTERM, as in a container, and ends its children itself."""

import sys
from collections.abc import Iterator

import pytest

from devcluster import wait_until
from devcluster.servers.processes import Process
from devcluster.servers.runs import RunFolder

_PARENT = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
def end(*_):
    try:
        child.wait(1)
        print("the child was stopped as well", flush=True)
    except subprocess.TimeoutExpired:
        print("the child still works", flush=True)
    child.kill()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def run() -> Iterator[RunFolder]:
    made = RunFolder.new("test")
    yield made
    made.close()


def test_sigterm_goes_to_the_server_and_not_to_its_children(run: RunFolder) -> None:
    process = Process("parent", [sys.executable, "-c", _PARENT], run=run)
    wait_until(lambda: "ready" in process.log_end(), "the server to be ready", seen=process.log_end)
    process.stop()
    assert process.log_end() == "ready\nthe child still works"
