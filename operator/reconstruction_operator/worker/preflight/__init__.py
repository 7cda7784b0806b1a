"""Preflight: checks the inputs of waiting jobs, with a separate thread and a process that can be killed."""
