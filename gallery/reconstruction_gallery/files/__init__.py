"""Files: results below the jobs volume, and uploaded photos."""
