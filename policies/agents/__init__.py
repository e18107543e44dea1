"""Agents to compare with: the floor, the ceiling and what lies between. Named in the group `spatialmem.agents`."""
