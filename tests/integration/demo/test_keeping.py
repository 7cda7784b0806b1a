import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo import keeping
from demo.places import DemoError, Places
from devcluster.servers.pids import start_mark
from tests.support.paths import CHECKOUT

# A demo that does nothing: it prints that it is ready, is left alone, and tidies up when it is interrupted.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from demo import keeping
from demo.places import Places

places = Places(Path(sys.argv[1]))

def perform(leave_alone):
    try:
        with keeping.only_one(places):
            print("ready", flush=True)
            if sys.argv[2] == "keep":
                places.logs.mkdir()
                leave_alone(["recon"])
            while True:  # a signal just before pause() would be lost
                time.sleep(0.1)
    except KeyboardInterrupt:
        (places.root / "tidied").touch()
        print("tidied", flush=True)
        return 130
    return 0

if sys.argv[2] == "fork":  # an exception in such a hook is ignored
    os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
sys.exit(keeping.in_background(places, perform))
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def launch(places: Places, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(places.root), how], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )


def test_a_kept_demo_outlives_its_launcher_until_it_is_stopped(places: Places) -> None:
    with launch(places, "keep") as launcher:
        assert launcher.wait(30) == 0
    kept = json.loads(places.running.read_text())
    assert start_mark(kept["pid"]) == kept["mark"]
    assert kept["viewer"] == ["recon"]
    assert keeping.stop(places) == "stopped the demo"
    assert (places.root / "tidied").exists()
    assert (places.logs / "demo.log").read_text() == "tidied\n"
    assert not places.running.exists()


def test_an_interrupted_launcher_ends_a_demo_that_is_not_kept_yet(places: Places) -> None:
    with launch(places, "play") as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "ready\n"
        launcher.send_signal(signal.SIGINT)
        assert launcher.wait(30) == 130
    assert (places.root / "tidied").exists()


def test_a_launcher_interrupted_during_its_fork_ends_the_demo(places: Places) -> None:
    with launch(places, "fork") as launcher:
        assert launcher.wait(30) == 130


def test_there_is_one_demo_at_a_time(places: Places) -> None:
    with keeping.only_one(places), pytest.raises(DemoError, match="make demo-stop"), keeping.only_one(places):
        pass


def test_stop_never_signals_a_process_that_reused_the_pid(places: Places) -> None:
    places.root.mkdir(exist_ok=True)
    places.running.write_text(json.dumps({"pid": os.getpid(), "mark": "another start time"}))
    assert keeping.stop(places) == "the demo has already ended"
