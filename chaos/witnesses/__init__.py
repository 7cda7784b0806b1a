"""Witnesses: collect facts during a run, each from one source that neither operator nor worker can change."""
