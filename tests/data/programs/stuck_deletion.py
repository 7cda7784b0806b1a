"""Stands in for `deleting.program`: announces the place of a copy, and hangs there as in a call on a dead mount."""

import json
import signal
import sys

signal.signal(signal.SIGTERM, signal.SIG_IGN)
request = json.loads(sys.stdin.readline())["request"]
sys.stdout.write(json.dumps({"at": request["uri"].removeprefix("file://")}) + "\n")
sys.stdout.flush()
while True:
    signal.pause()
