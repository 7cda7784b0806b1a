"""Clock skew: shifts the wall clock by CHAOS_SKEW_SECONDS in each Python process with this folder on its path.

Monotonic clocks stay correct, as on a machine whose clock is wrong.
"""

import datetime as dt
import os

import time_machine

_wrong = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=int(os.environ["CHAOS_SKEW_SECONDS"]))
time_machine.travel(_wrong, tick=True).start()
