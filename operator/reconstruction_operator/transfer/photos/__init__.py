"""Photos of an input: checks, formats, masks, and the rewriting to a form that models read."""
