"""Episode files of ObjectNav and GOAT-Bench: written to the letter, broken in every way, and real ones."""

from __future__ import annotations

import copy
import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.errors import BadEpisodes, MissingScene
from sim.tasks.files import read_goat, read_objectnav, scene_file
from sim.tasks.goat import GoatTask

HALF = math.sqrt(0.5)
SCENE = "hm3d/val/00800-TEEsavR23oF/TEEsavR23oF.basis.glb"


def view(x: float, y: float, z: float) -> dict[str, Any]:
    return {"agent_state": {"position": [x, y, z], "rotation": [0.0, 0.0, 0.0, 1.0]}, "iou": 0.25}


def objectnav() -> dict[str, Any]:
    """A content file as HM3D's ObjectNav v1 and v2 have them."""
    chair = {
        "position": [1.0, 0.5, -3.0], "radius": None, "object_id": 14, "object_name": "chair_14",
        "object_name_id": None, "object_category": "chair",
        "room_id": None, "room_name": None, "view_points": [view(1.0, 0.1, -2.0)],
    }  # fmt: skip
    other = {
        **chair,
        "object_id": 15,
        "object_name": "chair_15",
        "view_points": [view(2.0, 0.1, -4.0), view(2.0, 0.1, -5.0)],
    }
    episode = {
        "episode_id": "7", "scene_id": SCENE, "scene_dataset_config": "./data/hm3d.scene_dataset_config.json",
        "additional_obj_config_paths": [], "start_position": [0.5, 0.1, -1.5], "start_rotation": [0, HALF, 0, HALF],
        "info": {"geodesic_distance": 4.5, "euclidean_distance": 4.0, "closest_goal_object_id": 14}, "goals": [],
        "start_room": None, "shortest_paths": None, "object_category": "chair",
    }  # fmt: skip
    return {
        "goals_by_category": {"TEEsavR23oF.basis.glb_chair": [chair, other]},
        "episodes": [episode, {**episode, "episode_id": "3", "start_rotation": [0, 0, 0, 1]}],
        "category_to_task_category_id": {"chair": 0, "bed": 1},
        "category_to_scene_annotation_category_id": {"chair": 0, "bed": 1},
    }


def goat() -> dict[str, Any]:
    """A content file as GOAT-Bench has them."""
    picture = {
        "position": [1.0, 1.5, -2.0], "rotation": [0.0, 0.0, 0.0, 1.0], "frame_coverage": 0.1, "object_coverage": 0.9,
        "hfov": 85, "image_dimensions": [480, 512],
    }  # fmt: skip
    lamp = {
        "object_category": "lamp", "object_id": "lamp_3", "position": [1.0, 1.5, -3.0],
        "view_points": [view(1.0, 0.1, -2.0)],
        "children_object_categories": ["floor lamp"], "image_goals": [picture, picture],
        "lang_desc": "lamp. it is located right of the sofa.",
    }  # fmt: skip
    bare = {k: v for k, v in lamp.items() if k not in ("image_goals", "lang_desc")}
    floor = {**bare, "object_category": "floor lamp", "object_id": "floor lamp_9", "view_points": [view(5.0, 0.1, 5.0)],
             "children_object_categories": []}  # fmt: skip
    episode = {
        "episode_id": 4, "start_position": [0.5, 0.1, -1.5], "start_rotation": [0, HALF, 0, HALF], "scene_id": SCENE,
        "scene_dataset_config": "./data/hm3d.scene_dataset_config.json",
        "tasks": [["lamp", "object", None], ["lamp", "description", "lamp_3"], ["lamp", "image", "lamp_3", 1]],
    }  # fmt: skip
    key = "TEEsavR23oF.basis.glb_"
    return {"episodes": [episode], "goals": {f"{key}lamp": [lamp], f"{key}floor lamp": [floor]}}


def written(tmp_path: Path, data: Any, name: str = "TEEsavR23oF.json.gz") -> Path:
    path = tmp_path / name
    text = json.dumps(data).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


# to the letter


