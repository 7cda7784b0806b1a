"""Report: one self-contained HTML page about a reconstruction, which needs no network."""
