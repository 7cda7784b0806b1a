"""Timing: expected costs of the stages, and estimates of the progress and the time left."""
