"""Sparse reconstruction: features, matches, camera poses, and the acceptance of the model."""
