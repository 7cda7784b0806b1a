"""Loads: one module for each kind of row. Its function runs a system under that load and returns the figures."""
