"""Stands in for `deleting.program`: makes progress, and does not finish."""

import sys
import time

sys.stdin.readline()
while True:
    time.sleep(0.02)  # as a call that responds slowly
