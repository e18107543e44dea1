"""What a memory is given by mistake is refused in words: what was given, what was expected, what to do."""

from __future__ import annotations

import re

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room

from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.errors import InvalidFrame, InvalidValue, SpatialMemError
from spatialmem.memory import SpatialMemory
from spatialmem.perception.colours import Colours
from spatialmem.question import ask
from spatialmem.types import Camera, Frame, checked_transform

CAMERA = Camera(50.0, 50.0, 3.5, 2.5, 8, 6)
NAN = float("nan")
HUGE = Camera(5000.0, 5000.0, 5000.0, 5000.0, 10_000, 6_401)
SKEWED = np.diag([1.0, 2.0, 1.0, 1.0])


def frame_with(**changes) -> Frame:
    values = {"rgb": np.zeros((6, 8, 3), np.uint8), "depth_m": np.full((6, 8), 1.5, np.float32), "camera": CAMERA}
    return Frame(**{**values, "world_from_camera": np.eye(4), "stamp_ns": 1, **changes})


def says(given: str, expected: str) -> str:
    """A pattern: the expectation, then what was given, then what to do about it."""
    return f"(?s){re.escape(expected)}.*given.*{re.escape(given)}.*;"


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    with mh.create(tmp_path_factory.mktemp("wrong") / "a.mem", [room.room_frame(0, 8)]) as made:
        yield made


@pytest.mark.parametrize(
    ("changes", "given", "expected"),
    [
        ({"pose_sigma": 0.05}, "0.05", "pose_sigma must be two finite numbers from 0 on"),
        ({"pose_sigma": (NAN, -1)}, "(nan, -1)", "pose_sigma must be two finite numbers from 0 on"),
        ({"pose_sigma": (0.1, -0.1)}, "(0.1, -0.1)", "pose_sigma must be two finite numbers from 0 on"),
        ({"pose_sigma": "ab"}, "'ab'", "pose_sigma must be two finite numbers from 0 on"),
        ({"valid": [[True]]}, "[[True]]", "valid must be bool of shape (6, 8)"),
        ({"seq": "a"}, "'a'", "seq must be an integer from 0 on"),
        ({"seq": NAN}, "nan", "seq must be an integer from 0 on"),
        ({"seq": 1.5}, "1.5", "seq must be an integer from 0 on"),
        ({"seq": True}, "True", "seq must be an integer from 0 on"),
        ({"seq": 2**63}, str(2**63), "seq must be an integer from 0 on"),
        ({"camera": None}, "None", "camera must be a Camera"),
        ({"camera": CAMERA.K.tolist()}, "[[50.0", "camera must be a Camera"),
        ({"world_from_camera": "x"}, "'x'", "a pose must be a 4x4 matrix of numbers"),
        ({"world_from_camera": [["1"] * 4] * 4}, "'1'", "a pose must be a 4x4 matrix of numbers"),
        ({"session_id": 3}, "3", "session_id must be a non-empty name"),
        ({"camera_id": b"left"}, "b'left'", "camera_id must be a non-empty name"),
        ({"camera_id": None}, "None", "camera_id must be a non-empty name"),
        ({"recording_id": 7}, "7", "recording_id must be a non-empty text (str) or None"),
        ({"recording_id": ""}, "''", "recording_id must be a non-empty text (str) or None"),
        ({"session_id": " "}, "' '", "session_id must be a non-empty name"),
        ({"camera_id": "\t"}, "'\\t'", "camera_id must be a non-empty name"),
        ({"depth_unit": "mm"}, "'mm'", 'depth_unit must be "m" or None'),
    ],
)
def test_frames(changes, given, expected):
    with pytest.raises(InvalidFrame, match=says(given, expected)):
        frame_with(**changes)


def test_frames_are_kept_in_one_form():
    frame = frame_with(seq=np.float64(4), pose_sigma=np.array([1, 0.5], np.float32))
    assert type(frame.seq) is int and frame.seq == 4
    assert frame.pose_sigma == (1.0, 0.5) and type(frame.pose_sigma[0]) is float


@pytest.mark.parametrize("matrix", ["x", None, 5, [[1, 2], [3]], [[None] * 4] * 4, {"a": 1}, [[1j] * 4] * 4])
def test_transforms(matrix):
    with pytest.raises(InvalidFrame, match="a pose must be a 4x4 matrix.*given"):
        checked_transform(matrix)


