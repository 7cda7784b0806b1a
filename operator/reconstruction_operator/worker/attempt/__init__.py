"""Attempt of a job, from claim to end. `driver` is the entry point."""