@pytest.mark.parametrize("name", ["TEEsavR23oF.json.gz", "TEEsavR23oF.json"])
def test_an_objectnav_file(tmp_path, name):
    first, second = read_objectnav(written(tmp_path, objectnav(), name))
    assert (first.episode_id, second.episode_id, first.scene_id) == ("7", "3", SCENE)
    assert first.start_m == (0.5, 1.5, 0.1)
    assert abs(first.start_yaw_rad) == pytest.approx(math.pi)  # a quarter left of -z, which is -x
    assert second.start_yaw_rad == pytest.approx(math.pi / 2)  # along -z, which is +y with z up
    (goal,) = first.goals
    assert (goal.kind, goal.text, goal.category, goal.object_ids) == ("category", "chair", "chair", ("14", "15"))
    assert goal.viewpoints_m == ((1.0, 2.0, 0.1), (2.0, 4.0, 0.1), (2.0, 5.0, 0.1))
    assert first.extra["info"]["closest_goal_object_id"] == 14 and "shortest_paths" not in first.extra


def test_files_from_before_goals_were_shared(tmp_path):
    data = objectnav()
    goals = next(iter(data.pop("goals_by_category").values()))
    for episode in data["episodes"]:
        episode["goals"] = goals
        del episode["object_category"]
    shared = read_objectnav(written(tmp_path, objectnav()))
    assert [e.goals for e in read_objectnav(written(tmp_path, data))] == [e.goals for e in shared]


def test_mp3d_names_its_second_map_otherwise(tmp_path):
    data = objectnav()
    data["category_to_mp3d_category_id"] = data.pop("category_to_scene_annotation_category_id")
    for episode in data["episodes"]:
        episode["scene_id"] = "mp3d/2azQ1b91cZZ/2azQ1b91cZZ.glb"
    data["goals_by_category"] = {"2azQ1b91cZZ.glb_chair": next(iter(data["goals_by_category"].values()))}
    assert len(read_objectnav(written(tmp_path, data))) == 2


def test_a_split_is_its_file_and_the_files_beside_it(tmp_path):
    folder = tmp_path / "val"
    (folder / "content").mkdir(parents=True)
    maps = {k: v for k, v in objectnav().items() if k.startswith("category")}
    split = written(folder, {"episodes": [], **maps}, "val.json.gz")
    for n, name in enumerate(("B", "A")):
        data = objectnav()
        data["episodes"] = data["episodes"][: n + 1]
        written(folder / "content", data, f"{name}.json.gz")
    assert [e.episode_id for e in read_objectnav(split)] == ["7", "3", "7"]
    assert read_objectnav(folder) == read_objectnav(split)
    assert len(read_objectnav(folder, scenes=["B"])) == 1
    with pytest.raises(BadEpisodes, match=r"no episodes of C; there are \['A', 'B'\]"):
        read_objectnav(folder, scenes=["C"])


def test_a_goat_file(tmp_path):
    (episode,) = read_goat(written(tmp_path, goat()))
    assert (episode.episode_id, episode.scene_id, episode.start_m) == ("4", SCENE, (0.5, 1.5, 0.1))
    kind, words, image = episode.goals
    assert (kind.kind, kind.text, kind.object_ids) == ("category", "lamp", ("lamp_3", "floor lamp_9"))
    assert kind.viewpoints_m == ((1.0, 2.0, 0.1), (5.0, -5.0, 0.1))
    assert (words.kind, words.object_ids) == ("description", ("lamp_3",)) and words.text.startswith("lamp. it")
    assert (image.kind, image.text, image.viewpoints_m) == ("image", "", ((1.0, 2.0, 0.1),))
    assert image.image is not None and (image.image.width, image.image.height, image.image.hfov_deg) == (512, 480, 85.0)
    pose = np.array(image.image.world_from_camera).reshape(4, 4)
    assert pose[:3, 3] == pytest.approx((1.0, 2.0, 1.5)) and pose[:3, 2] == pytest.approx((0.0, 1.0, 0.0))
    assert pose[:3, 1] == pytest.approx((0.0, 0.0, -1.0))


