"""Checks of inputs without copying them: they find early why a job would fail after hours in a queue."""
