"""Python imports this at its start where this folder is on its path: the time of day is wrong by CHAOS_SKEW_SECONDS.

What is measured since boot stays right, as on a real machine whose clock is off.
"""

import datetime as dt
import os

import time_machine

_wrong = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=int(os.environ["CHAOS_SKEW_SECONDS"]))
time_machine.travel(_wrong, tick=True).start()
