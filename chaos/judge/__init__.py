"""Judge: from the evidence of a run to a verdict for each invariant, and the report. Pure, but for the report's file."""
