"""Photos in (`inputs`, `images`), results out (`outputs`): only from and to places that the settings allow."""
