"""Deletion of files in a process that can be killed: one clean-up at a time, with a backoff for hung mounts."""
