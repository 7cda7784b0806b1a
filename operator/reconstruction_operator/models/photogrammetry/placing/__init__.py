"""Placing: finds the up direction, the coordinates of the model, and its position on Earth."""
