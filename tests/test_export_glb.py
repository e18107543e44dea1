"""What is written as .glb: laid out as glTF demands, y-up, read back by open3d, refused where up is unknown."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from cli_helpers import cut_recording, run, run_json
from hypothesis import given
from hypothesis import strategies as st

from spatialmem import SpatialMemory
from spatialmem.errors import InvalidValue
from spatialmem.io.export_glb import write_mesh_glb

Z = (0.0, 0.0, 1.0)
SIZES = {5123: np.dtype("<u2"), 5125: np.dtype("<u4"), 5126: np.dtype("<f4")}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


def some_mesh(seed=0, vertices=40, triangles=70):
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(vertices, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    rgb = rng.integers(0, 256, (vertices, 3), np.uint8)
    return rng.normal(size=(vertices, 3)), normal, rgb, rng.integers(0, vertices, (triangles, 3))


def parsed(path):
    """The document and the arrays of a .glb, by the letter of the specification."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<3I", data)
    assert magic == 0x46546C67 and version == 2 and length == len(data)
    json_bytes, json_kind = struct.unpack_from("<2I", data, 12)
    bin_bytes, bin_kind = struct.unpack_from("<2I", data, 20 + json_bytes)
    assert (json_kind, bin_kind) == (0x4E4F534A, 0x004E4942) and json_bytes % 4 == bin_bytes % 4 == 0
    assert 28 + json_bytes + bin_bytes == length
    document, binary = json.loads(data[20 : 20 + json_bytes]), data[28 + json_bytes :]
    assert document["buffers"] == [{"byteLength": bin_bytes}] and document["asset"]["version"] == "2.0"
    arrays = []
    for accessor in document["accessors"]:
        view, kind = document["bufferViews"][accessor["bufferView"]], SIZES[accessor["componentType"]]
        width = WIDTHS[accessor["type"]]
        assert view["byteOffset"] % 4 == 0 and width * kind.itemsize % 4 == 0  # section 3.6.2.4
        assert view["byteLength"] == accessor["count"] * width * kind.itemsize
        flat = np.frombuffer(binary, kind, accessor["count"] * width, view["byteOffset"])
        arrays.append(flat.reshape(-1, width))
    return document, arrays


def test_the_file_is_laid_out_as_gltf_demands(tmp_path):
    position, normal, rgb, triangles = some_mesh()
    write_mesh_glb(tmp_path / "m.glb", position, normal, rgb, triangles, Z)
    document, (points, normals, colours, indices) = parsed(tmp_path / "m.glb")
    bounds = document["accessors"][0]
    np.testing.assert_array_equal(np.float32(bounds["min"]), points.min(0))
    np.testing.assert_array_equal(np.float32(bounds["max"]), points.max(0))
    np.testing.assert_array_equal(indices.reshape(-1, 3), triangles)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-6)
    assert document["accessors"][2]["normalized"] is True and (colours[:, 3] == 65535).all()
    rotation = np.reshape(document["asset"]["extras"]["y_up_from_map"], (3, 3))
    np.testing.assert_allclose(points @ rotation, position, atol=1e-6)
    assert document["meshes"][0]["primitives"][0]["attributes"] == {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}


def test_z_up_becomes_y_up(tmp_path):
    position, normal, rgb, triangles = some_mesh()
    write_mesh_glb(tmp_path / "m.glb", position, normal, rgb, triangles, Z)
    _, (points, normals, *_) = parsed(tmp_path / "m.glb")
    np.testing.assert_allclose(points, position[:, [0, 2, 1]] * (1, 1, -1), atol=1e-6)
    np.testing.assert_allclose(normals, normal[:, [0, 2, 1]] * (1, 1, -1), atol=1e-6)


