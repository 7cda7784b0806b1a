"""Kubernetes: client, watch, leader election, status writes and Events."""
