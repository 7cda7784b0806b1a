"""Texture: UV atlas, colours, baking."""
