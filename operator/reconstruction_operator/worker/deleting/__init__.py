"""Deletion of delivered copies, each in a process that can be killed, with a backoff for hung mounts."""
