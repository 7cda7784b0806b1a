"""Routes about jobs whose objects are gone: their results in the trash, and what ran."""
