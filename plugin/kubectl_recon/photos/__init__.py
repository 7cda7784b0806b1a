"""Photo check before an upload: finds what would fail, and what would make a poor mesh."""
