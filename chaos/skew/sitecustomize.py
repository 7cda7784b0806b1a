"""Clock skew: shifts the time of day by CHAOS_SKEW_SECONDS in each Python that has this folder on its path.

Monotonic clocks stay correct, as on a real machine with a wrong clock.
"""

import datetime as dt
import os

import time_machine

_wrong = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=int(os.environ["CHAOS_SKEW_SECONDS"]))
time_machine.travel(_wrong, tick=True).start()
