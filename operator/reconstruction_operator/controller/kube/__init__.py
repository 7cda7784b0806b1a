"""Kubernetes: client, watch, cache, work queue and leader election."""
