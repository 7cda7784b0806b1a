"""Programs: where each comes from, and its folder in the cache."""
