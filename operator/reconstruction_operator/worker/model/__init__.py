"""The model of a run: its choice, its process, memory and threads."""
