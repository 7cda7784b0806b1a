"""Placing: which way is up, the coordinates of the model, and where on Earth it is."""
