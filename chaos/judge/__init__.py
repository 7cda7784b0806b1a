"""Judge: turns the evidence of a run into verdicts on the invariants, and a report. Pure functions."""
