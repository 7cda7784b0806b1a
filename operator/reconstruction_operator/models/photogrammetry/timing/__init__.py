"""Timing: what the stages of a run cost, and what is left of it."""
