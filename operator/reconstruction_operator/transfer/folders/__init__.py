"""Results in folders: the target of a copy, its delivery, and work by descriptors that follows no link."""
