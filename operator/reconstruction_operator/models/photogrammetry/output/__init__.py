"""Output: the files of the result (meshes, previews, cameras, report), written by `results`."""
