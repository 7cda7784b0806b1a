"""Fault-injecting proxies on loopback, for TCP (Redis) and for the Kubernetes API; one event loop in a thread runs all."""
