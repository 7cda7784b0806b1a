"""Input: photos prepared for the engine, and what their files tell."""
