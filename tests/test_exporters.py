"""What the exporters write, read back: by open3d, by our own trajectory reader, and as map_server reads maps."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.errors import InvalidValue
from spatialmem.geometry import exp_so3, make_transform, pose_difference, rotation_to_z_up
from spatialmem.io.export_costmap import floor_height_m, project_costmap, write_costmap
from spatialmem.io.export_file import ExportError, write_file
from spatialmem.io.export_ply import write_mesh_ply, write_points_ply
from spatialmem.io.export_trajectory import write_trajectory_tum
from spatialmem.io.trajectory import read_trajectory

Z = (0.0, 0.0, 1.0)


def some_vertices(n, seed=0):
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(n, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return rng.normal(size=(n, 3)).astype(np.float32), normal.astype(np.float32), rng.integers(0, 256, (n, 3), np.uint8)


def test_open3d_reads_the_points(tmp_path):
    o3d = pytest.importorskip("open3d")
    position, normal, rgb = some_vertices(500)
    write_points_ply(tmp_path / "p.ply", position, normal, rgb)
    cloud = o3d.io.read_point_cloud(str(tmp_path / "p.ply"))
    np.testing.assert_array_equal(np.asarray(cloud.points, dtype=np.float32), position)
    np.testing.assert_array_equal(np.asarray(cloud.normals, dtype=np.float32), normal)
    np.testing.assert_array_equal(np.rint(np.asarray(cloud.colors) * 255).astype(np.uint8), rgb)


def test_open3d_reads_the_mesh(tmp_path):
    o3d = pytest.importorskip("open3d")
    position, normal, rgb = some_vertices(40)
    triangles = np.random.default_rng(1).integers(0, 40, (70, 3), np.int32)
    write_mesh_ply(tmp_path / "m.ply", position, normal, rgb, triangles)
    mesh = o3d.io.read_triangle_mesh(str(tmp_path / "m.ply"))
    np.testing.assert_array_equal(np.asarray(mesh.triangles), triangles)
    np.testing.assert_array_equal(np.asarray(mesh.vertices, dtype=np.float32), position)
    np.testing.assert_array_equal(np.rint(np.asarray(mesh.vertex_colors) * 255).astype(np.uint8), rgb)


def test_an_empty_map_is_a_valid_file(tmp_path):
    write_mesh_ply(tmp_path / "m.ply", *some_vertices(0), np.zeros((0, 3), np.int32))
    text = (tmp_path / "m.ply").read_bytes()
    assert b"element vertex 0\n" in text and b"element face 0\n" in text and text.endswith(b"end_header\n")


@pytest.mark.parametrize("triangles", [[[0, 1, 4]], [[-1, 1, 2]], [[0, 1]]])
def test_triangles_must_index_the_vertices(tmp_path, triangles):
    with pytest.raises(InvalidValue, match="triangles must"):
        write_mesh_ply(tmp_path / "m.ply", *some_vertices(4), np.array(triangles))
    assert not (tmp_path / "m.ply").exists()


def test_arrays_of_different_length_are_refused(tmp_path):
    position, normal, rgb = some_vertices(4)
    with pytest.raises(InvalidValue, match=r"\(N, 3\)"):
        write_points_ply(tmp_path / "p.ply", position, normal[:3], rgb)


numbers = st.floats(-3.0, 3.0)


@given(st.lists(st.tuples(st.integers(0, 2**62), *[numbers] * 6), min_size=1, max_size=6, unique_by=lambda row: row[0]))
def test_trajectory_roundtrip(tmp_path_factory, rows):
    rows = sorted(rows)
    stamps = [row[0] for row in rows]
    poses = [make_transform(exp_so3(np.array(row[1:4])), np.array(row[4:])) for row in rows]
    path = tmp_path_factory.mktemp("tum") / "t.txt"
    write_trajectory_tum(path, stamps, poses)
    back, dropped = read_trajectory(path)
    assert dropped == 0 and back.stamp_ns.tolist() == stamps
    shift, turn = pose_difference(back.world_from_camera, np.array(poses))
    assert shift.max() < 1e-8 and turn.max() < 1e-7


def test_one_stamp_a_pose(tmp_path):
    with pytest.raises(InvalidValue, match="one stamp a pose; given 2 and 1"):
        write_trajectory_tum(tmp_path / "t.txt", [1, 2], [np.eye(4)])


def load_map(yaml):
    """(state (Y, X) with row 0 at the smallest y, origin, resolution), by the rules of map_server's trinary mode."""
    values = dict(re.findall(r"^(\w+): (.+)$", yaml.read_text(), re.MULTILINE))
    data = (yaml.parent / values["image"]).read_bytes()
    magic, size, largest, pixels = data.split(b"\n", 3)
    assert magic == b"P5" and largest == b"255"
    width, height = map(int, size.split())
    grey = np.frombuffer(pixels, np.uint8).reshape(height, width)[::-1]
    occupied = (255.0 - grey) / 255.0
    assert values["negate"] == "0" and values["mode"] == "trinary"
    free, full = occupied < float(values["free_thresh"]), occupied > float(values["occupied_thresh"])
    origin = [float(v) for v in values["origin"].strip("[]").split(",")]
    return np.where(full, 2, np.where(free, 1, 0)), origin, float(values["resolution"])


