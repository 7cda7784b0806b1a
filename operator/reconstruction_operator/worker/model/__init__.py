"""The model: choice, process, memory and threads."""
