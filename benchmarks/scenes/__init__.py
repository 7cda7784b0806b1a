"""Scenes: textured meshes rendered as photos, with a known truth for the photogrammetry engine.

- `shapes`: the meshes
- `paint`: the colour of each point in space
- `rendering`: one photo of a mesh
- `catalogue`: the scenes by name, with their cameras
- `accuracy`: how close a result is to the truth
"""
