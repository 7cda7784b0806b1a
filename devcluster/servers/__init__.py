"""Servers: a control plane, a Redis and others as plain processes that never outlive their launcher."""
