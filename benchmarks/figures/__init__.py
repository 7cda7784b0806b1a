"""Figures: their processing into percentiles, limiting factors, charts, and the page in docs/."""
