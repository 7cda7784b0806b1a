"""Programs for work on this project: `generate` writes files from the code, `checks` examines the tree."""
