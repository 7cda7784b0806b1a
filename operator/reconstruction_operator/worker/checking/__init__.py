"""Checks of inputs beside the jobs of a worker: a lane of its own, in a process that can be killed."""
