"""Objects: what detections of many frames add up to in the map."""
