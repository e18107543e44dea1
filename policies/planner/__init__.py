"""Planners: what to do next, given what a memory shows towards a question. docs/planner.md says how to use them."""