def test_descriptions_of_more_than_55_words_are_left_out(tmp_path):
    data = goat()
    data["goals"]["TEEsavR23oF.basis.glb_lamp"][0]["lang_desc"] = " ".join(["word"] * 56)
    (episode,) = read_goat(written(tmp_path, data))
    assert [g.kind for g in episode.goals] == ["category", "image"]
    assert episode.extra["left_out"] == [["lamp", "description", "lamp_3"]]
    data["goals"]["TEEsavR23oF.basis.glb_lamp"][0]["lang_desc"] = " ".join(["word"] * 55)
    assert len(read_goat(written(tmp_path, data))[0].goals) == 3


# real ones


@pytest.fixture
def real(shared_data: Path) -> Path:
    folder = shared_data / "goatbench_episodes_a" / "val_unseen"
    if not folder.is_dir():
        pytest.skip(f"no episodes of GOAT-Bench at {folder}")
    return folder


def test_real_episodes_have_their_ids_and_5_to_10_goals(real: Path):
    episodes = read_goat(real)
    assert len(episodes) == 30 and [e.episode_id for e in episodes[:10]] == [str(n) for n in range(10)]
    assert all(5 <= len(e.goals) <= 10 for e in episodes)
    assert {g.kind for e in episodes for g in e.goals} == {"category", "description", "image"}
    assert {e.scene_id.split("/")[-1] for e in episodes} == {
        f"{s}.basis.glb" for s in ("DYehNKdT76V", "MHPLjHsuG27", "XB4GS9ShBRE")
    }


def test_real_pictures_look_at_their_things(real: Path):
    """The thing lies near the middle of each picture: position, axes and order of the rotation are right."""
    looked = 0
    for source in sorted((real / "content").iterdir()):
        data = json.loads(source.read_text())
        at = {g["object_id"]: g["position"] for goals in data["goals"].values() for g in goals}
        for goal in (g for e in read_goat(source) for g in e.goals if g.image is not None):
            x, y, z = at[goal.object_ids[0]]
            pose = np.array(goal.image.world_from_camera).reshape(4, 4)
            seen = np.linalg.inv(pose) @ (x, -z, y, 1.0)
            assert seen[2] > 0.0 and math.hypot(seen[0], seen[1]) / seen[2] < 0.5
            assert pose[2, 1] < -0.5  # the camera's down is down
            looked += 1
    assert looked > 30


def test_real_view_points_lie_around_their_things(real: Path):
    for source in sorted((real / "content").iterdir()):
        data = json.loads(source.read_text())
        at = {g["object_id"]: g["position"] for goals in data["goals"].values() for g in goals}
        for goal in (g for e in read_goat(source) for g in e.goals if len(g.object_ids) == 1):
            x, _, z = at[goal.object_ids[0]]
            away = np.linalg.norm(np.array(goal.viewpoints_m)[:, :2] - (x, -z), axis=1)
            assert away.min() < 2.5  # within 1 m of its surface, not of its middle


# broken ones


Change = Callable[[dict[str, Any]], Any]


