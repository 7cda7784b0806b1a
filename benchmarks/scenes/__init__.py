"""Scenes with a known truth for the photogrammetry engine: textured meshes, rendered as photos.

- `shapes`: the meshes
- `paint`: the colour of each point in space
- `rendering`: one photo of a mesh
- `catalogue`: the scenes by name, with their cameras; `python -m benchmarks.scenes NAME FOLDER` writes one
- `accuracy`: how near a result comes to the truth
"""
