"""Harness: the product on a cluster, and the programs through which its users see it."""
