"""Judge: turns the evidence of a run into rulings on the invariants, and a report. Pure functions."""
