"""Interrupts: none is lost, in any state of the main thread, and none is raised twice."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.paths import CHECKOUT

SWALLOWED = """
class Swallows:
    def __del__(self):
        print("ready", flush=True)
        signal.pause()  # the handler raises here, and Python ignores it

interrupts.interruptible()
try:
    Swallows()
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
CLEANS_UP = """
interrupts.interruptible()
try:
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaning up", flush=True)
        sys.stdin.readline()  # the test sends more signals, and waits for more than one retry
        time.sleep(1)
        print("cleaned up", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
HEAD = "import signal, sys, time\nfrom devcluster import interrupts\n"


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A program that has printed that it is ready."""
    command = [sys.executable, "-c", HEAD + request.param]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.mark.parametrize("program", [pytest.param(SWALLOWED, id="del")], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_interrupt_that_python_ignored_is_raised_again(
    program: subprocess.Popen[str], number: signal.Signals
) -> None:
    program.send_signal(number)
    out, errors = program.communicate(timeout=30)
    assert out == "interrupted\n"
    assert "Exception ignored in: <function Swallows.__del__" in errors


@pytest.mark.parametrize("program", [pytest.param(CLEANS_UP, id="finally")], indirect=True)
def test_a_second_interrupt_does_not_stop_the_clean_up(program: subprocess.Popen[str]) -> None:
    program.send_signal(signal.SIGINT)
    assert program.stdout is not None
    assert program.stdout.readline() == "cleaning up\n"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        program.send_signal(number)
    out, _ = program.communicate("go on\n", timeout=30)
    assert out == "cleaned up\ninterrupted\n"
