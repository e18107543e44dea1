"""Sparse voxel layers: surface with colour and features, and free space. See docs/format.md, sections 5 to 7."""
