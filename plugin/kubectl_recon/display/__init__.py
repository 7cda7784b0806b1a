"""Output: tables as in kubectl, JSON and YAML, and colours on terminals only."""
