"""Targets of a command: which jobs it is about, and their newest state."""
