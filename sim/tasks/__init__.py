"""Tasks, written once for every world."""
