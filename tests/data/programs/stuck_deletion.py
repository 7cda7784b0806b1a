"""Stands in for `deleting.program`: announces the place of a copy or of the job's folder, and hangs there as in a call on a dead mount."""

import json
import signal
import sys

signal.signal(signal.SIGTERM, signal.SIG_IGN)
message = json.loads(sys.stdin.readline())
request, settings = message["request"], message["settings"]
place = request["uri"].removeprefix("file://") or f"{settings['JOBS_DIR']}/{request['job_id']}"
sys.stdout.write(json.dumps({"at": place}) + "\n")
sys.stdout.flush()
while True:
    signal.pause()
