"""Reader of ObjectNav's episode files (HM3D v1 and v2, MP3D v1, and those before goals were shared between episodes).

Format as habitat-lab at 0fb6f43 reads it (habitat-lab/habitat/datasets/object_nav/object_nav_dataset.py): gzipped
JSON with `episodes`, `goals_by_category` under keys "<file of the scene>_<category>",
`category_to_task_category_id`; a split is one file, usually without episodes, and one file per scene in `content/`
beside it. Rotations are x, y, z, w, y is up. Habitat's loader calls episodes by their index; here they keep their
own ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from sim.tasks.episode import Episode, Goal
from sim.tasks.files.reading import Node, load, rest, sources
from sim.tasks.files.scenes import is_safe

_CONSUMED = ("episode_id", "scene_id", "start_position", "start_rotation", "goals", "object_category", "shortest_paths")


def read_objectnav(path: str | Path, scenes: Sequence[str] | None = None) -> tuple[Episode, ...]:
    """Episodes of a file, or of the folder of a split, in the order in which they stand there.

    Goals have the ids of all things of the category and their view points; `extra` what else the file says of the
    episode. Shortest paths are left out.

    Args:
        scenes: of a split only the files of these scenes, such as "DYehNKdT76V"

    Raises:
        BadEpisodes: names the file, the place in it, and what was expected there.
    """
    return tuple(episode for source in sources(path, scenes) for episode in _episodes(load(source)))


def _episodes(root: Node) -> list[Episode]:
    listed = list(root.at("episodes", "a list of ObjectNav episodes").items("a list of ObjectNav episodes"))
    if any(n.has("tasks") for n in listed):
        raise listed[0].bad(
            "an ObjectNav episode with object_category; those with tasks are GOAT-Bench's, use read_goat"
        )
    known = _categories(root)
    shared = _goals_by_category(root) if root.has("goals_by_category") else {}
    return [_episode(node, shared, known) for node in listed]


def _categories(root: Node) -> frozenset[str] | None:
    if not root.has("category_to_task_category_id"):
        return None
    form = "an object from category to number"
    return frozenset(k for k, _ in root.at("category_to_task_category_id", form).entries(form))


def _goals_by_category(root: Node) -> dict[str, Goal]:
    form = 'an object of lists of goals under keys "<file of the scene>_<category>"'
    return {key: _goal(node, None) for key, node in root.at("goals_by_category", form).entries(form)}


def _goal(listed: Node, category: str | None) -> Goal:
    """All things of a category, as one goal."""
    ids, views = [], []
    for node in listed.items("a list of goals"):
        named = node.at("object_category", "the category of the thing").text("the category of the thing")
        if category is not None and named != category:
            raise node.at("object_category", "").bad(f"{category!r}, as of the goals before it")
        category = named
        ids.append(node.at("object_id", "the id of the thing").name("the id of the thing, a number or a text"))
        views += view_points(node)
    if category is None or not views:
        raise listed.bad("at least one goal with at least one view point")
    return Goal("category", category, category, tuple(ids), viewpoints_m=tuple(views), extra={"instances": len(ids)})


def view_points(goal: Node) -> list[tuple[float, float, float]]:
    """Ground points of a goal's view points, z up."""
    form = "a list of view points {agent_state: {position, rotation}, iou}"
    return [
        view.at("agent_state", "a position and rotation").at("position", "a position x, y, z").point_m()
        for view in goal.at("view_points", form).items(form)
    ]


def scene_of(node: Node) -> tuple[str, str]:
    """The id of an episode's scene, and the name of its file as goals are keyed by it."""
    there = node.at("scene_id", "the path of a scene, below a folder of scenes")
    scene_id = there.text("the path of a scene")
    if not is_safe(scene_id):
        raise there.bad("a relative path without '..'")
    return scene_id, PurePosixPath(scene_id).name


def _episode(node: Node, shared: dict[str, Goal], known: frozenset[str] | None) -> Episode:
    scene_id, file = scene_of(node)
    if node.has("goals") and node.value["goals"]:
        named = node.value.get("object_category")
        goal = _goal(node.at("goals", "a list of goals"), named if isinstance(named, str) else None)
    else:
        asked = node.at("object_category", "the category that is looked for")
        category = asked.text("the category that is looked for")
        if f"{file}_{category}" not in shared:
            raise asked.bad(f"a category with goals under goals_by_category[{f'{file}_{category}'!r}]")
        goal = shared[f"{file}_{category}"]
    if known is not None and goal.category not in known:
        raise node.bad(
            f"a category of category_to_task_category_id ({', '.join(sorted(known))}), not {goal.category!r}"
        )
    return Episode(
        node.at("episode_id", "the id of the episode").name("the id of the episode, a text or a number"), scene_id,
        node.at("start_position", "a position x, y, z").point_m(),
        node.at("start_rotation", "a rotation x, y, z, w").yaw_rad(), (goal,), extra=rest(node, _CONSUMED),
    )  # fmt: skip
