"""Rules: what to do about one job, one concern a module. `plan` applies them in order."""
