"""The numbers of the segmenter `regions`: rendered frames with their truth, fitting, scoring."""
