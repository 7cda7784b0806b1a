"""Loads: one module for each kind of row, whose function runs a system under that load and returns the figures."""
