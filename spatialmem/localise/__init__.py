"""Where a frame was taken: moved onto the map, or found in it without a pose."""
