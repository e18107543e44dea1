"""`tiny`: the encoder that ships with spatialmem, a small image tower and a small text tower in one 64-d space."""
