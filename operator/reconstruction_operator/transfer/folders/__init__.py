"""Results in folders: the target folder, delivery and withdrawal, and access by descriptors, which follows no link."""
