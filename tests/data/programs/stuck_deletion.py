"""Stands in for `deleting.program`: begins, and hangs as in a call on a dead mount."""

import signal
import sys

signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stdin.readline()
sys.stdout.write(".\n")
sys.stdout.flush()
while True:
    signal.pause()
