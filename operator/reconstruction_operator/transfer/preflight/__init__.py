"""Preflight: checks an input without copying it, to report early why a job would fail after hours in a queue."""
