"""Start-up: the worker's memory is hidden, and it broadcasts nothing unless remote control is on."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import ctypes, json, types
from reconstruction_operator.worker.lifecycle.startup import Startup
worker = types.SimpleNamespace(steps=[], options={"without_gossip": False, "queues": "celery"})
Startup(worker).create(worker)
print(json.dumps([worker.options, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)]))  # PR_GET_DUMPABLE
"""
_SILENT = '{"without_gossip": true, "queues": "celery", "without_mingle": true, "without_heartbeat": true}'


@pytest.mark.parametrize(
    ("remote_control", "options"),
    [
        pytest.param("off", _SILENT, id="off"),
        pytest.param("on", '{"without_gossip": false, "queues": "celery"}', id="on"),
    ],
)
def test_memory_is_hidden_and_broadcasts_depend_on_the_setting(remote_control: str, options: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={"WORKER_REMOTE_CONTROL": remote_control},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"[{options}, 0]\n"
