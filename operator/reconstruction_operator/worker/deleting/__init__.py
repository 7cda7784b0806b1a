"""Deletion of files in a process that can be killed, one clean-up at a time, and never again and again on a dead mount."""
