"""Targets of a command: the selected jobs and their latest state."""
