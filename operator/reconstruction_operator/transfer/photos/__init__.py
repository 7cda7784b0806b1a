"""Photos of an input: their checks, their formats, and the plain form that models read."""
