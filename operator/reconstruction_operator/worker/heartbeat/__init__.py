"""Heartbeat of an attempt, and the interruption of its run."""
