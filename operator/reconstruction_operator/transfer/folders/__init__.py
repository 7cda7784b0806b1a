"""Results in folders: the target of a copy, its delivery, and access by descriptors that follows no link."""
