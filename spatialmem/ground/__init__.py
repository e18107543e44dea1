"""Ground: where a body can stand, what floors there are, where the unknown begins."""
