"""Programs: where each program comes from, and the folder in the cache that holds it."""
