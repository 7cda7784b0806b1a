"""Figures: their processing into percentiles, and the page of all rows."""
