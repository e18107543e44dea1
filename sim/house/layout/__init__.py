"""From a seed to a plan: rooms, openings, stairs, furniture and things, each with its place."""
