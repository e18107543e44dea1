"""Answers to questions from what a context tells of things, without a language model."""
