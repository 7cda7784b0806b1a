"""Fleet: a load program that speaks the worker's protocol for many jobs at once, and its journal."""
