"""Few images that stand for all that was seen."""
