"""Fault-injecting proxies on loopback, for TCP and for the Kubernetes API, on one event loop in a thread."""