def test_map_roundtrip(tmp_path):
    state = np.random.default_rng(3).integers(0, 3, (7, 5, 1), np.uint8)
    costmap = project_costmap(state, (-1.0, 2.0, 0.0), 0.1, Z, 0.0, 0.1)
    yaml, pgm = write_costmap(tmp_path / "plan", costmap)
    assert (yaml.name, pgm.name) == ("map.yaml", "map.pgm")
    read, origin, resolution = load_map(yaml)
    np.testing.assert_array_equal(read, state[:, :, 0].T)
    assert origin == [-1.0, 2.0, 0.0] and resolution == 0.1


def test_map_takes_the_name_of_the_yaml(tmp_path):
    yaml, pgm = write_costmap(
        tmp_path / "hall.yaml", project_costmap(np.ones((2, 2, 1), np.uint8), (0, 0, 0), 1, Z, 0, 1)
    )
    assert (yaml.name, pgm.name) == ("hall.yaml", "hall.pgm")
    assert "image: hall.pgm" in yaml.read_text()


def test_a_column_is_occupied_before_free_before_unknown():
    state = np.zeros((2, 2, 3), np.uint8)
    state[0, 0], state[0, 1], state[1, 0] = (1, 2, 1), (0, 1, 0), (2, 0, 0)
    costmap = project_costmap(state, (0, 0, 0), 0.5, Z, 0.0, 1.5)
    np.testing.assert_array_equal(costmap.state, [[2, 2], [1, 0]])
    above_floor = project_costmap(state, (0, 0, 0), 0.5, Z, 0.5, 1.5)
    np.testing.assert_array_equal(above_floor.state, [[2, 0], [1, 0]])


@given(st.sampled_from([(1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, -1)]), st.integers(0, 99))
def test_another_up_turns_the_grid(up, seed):
    state = np.random.default_rng(seed).integers(0, 3, (3, 4, 5), np.uint8)
    turn = rotation_to_z_up(up)
    costmap = project_costmap(state, (0, 0, 0), 1.0, up, -10.0, 10.0)
    for index in np.ndindex(*state.shape):
        x, y, _ = turn @ (np.array(index) + 0.5)
        column = np.floor(np.array([y, x]) - np.array(costmap.origin_m)[::-1]).astype(int)
        assert costmap.state[tuple(column)] >= state[index]
    assert costmap.state.size * int(round(np.abs(np.array(up) @ state.shape))) == state.size


def test_heights_that_hold_no_layer_are_refused():
    with pytest.raises(InvalidValue, match="no layer of free space lies between 7 and 8 m"):
        project_costmap(np.ones((2, 2, 2), np.uint8), (0, 0, 0), 0.1, Z, 7.0, 8.0)
    with pytest.raises(InvalidValue, match="low < high"):
        project_costmap(np.ones((2, 2, 2), np.uint8), (0, 0, 0), 0.1, Z, 1.0, 1.0)


def test_the_floor_is_the_lowest_large_level():
    heights = np.repeat([0.02, 0.75, -1.0], [500, 300, 5])
    normal = np.tile(np.array(Z), (len(heights), 1))
    points = np.stack([np.zeros_like(heights), np.zeros_like(heights), heights], axis=1)
    assert floor_height_m(points, normal, Z) == pytest.approx(0.02)
    with pytest.raises(InvalidValue, match="no level surface faces up"):
        floor_height_m(points, -normal, Z)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ExportError, match="there is no folder .*absent"):
        write_file(tmp_path / "absent" / "a.ply", b"x")
    with pytest.raises(ExportError, match="is a folder"):
        write_file(tmp_path, b"x")


def test_replacing_leaves_one_file(tmp_path):
    write_file(tmp_path / "a.bin", b"old")
    write_file(tmp_path / "a.bin", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == b"new"
