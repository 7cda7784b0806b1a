"""Output: the GLB file and previews."""
