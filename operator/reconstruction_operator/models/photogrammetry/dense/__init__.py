"""Dense reconstruction: views, depth maps, and their fusion to a cloud of points with normals."""