def bad(reader: Callable[[Path], Any], tmp_path: Path, data: dict[str, Any], change: Change, *expected: str) -> None:
    broken = copy.deepcopy(data)
    change(broken)
    path = written(tmp_path, broken)
    with pytest.raises(BadEpisodes) as caught:
        reader(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and all(e in message for e in expected), message


CHAIRS = "TEEsavR23oF.basis.glb_chair"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d.pop("episodes"), ("episodes: expected a list", "there is no such key")),
        (lambda d: d.update(episodes={}), ("episodes: expected a list of ObjectNav episodes", "empty object")),
        (lambda d: d["episodes"].append(5), ("episodes[2]: expected an object",)),
        (lambda d: d["episodes"][1].pop("scene_id"), ("episodes[1].scene_id: expected the path of a scene",)),
        (lambda d: d["episodes"][1].update(scene_id="a/../../b"), ("episodes[1].scene_id", "'..'", "a/../../b")),
        (lambda d: d["episodes"][1].update(scene_id="/etc/passwd"), ("a relative path",)),
        (lambda d: d["episodes"][0].update(episode_id=1.5), ("episodes[0].episode_id", "text or a number", "1.5")),
        (lambda d: d["episodes"][0].update(start_position=[1, 2]), ("episodes[0].start_position", "x, y, z", "[1, 2]")),
        (lambda d: d["episodes"][0].update(start_position=[1, 2, math.nan]), ("start_position",)),
        (lambda d: d["episodes"][0].update(start_position=[1, 2, True]), ("start_position",)),
        (lambda d: d["episodes"][0].update(start_rotation=[0, 0, 0, 2]), ("start_rotation", "of length 1")),
        (lambda d: d["episodes"][0].update(start_rotation=[HALF, 0, HALF, 0]), ("start_rotation", "is it w, x, y, z?")),
        (lambda d: d["episodes"][0].update(object_category="bed"), ("object_category", "goals_by_category", "bed")),
        (lambda d: d["episodes"][0].update(tasks=[1]), ("use read_goat",)),
        (lambda d: d.update(category_to_task_category_id={"bed": 1}), ("episodes[0]", "bed", "not 'chair'")),
        (lambda d: d["goals_by_category"].update({CHAIRS: []}), (CHAIRS, "at least one goal")),
        (lambda d: d["goals_by_category"][CHAIRS][1].update(object_category="sofa"), ("object_category", "'chair'")),
        (lambda d: d["goals_by_category"][CHAIRS][1].pop("object_id"), ("[1].object_id: expected the id",)),
        (lambda d: d["goals_by_category"][CHAIRS][1].update(view_points=None), ("[1].view_points", "iou", "None")),
        (lambda d: d["goals_by_category"][CHAIRS][0]["view_points"][0].clear(), ("view_points[0].agent_state",)),
    ],
)  # fmt: skip
def test_broken_objectnav_files_name_the_place(tmp_path, change, expected):
    bad(read_objectnav, tmp_path, objectnav(), change, *expected)


LAMPS = "TEEsavR23oF.basis.glb_lamp"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d.pop("goals"), ("goals: expected an object of lists", "there is no such key")),
        (lambda d: d.update(goals_by_category={}), ("use read_objectnav",)),
        (lambda d: d["episodes"][0].pop("tasks"), ("episodes[0].tasks: expected a list of [category",)),
        (lambda d: d["episodes"][0].update(tasks=[]), ("episodes[0].tasks", "at least one task")),
        (lambda d: d["episodes"][0]["tasks"].append(["lamp", "object"]), ("tasks[3]: expected [category",)),
        (lambda d: d["episodes"][0]["tasks"].append(["sofa", "object", None]), ("tasks[3][0]", LAMPS[:-4] + "sofa")),
        (lambda d: d["episodes"][0]["tasks"].append(["lamp", "sound", "lamp_3"]), ("tasks[3][1]", '"image"', "sound")),
        (lambda d: d["episodes"][0]["tasks"].append(["lamp", "image", "lamp_4", 0]), ("tasks[3][2]", "lamp_4")),
        (lambda d: d["episodes"][0]["tasks"].append(["lamp", "image", "lamp_3", 2]), ("tasks[3][3]", "2 image_goals")),
        (lambda d: d["episodes"][0]["tasks"].append(["lamp", "image", "lamp_3"]), ("tasks[3]", "index of the picture")),
        (lambda d: d["episodes"][0].update(scene_id="..\\x"), ("episodes[0].scene_id",)),
        (lambda d: d["goals"].update({LAMPS: []}), (f"goals['{LAMPS}']", "at least one goal")),
        (lambda d: d["goals"][LAMPS][0].pop("lang_desc"), ("[0].lang_desc: expected a description",)),
        (lambda d: d["goals"][LAMPS][0].update(view_points=[]), ("tasks[1]", "at least one view point")),
        (lambda d: d["goals"][LAMPS][0]["image_goals"][1].update(hfov=180), ("image_goals[1].hfov", "180")),
        (lambda d: d["goals"][LAMPS][0]["image_goals"][1].update(image_dimensions=[0, 4]), ("image_dimensions",)),
        (lambda d: d["goals"][LAMPS][0]["image_goals"][1].update(rotation=[0, 0, 1]), ("image_goals[1].rotation",)),
        (lambda d: d["goals"][LAMPS][0].update(children_object_categories=[1]), ("children_object_categories[0]",)),
    ],
)  # fmt: skip
def test_broken_goat_files_name_the_place(tmp_path, change, expected):
    bad(read_goat, tmp_path, goat(), change, *expected)


