"""Heartbeats of the attempts of a process, and the interruptions of their runs."""
