"""Plain numpy and python versions of the fast kernels, written from docs/format.md. Slow, and easy to read."""
