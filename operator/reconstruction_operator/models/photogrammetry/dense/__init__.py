"""Dense reconstruction: depth maps and their fusion."""