@given(st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda up: np.linalg.norm(up) > 0.1))
def test_any_up_becomes_y(tmp_path_factory, up):
    position, normal, rgb, triangles = some_mesh()
    path = tmp_path_factory.mktemp("glb") / "m.glb"
    write_mesh_glb(path, position, normal, rgb, triangles, up)
    points = parsed(path)[1][0]
    np.testing.assert_allclose(points[:, 1], position @ up / np.linalg.norm(up), atol=1e-5)
    a, b, c = (position[triangles[:, k]] for k in range(3))
    before = np.einsum("ij,ij->i", np.cross(a, b), c)
    a, b, c = (points[triangles[:, k]].astype(np.float64) for k in range(3))
    np.testing.assert_allclose(np.einsum("ij,ij->i", np.cross(a, b), c), before, atol=1e-4)  # turned, not mirrored


def test_open3d_reads_it(tmp_path):
    o3d = pytest.importorskip("open3d")
    position, normal, rgb, triangles = some_mesh()
    write_mesh_glb(tmp_path / "m.glb", position, normal, rgb, triangles, Z)
    mesh = o3d.io.read_triangle_mesh(str(tmp_path / "m.glb"))
    corners = np.asarray(mesh.vertices)[np.asarray(mesh.triangles)]
    expected = (position[:, [0, 2, 1]] * (1, 1, -1))[triangles]
    np.testing.assert_allclose(corners, expected, atol=1e-5)


def test_colours_are_linear_light(tmp_path):
    position, normal, rgb, triangles = some_mesh()
    rgb[:3] = [(0, 10, 255), (128, 128, 128), (188, 1, 2)]
    write_mesh_glb(tmp_path / "m.glb", position, normal, rgb, triangles, Z)
    linear = parsed(tmp_path / "m.glb")[1][2][:, :3] / 65535.0
    back = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(back * 255.0, rgb, atol=0.3)
    assert linear[1, 0] == pytest.approx(0.2159, abs=1e-3)  # middle grey is a fifth of the light


def test_unknown_normals_are_those_of_the_triangles(tmp_path):
    position = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (5, 5, 5)], np.float64)
    normal = np.array([(0, 0, 0), Z, Z, (0, 0, 0)])
    write_mesh_glb(tmp_path / "m.glb", position, normal, np.zeros((4, 3), np.uint8), np.array([(0, 1, 2)]), Z)
    normals = parsed(tmp_path / "m.glb")[1][1]
    np.testing.assert_allclose(normals, np.tile((0.0, 1.0, 0.0), (4, 1)), atol=1e-7)


@pytest.mark.parametrize(
    ("triangles", "message"),
    [(np.zeros((0, 3), np.int32), "without triangles"), ([[0, 1, 40]], "must index"), ([[0, 1]], "shape")],
)
def test_what_is_no_mesh_is_refused(tmp_path, triangles, message):
    position, normal, rgb, _ = some_mesh()
    with pytest.raises(InvalidValue, match=message):
        write_mesh_glb(tmp_path / "m.glb", position, normal, rgb, np.array(triangles), Z)
    assert not list(tmp_path.iterdir())


def test_arrays_of_different_length_are_refused(tmp_path):
    position, normal, rgb, triangles = some_mesh()
    with pytest.raises(InvalidValue, match=r"\(N, 3\)"):
        write_mesh_glb(tmp_path / "m.glb", position, normal[:3], rgb, triangles, Z)


def test_export_refuses_a_glb_where_up_is_unknown(tmp_path, capsys):
    recording = cut_recording(tmp_path / "recording", range(0, 24, 4), up=False)
    memory = tmp_path / "a.mem"
    run("build", recording, "--out", memory, "--quiet")
    out = run_json(capsys, "export", memory, "--glb", tmp_path / "m.glb", "--ply", tmp_path / "p.ply", code=1)
    assert out["kind"] == "UpUnknown" and "--up X Y Z" in out["error"] and "glb" in out["error"]
    assert not (tmp_path / "m.glb").exists() and not (tmp_path / "p.ply").exists()
    out = run_json(capsys, "export", memory, "--glb", tmp_path / "m.glb", "--up", "0", "0", "2")
    _, (points, _, _, indices) = parsed(tmp_path / "m.glb")
    with SpatialMemory.open(memory) as opened:
        mesh = opened.mesh()
    assert out["glb"]["triangles"] == len(indices) // 3 == len(mesh.triangles) > 1000
    np.testing.assert_allclose(points[:, 1], mesh.vertices_m[:, 2], atol=1e-6)
