"""Checks of the tree, for `make lint`: each module's `problems` returns one sentence per violation."""
