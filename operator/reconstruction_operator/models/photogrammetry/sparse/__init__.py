"""Sparse reconstruction: features, matches, camera poses, orientation."""
