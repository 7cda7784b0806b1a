"""Checks of inputs beside the jobs of a worker: a separate thread, and a process that can be killed."""
