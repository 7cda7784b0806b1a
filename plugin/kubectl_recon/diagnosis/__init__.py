"""Why a job is as it is: facts that were read, and a table of situations with an answer and what to do. No I/O."""
