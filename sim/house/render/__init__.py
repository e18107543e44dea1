"""Pictures of a house: colour, depth, instances, categories, normals, from any pose of a pinhole camera."""
