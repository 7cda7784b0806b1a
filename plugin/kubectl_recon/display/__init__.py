"""What is printed: tables as kubectl prints them, JSON and YAML, colours on a terminal alone."""
