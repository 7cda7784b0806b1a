"""Servers: a control plane and a Redis as plain processes, and what a process needs for its life."""
