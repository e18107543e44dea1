"""Reader of GOAT-Bench's episode files, as they are and as 3D-Mem ships them (unpacked).

Format and meaning as Ram81/goat-bench at 74c41d1 reads it (goat_bench/dataset/goat_dataset.py): `episodes` with
`tasks` [category, "object" | "description" | "image", object id, index of the picture], and `goals` under keys
"<file of the scene>_<category>": things with view points, `lang_desc`, `image_goals` and
`children_object_categories`, whose things count as goals of the category too. Tasks whose description is longer
than 55 words are left out, there and here. Rotations are x, y, z, w, y is up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.tasks.episode import Episode, Goal, ImageView
from sim.tasks.files.objectnav import scene_of, view_points
from sim.tasks.files.reading import Node, camera_pose, load, rest, sources

_WORDS = 55
_FORM = '[category, "object" | "description" | "image", object id or null, index of the picture]'
_CONSUMED = ("episode_id", "scene_id", "start_position", "start_rotation", "tasks")


@dataclass(frozen=True)
class _Thing:
    object_id: str
    node: Node
    views_m: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class _Kind:
    """The things of a category of a scene."""

    things: tuple[_Thing, ...]
    children: tuple[str, ...]

    def of(self, object_id: str) -> list[_Thing]:
        return [t for t in self.things if t.object_id == object_id]


def read_goat(path: str | Path, scenes: Sequence[str] | None = None) -> tuple[Episode, ...]:
    """Episodes of a file, or of the folder of a split, in the order in which they stand there.

    `extra` of an episode holds what else the file says of it and, under "left_out", tasks whose descriptions are too
    long; its id is the file's, unique within a scene.

    Args:
        scenes: of a split only the files of these scenes, such as "DYehNKdT76V"

    Raises:
        BadEpisodes: names the file, the place in it, and what was expected there.
    """
    return tuple(episode for source in sources(path, scenes) for episode in _episodes(load(source)))


def _episodes(root: Node) -> list[Episode]:
    form = "a list of GOAT-Bench episodes"
    listed = list(root.at("episodes", form).items(form))
    if not listed:
        return []
    if root.has("goals_by_category"):
        raise root.at("goals_by_category", "").bad(
            "the key goals in its place; this file is ObjectNav's, use read_objectnav"
        )
    form = 'an object of lists of goals under keys "<file of the scene>_<category>"'
    kinds = {key: _kind(node) for key, node in root.at("goals", form).entries(form)}
    return [_episode(node, kinds) for node in listed]


def _kind(listed: Node) -> _Kind:
    things: list[_Thing] = []
    children: tuple[str, ...] = ()
    for i, node in enumerate(listed.items("a list of goals")):
        object_id = node.at("object_id", "the id of the thing").name("the id of the thing, a text or a number")
        things.append(_Thing(object_id, node, tuple(view_points(node))))
        if i == 0 and node.has("children_object_categories"):
            names = node.at("children_object_categories", "").items("a list of categories")
            children = tuple(n.text("a category") for n in names)
    if not things:
        raise listed.bad("at least one goal")
    return _Kind(tuple(things), children)


def _episode(node: Node, kinds: dict[str, _Kind]) -> Episode:
    scene_id, file = scene_of(node)
    goals: list[Goal] = []
    left_out: list[Any] = []
    for task in node.at("tasks", f"a list of {_FORM}").items(f"a list of {_FORM}"):
        goal = _goal(task, file, kinds)
        if goal.kind == "description" and len(goal.text.split(" ")) > _WORDS:
            left_out.append(task.value)
        else:
            goals.append(goal)
    if not goals:
        raise node.at("tasks", "").bad("at least one task")
    extra = rest(node, _CONSUMED)
    return Episode(
        node.at("episode_id", "the id of the episode").name("the id of the episode, a text or a number"), scene_id,
        node.at("start_position", "a position x, y, z").point_m(),
        node.at("start_rotation", "a rotation x, y, z, w").yaw_rad(), tuple(goals),
        extra={**extra, "left_out": left_out} if left_out else extra,
    )  # fmt: skip


def _goal(task: Node, file: str, kinds: dict[str, _Kind]) -> Goal:
    parts = list(task.items(_FORM))
    if len(parts) < 3:
        raise task.bad(_FORM)
    category = parts[0].text("a category")
    if f"{file}_{category}" not in kinds:
        raise parts[0].bad(f"a category with goals under goals[{f'{file}_{category}'!r}]")
    kind = kinds[f"{file}_{category}"]
    if parts[1].value == "object":
        things = list(kind.things)
        for child in kind.children:
            things += kinds[f"{file}_{child}"].things if f"{file}_{child}" in kinds else ()
        return _of("category", category, category, things, task)
    things = kind.of(parts[2].name("the id of a thing"))
    if not things:
        raise parts[2].bad(f"the id of one of the goals under {f'{file}_{category}'!r}")
    if parts[1].value == "description":
        form = "a description of the thing"
        return _of("description", things[0].node.at("lang_desc", form).text(form), category, things, task)
    if parts[1].value != "image":
        raise parts[1].bad('"object", "description" or "image"')
    if len(parts) < 4:
        raise task.bad(_FORM)
    return _of("image", "", category, things, task, _image(things[0].node, parts[3]))


def _of(kind: Any, text: str, category: str, things: list[_Thing], task: Node, image: ImageView | None = None) -> Goal:
    by_id = {t.object_id: t for t in things}  # a child's things may be the category's own as well
    views = tuple(v for t in by_id.values() for v in t.views_m)
    if not views:
        raise task.bad("a goal with at least one view point")
    return Goal(kind, text, category, tuple(by_id), image, viewpoints_m=views)


def _image(thing: Node, index: Node) -> ImageView:
    form = "a list of {position, rotation, hfov, image_dimensions}"
    pictures = list(thing.at("image_goals", form).items(form))
    if type(index.value) is not int or not 0 <= index.value < len(pictures):
        raise index.bad(f"the index of one of the {len(pictures)} image_goals of the thing")
    picture = pictures[index.value]
    size = picture.at("image_dimensions", "height and width in pixels")
    height, width = size.numbers(2, "height and width in pixels")
    hfov = picture.at("hfov", "a horizontal field of view in degrees")
    if type(hfov.value) not in (int, float) or not 0.0 < hfov.value < 180.0:
        raise hfov.bad("a horizontal field of view in degrees, between 0 and 180")
    if not all(v.is_integer() and 1 <= v <= 16384 for v in (height, width)):
        raise size.bad("height and width in whole pixels")
    pose = camera_pose(picture.at("position", "a position"), picture.at("rotation", "a rotation"))
    return ImageView(pose, int(width), int(height), float(hfov.value))