@pytest.mark.parametrize(
    ("make", "given", "expected"),
    [
        (lambda: Camera("a", 1, 1, 1, 2, 2), "'a'", "finite, positive focal lengths"),  # pyright: ignore
        (lambda: Camera(True, 1, 1, 1, 2, 2), "True", "finite, positive focal lengths"),
        (lambda: Camera(1, 1, None, 1, 2, 2), "None", "finite, positive focal lengths"),  # pyright: ignore
        (lambda: Camera(1, 1, 1, 1, True, 2), "True x 2", "positive integer size"),
        (lambda: Camera(1, 1, 1, 1, 2, "4"), "2 x '4'", "positive integer size"),  # pyright: ignore
        (lambda: Camera(1, 1, 1, 1, NAN, 2), "nan x 2", "positive integer size"),  # pyright: ignore
        (lambda: CAMERA.scaled_to("a", 2), "'a' x 2", "positive integer size"),  # pyright: ignore
        (lambda: Camera.from_matrix(CAMERA.K, 8.5, 6), "8.5 x 6", "positive integer size"),  # pyright: ignore
        (lambda: Camera.from_hfov(60, None, 6), "None x 6", "positive integer size"),  # pyright: ignore
    ],
)
def test_cameras(make, given, expected):
    with pytest.raises(InvalidValue, match=says(given, expected)):
        make()


def test_camera_matrices_and_angles_that_are_no_numbers():
    with pytest.raises(InvalidValue, match="3x3 or 4x4.*given 'K'"):
        Camera.from_matrix("K", 8, 6)  # pyright: ignore
    with pytest.raises(InvalidValue, match="between 0 and 180.*given '60'"):
        Camera.from_hfov("60", 8, 6)  # pyright: ignore


def test_cameras_are_kept_in_one_form():
    camera = Camera(np.float32(50), 50, 3, 2, 160.0, np.int64(120))  # pyright: ignore
    assert [type(v) for v in (camera.fx, camera.cx, camera.width, camera.height)] == [float, float, int, int]
    assert camera == Camera(50.0, 50.0, 3.0, 2.0, 160, 120)


@pytest.mark.parametrize(
    ("changes", "given", "expected"),
    [
        ({"voxel_size_m": "a"}, "'a'", "voxel_size_m must lie between 0.001 and 1"),
        ({"voxel_size_m": True}, "True", "voxel_size_m must lie between 0.001 and 1"),
        ({"voxel_size_m": NAN}, "nan", "voxel_size_m must lie between 0.001 and 1"),
        ({"max_depth_m": None}, "None", "max_depth_m must lie between"),
        ({"encode_every": 1.5}, "1.5", "encode_every must be a whole number between 1 and 1000000"),
        ({"jpeg_quality": 90.5}, "90.5", "jpeg_quality must be a whole number between 1 and 100"),
        ({"jpeg_quality": "90"}, "'90'", "jpeg_quality must be a whole number between 1 and 100"),
        ({"checkpoint_frames": NAN}, "nan", "checkpoint_frames must be a whole number"),
        ({"ram_bytes": float("inf")}, "inf", "ram_bytes must be a whole number"),
        ({"workspace_m": 5}, "5", "workspace_m must be x0, y0, z0, x1, y1, z1"),
        ({"workspace_m": "abcdef"}, "'abcdef'", "workspace_m must be x0, y0, z0, x1, y1, z1"),
        ({"workspace_m": ((0, 0, 0), (1, 1, 1))}, "((0, 0, 0), (1, 1, 1))", "workspace_m must be x0"),
        ({"gate": {"novelty": 0.1}}, "{'novelty': 0.1}", "gate must be a GateConfig"),
    ],
)
def test_configurations(changes, given, expected):
    with pytest.raises(InvalidValue, match=says(given, expected)):
        MemoryConfig(**changes)


@pytest.mark.parametrize(
    ("changes", "given", "expected"),
    [
        ({"novelty": "a"}, "'a'", "gate.novelty must lie between 0 and 1"),
        ({"disagreement": NAN}, "nan", "gate.disagreement must lie between 0 and 1"),
        ({"max_gap_s": None}, "None", "gate.max_gap_s must lie between 0 and inf"),
        ({"store_all": "no"}, "'no'", "gate.store_all must be True or False"),
    ],
)
def test_gates(changes, given, expected):
    with pytest.raises(InvalidValue, match=says(given, expected)):
        GateConfig(**changes)


