"""Sparse reconstruction: features, matches and camera poses."""
