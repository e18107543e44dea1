"""Worlds to be remembered; uses spatialmem.types only."""
