"""One SQLite file per memory: the log of frames is the truth, everything else in it is derived (docs/format.md)."""
