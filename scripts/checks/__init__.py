"""Checks of the tree itself, for `make lint`: each module's `problems` returns one sentence for each violation."""
