"""Procedural houses: a seed gives rooms, furniture and things, a renderer and the exact truth about them."""
