"""Model of a run: its selection, process, resource usage and threads."""
