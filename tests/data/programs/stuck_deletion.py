"""Stands in for `worker.withdrawal`: hangs as in a call on a dead mount."""

import signal
import sys

signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stdin.readline()
while True:
    signal.pause()
