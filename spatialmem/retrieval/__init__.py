"""Asking the memory: from surface voxels to hits."""
