"""Photos in, results out: folders, downloads, archives, photo checks, limits, tenancy and delivery."""
