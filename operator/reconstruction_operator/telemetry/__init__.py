"""Metrics, logs and traces: each defined once."""