@pytest.mark.parametrize("reader", [read_objectnav, read_goat])
@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "expected JSON"), (b"{", "expected JSON"), (b"\xff\xfe", "expected JSON"), (b"[1, 2]", "an object"),
     (gzip.compress(b"{}" * 999, mtime=0)[:-9], "gzip stream is broken"),  # no time in it: it names the test
     (b"\x1f\x8bnot gzip", "gzip stream is broken"),
     (b"[" * 100_000, "expected JSON"), (b"null", "the whole file")],
)  # fmt: skip
def test_what_is_no_such_file_is_said(tmp_path, reader, content, expected):
    path = tmp_path / "x.json.gz"
    path.write_bytes(content)
    with pytest.raises(BadEpisodes, match=expected) as caught:
        reader(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("reader", [read_objectnav, read_goat])
def test_a_file_that_is_not_there(tmp_path, reader):
    with pytest.raises(BadEpisodes, match="there is no such file of episodes"):
        reader(tmp_path / "none.json.gz")
    with pytest.raises(BadEpisodes, match="there is no such file of episodes"):
        reader(tmp_path)


# scenes


@pytest.mark.parametrize("scene_id", [SCENE, f"data/scene_datasets/{SCENE}", SCENE.replace("/val/", "/val//")])
def test_scenes_are_found_below_the_first_root_that_has_them(tmp_path, scene_id):
    path = tmp_path / "b" / SCENE
    path.parent.mkdir(parents=True)
    path.write_bytes(b"glTF")
    assert scene_file(scene_id, [tmp_path / "a", tmp_path / "b"]) == path


def test_a_missing_scene_says_what_was_looked_for_and_where(tmp_path):
    with pytest.raises(MissingScene) as caught:
        scene_file(SCENE, [tmp_path / "a", tmp_path / "b"])
    message = str(caught.value)
    assert "TEEsavR23oF.basis.glb" in message
    assert str(tmp_path / "a" / SCENE) in message and str(tmp_path / "b" / SCENE) in message
    with pytest.raises(MissingScene, match="no folder of scenes was given"):
        scene_file(SCENE, [])


@pytest.mark.parametrize("scene_id", ["../x.glb", "a/../../x.glb", "/etc/passwd", "C:\\x.glb", "a\\..\\x", "", "a\0b"])
def test_scene_ids_do_not_lead_out_of_the_roots(tmp_path, scene_id):
    (tmp_path / "x.glb").write_bytes(b"")
    (tmp_path / "root").mkdir()
    with pytest.raises(MissingScene, match="leads out"):
        scene_file(scene_id, [tmp_path / "root"])


def test_episodes_of_files_are_walked_like_drawn_ones(tmp_path):
    """View points of the file decide, whatever the world says."""
    from grid_world import GridWorld

    (episode,) = read_goat(written(tmp_path, goat()))
    task = GoatTask(width=16, height=16)
    scene = GridWorld().open("train-0", task.scene_config())
    places = scene.standing_places_m()
    near = places[np.argmin(np.linalg.norm(places[:, :2] - (1.0, 2.0), axis=1))]
    start = tuple(float(v) for v in near)
    trial = task.begin(scene, type(episode)(**{**episode.__dict__, "start_m": start, "scene_id": "train-0"}))
    trial.step(0)
    assert trial.result().goals[0]["distance_to_goal"] == pytest.approx(
        scene.distance_m(near, np.array(episode.goals[0].viewpoints_m[:1])), abs=0.01
    )
