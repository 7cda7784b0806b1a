"""Stands in for `deleting.program`: makes progress, and does not finish."""

import sys
import time

sys.stdin.readline()
while True:
    sys.stdout.write(".\n")
    sys.stdout.flush()
    time.sleep(0.02)