def test_configurations_are_kept_in_one_form():
    config = MemoryConfig(voxel_size_m=np.float64(0.02), encode_every=2.0, workspace_m=np.array([0, 0, 0, 1, 1, 1]))  # pyright: ignore
    assert type(config.encode_every) is int and config.workspace_m == (0.0, 0.0, 0.0, 1.0, 1.0, 1.0)
    assert MemoryConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"gate": 5}', None])
def test_configurations_that_are_no_json_objects(text):
    with pytest.raises(InvalidValue, match="JSON object.*given"):
        MemoryConfig.from_json(text)


@pytest.mark.parametrize(
    ("arguments", "given", "expected"),
    [
        ({"path": None, "config": {"voxel_size_m": 0.02}}, "'voxel_size_m'", "config must be a MemoryConfig"),
        ({"path": None, "config": {}}, "{}", "config must be a MemoryConfig"),
        ({"path": None, "encoder": 5}, "5", "encoder must be a name or an Encoder"),
        ({"path": 5}, "5", "path must name the file to make"),
        ({"path": " "}, "' '", "path must name the file to make"),
    ],
)
def test_creation(arguments, given, expected):
    with pytest.raises(InvalidValue, match=says(given, expected)):
        SpatialMemory.create(**arguments)


@pytest.mark.parametrize("path", [None, 5, b"a.mem", "", " "])
@pytest.mark.parametrize("call", [SpatialMemory.open, SpatialMemory.repair])
def test_files_to_open(call, path):
    with pytest.raises(InvalidValue, match=says(repr(path), "path must name a memory file")):
        call(path)


@pytest.mark.parametrize("encoder", ["colours", 5, Colours])
def test_encoders_to_open_with(memory, encoder):
    with pytest.raises(InvalidValue, match=says(repr(encoder)[:10], "encoder must be an Encoder or None")):
        SpatialMemory.open(memory.path, encoder=encoder)


QUERIES = [
    ({"text": 5}, "5", "text must be a str"),
    ({"text": b"red"}, "b'red'", "text must be a str"),
    ({"text": ["red"]}, "['red']", "text must be a str"),
    ({"at": 3.0, "radius_m": 1}, "3.0", "at must be a finite point"),
    ({"at": "abc", "radius_m": 1}, "'abc'", "at must be a finite point"),
    ({"at": (0, NAN, 0), "radius_m": 1}, "(0, nan, 0)", "at must be a finite point"),
    ({"at": (0, 0), "radius_m": 1}, "(0, 0)", "at must be a finite point"),
    ({"at": (0, 0, 0), "radius_m": "1"}, "'1'", "radius_m must be a positive number"),
    ({"at": (0, 0, 0), "radius_m": NAN}, "nan", "radius_m must be a positive number"),
    ({"at": (0, 0, 0), "radius_m": True}, "True", "radius_m must be a positive number"),
    ({"since_ns": "10min"}, "'10min'", "since_ns must be a whole number of nanoseconds"),
    ({"since_ns": 2**70}, str(2**70), "since_ns must be a whole number of nanoseconds"),
    ({"until_ns": 1.5}, "1.5", "until_ns must be a whole number of nanoseconds"),
    ({"since_ns": 7, "until_ns": 3}, "since_ns=7, until_ns=3", "since_ns must not lie after until_ns"),
    ({"box_m": [(0, 0, 0), (1, 1)]}, "[(0, 0, 0), (1, 1)]", "box_m must be (2, 3)"),
    ({"box_m": "box"}, "'box'", "box_m must be (2, 3)"),
    ({"box_m": [(0, 0, NAN), (1, 1, 1)]}, "nan", "box_m must be (2, 3)"),
    ({"text": "red", "top": True}, "True", "top must be a positive integer"),
    ({"text": "red", "top": "3"}, "'3'", "top must be a positive integer"),
]


@pytest.mark.parametrize(("arguments", "given", "expected"), QUERIES)
def test_queries(memory, arguments, given, expected):
    with pytest.raises(InvalidValue, match=says(given, expected)):
        memory.query(**arguments)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_queries_that_ask_nothing(memory, text):
    with pytest.raises(InvalidValue, match="text is empty.*expected words.*leave text out"):
        memory.query(text)


def test_queries_take_any_sequence_of_numbers():
    question = ask(
        lambda: pytest.fail("no encoder is needed"), None, None, iter([1, 2, 3]), np.float32(2), None, -5, 9e18, 1
    )
    assert question.centre_m.tolist() == [1, 2, 3] and question.radius_m == 2.0
    assert (question.since_ns, question.until_ns) == (-5, 9 * 10**18)
    box = ask(lambda: pytest.fail("no"), None, None, None, None, [(0, 0, -np.inf), (1, 1, np.inf)], None, -3, 1).box_m
    assert box.shape == (2, 3)


