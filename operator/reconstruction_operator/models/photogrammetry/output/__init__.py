"""Output: the files of the result (meshes, previews, cameras) in `results`, and the page `report`."""
