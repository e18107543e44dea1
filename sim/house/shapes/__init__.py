"""Builders of furniture and things, and the tables of their kinds."""