CALLS = [
    (lambda m: m.render(np.eye(4), None), "None", "camera must be a Camera"),
    (lambda m: m.render(np.eye(4), HUGE), "10000 x 6401", "a view has at most 64 megapixels"),
    (lambda m: m.render("pose", CAMERA), "'pose'", "a pose must be a 4x4 matrix"),
    (lambda m: m.occupancy(np.zeros((2, 2))), "(2, 2)", "points_m must be numbers of shape (N, 3)"),
    (lambda m: m.occupancy(np.zeros(3)), "(3,)", "points_m must be numbers of shape (N, 3)"),
    (lambda m: m.occupancy("here"), "'here'", "points_m must be numbers of shape (N, 3)"),
    (lambda m: m.occupancy([(0, 0, 0), (0, NAN, 1)]), "[0.0, nan, 1.0] in row 1", "points_m must be finite"),
    (lambda m: m.occupancy([(0, 0, 1e30)]), "[0.0, 0.0, 1e+30] in row 0", "points_m must be finite and within"),
    (lambda m: m.observe(None), "None", "observe() takes a Frame"),
    (lambda m: m.observe((1, 2)), "(1, 2)", "observe() takes a Frame"),
    (lambda m: m.sql("select ?", 5), "5", "params must be a list or tuple"),
    (lambda m: m.sql("select ?", "a"), "'a'", "params must be a list or tuple"),
    (lambda m: m.sql("select :a", {"a": 1}), "{'a': 1}", "params must be a list or tuple"),
    (lambda m: m.sql("select ?", [2**64]), str(2**64), "integers in params must fit into 64 bits"),
    (lambda m: m.sql("select ?", [[1]]), "[1]", "params holds numbers, texts, bytes or None"),
    (lambda m: m.sql(5), "5", "query must be a non-empty text"),
    (lambda m: m.declare_up("z"), "'z'", "up must be a finite, non-zero vector"),
    (lambda m: m.declare_up(1.0), "1.0", "up must be a finite, non-zero vector"),
    (lambda m: m.add_session("", np.eye(4)), "''", "session_id must be a non-empty text"),
    (lambda m: m.add_session(7, np.eye(4)), "7", "session_id must be a non-empty text"),
    (lambda m: m.add_session("b", np.eye(4), None), "None", "reason must be a non-empty text"),
    (lambda m: m.add_session("b", "there"), "'there'", "a pose must be a 4x4 matrix"),
    (lambda m: m.add_session("b", np.eye(3)), "(3, 3)", "a pose must be a 4x4 matrix"),
    (lambda m: m.keyframe("1"), "'1'", "lsn must be the whole number"),
    (lambda m: m.keyframe([1]), "[1]", "lsn must be the whole number"),
]


@pytest.mark.parametrize(("call", "given", "expected"), CALLS)
def test_calls(memory, call, given, expected):
    before = memory.canonical_hash()
    with pytest.raises(InvalidValue, match=says(given, expected)):
        call(memory)
    assert memory.canonical_hash() == before and memory.info()["sessions"] == 1


def test_a_session_with_an_improper_transform(memory):
    with pytest.raises(InvalidFrame, match="not orthonormal.*remove scale and shear"):
        memory.add_session("b", SKEWED)


def test_statements_take_values_of_numpy(memory):
    assert memory.sql("SELECT ?, ?, ?, ?", (np.int64(3), np.float32(0.5), None, "a")) == [(3, 0.5, None, "a")]
    assert memory.sql("SELECT lsn FROM keyframes WHERE lsn = ?", np.array([1])) == [(1,)]


def test_points_of_an_empty_list(memory):
    assert memory.occupancy([]).shape == (0,)


def test_reset_makes_an_interrupted_memory_sound_again(monkeypatch):
    frames = [room.room_frame(i, 8) for i in range(2)]
    with mh.create(None, frames) as memory:
        first = memory.canonical_hash()

        def interrupted(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(type(memory._layers), "_change", interrupted)
            with pytest.raises(KeyboardInterrupt):
                memory.observe(room.room_frame(2, 8))
        with pytest.raises(SpatialMemError, match=r"interrupted; call reset\(\)"):
            memory.query("red")
        memory.reset()
        mh.observe_all(memory, frames)
        assert memory.canonical_hash() == first
    with pytest.raises(SpatialMemError, match="closed"):
        memory.reset()
