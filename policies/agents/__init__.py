"""Agents: who is told what is sensed and says what to do."""
