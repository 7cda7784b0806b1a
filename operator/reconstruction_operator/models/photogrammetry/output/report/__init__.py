"""Report: one HTML page about a reconstruction, which needs nothing beside it and no network."""
