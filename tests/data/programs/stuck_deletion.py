"""Stands in for `deleting.program`: announces the place of a copy or of the job's folder, and hangs there as in a call on a dead mount.

It finds no files of a job `nothing`, so that a test can wait for its start.
"""

import json
import signal
import sys

signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    message = json.loads(sys.stdin.readline())
    request, settings = message["request"], message["settings"]
    if request["job_id"] == "nothing":
        answer = {"done": False}
    else:
        answer = {"at": request["uri"].removeprefix("file://") or f"{settings['JOBS_DIR']}/{request['job_id']}"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    while "at" in answer:
        signal.pause()
