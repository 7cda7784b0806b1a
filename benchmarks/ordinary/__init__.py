"""Ordinary operator and worker, as written in an afternoon: the baseline for ours."""
