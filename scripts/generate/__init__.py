"""Generator: writes files that are made from code or from other files. `python -m scripts.generate --help`."""
