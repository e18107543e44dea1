"""Things of an RGB-D frame without weights: surfaces, pieces of them, what is joined, what is a thing."""
