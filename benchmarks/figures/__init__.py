"""Figures: their processing into percentiles, limiting factors, and the page of all rows."""
