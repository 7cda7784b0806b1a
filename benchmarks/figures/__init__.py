"""Figures: what is made of them: percentiles, what binds, pictures, and the page in docs/."""
