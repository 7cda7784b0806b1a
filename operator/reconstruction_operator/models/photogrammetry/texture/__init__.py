"""Texture: vertex colours, UV atlas, the photo of each face (labelling), colour correction (levelling), and baking."""
