"""Heartbeats of the attempts of a process, and how an attempt learns that it has to end."""
