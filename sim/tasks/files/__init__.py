"""Episode files of others, read into `Episode`s: original ids kept, Habitat's y-up world turned into a z-up one."""

from sim.tasks.files.goat import read_goat
from sim.tasks.files.objectnav import read_objectnav
from sim.tasks.files.scenes import scene_file

__all__ = ["read_goat", "read_objectnav", "scene_file"]
