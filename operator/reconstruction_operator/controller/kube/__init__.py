"""Kubernetes: client, watch, cache and work queue, leader election, status writes and Events."""
