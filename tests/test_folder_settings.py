"""What spatialmem.json declares about the order of quaternions and about a colour camera of its own."""

from __future__ import annotations

import json

import numpy as np
import pytest
from recordings import SEVEN_SCENES_COLOUR, walk, write_folder, write_seven_scenes

from spatialmem.errors import ReadError
from spatialmem.io import read


def declare(path, **settings):
    file = path / "spatialmem.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))


def test_scalar_first_quaternions(tmp_path):
    path = write_folder(tmp_path / "a", walk(3))
    right = [frame.world_from_camera for frame in read(path)]
    words = [line.split() for line in (path / "poses.txt").read_text().splitlines()[1:]]
    text = "\n".join(" ".join([*w[:4], w[7], *w[4:7]]) for w in words)
    (path / "poses.txt").write_text(text)
    assert np.abs(read(path)[1].world_from_camera - right[1]).max() > 0.1
    declare(path, quat_order="wxyz")
    for frame, pose in zip(read(path), right, strict=True):
        np.testing.assert_allclose(frame.world_from_camera, pose, atol=1e-12)


def unregistered(tmp_path):
    """The files of a 7-Scenes recording as a plain folder, and what that format's reader makes of them."""
    source = write_seven_scenes(tmp_path / "scenes", walk(3))
    path = write_folder(tmp_path / "folder", walk(3))
    for i in range(3):
        colour, depth = (source / f"frame-{i:06d}.{kind}.png" for kind in ("color", "depth"))
        (path / "rgb" / f"{i:06d}.png").write_bytes(colour.read_bytes())
        (path / "depth" / f"{i:06d}.png").write_bytes(depth.read_bytes())
    c = SEVEN_SCENES_COLOUR.scaled_to(160, 120)
    declare(path, depth_scale=1000, colour_camera=[c.fx, c.fy, c.cx, c.cy], colour_from_depth_m=[-0.025, 0.0, 0.0])
    return path, read(source, format="7scenes")


def test_colour_of_a_camera_of_its_own_is_registered(tmp_path):
    path, expected = unregistered(tmp_path)
    reader = read(path)
    assert reader[0].camera == walk(1)[0].camera
    for got, want in zip(reader, expected, strict=True):
        np.testing.assert_array_equal(got.rgb, want.rgb)
        np.testing.assert_array_equal(got.depth_m, want.depth_m)
        np.testing.assert_array_equal(got.valid, want.valid)
    assert "colour is registered" in str(reader.report)


def test_a_mask_holds_besides_what_colour_does_not_see(tmp_path):
    import cv2

    path, expected = unregistered(tmp_path)
    (path / "valid").mkdir()
    mask = np.full((120, 160), 255, np.uint8)
    mask[:, :40] = 0
    for i in range(3):
        assert cv2.imwrite(str(path / "valid" / f"{i:06d}.png"), mask)
    np.testing.assert_array_equal(read(path)[1].valid, expected[1].valid & (mask > 0))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"quat_order": "zyxw"}, "must be one of xyzw, wxyz"),
        ({"colour_camera": [1, 2, 3]}, "must be 4 numbers"),
        ({"colour_camera": [0, 100, 80, 60]}, "focal lengths"),
        ({"colour_camera": ["a", 100, 80, 60]}, "must be a finite number"),
        ({"colour_from_depth_m": [0, 0, 0]}, "needs 'colour_camera'"),
        ({"colour_camera": [100, 100, 80, 60], "colour_from_depth_m": 1}, "must be 3 numbers"),
    ],
)
def test_settings_that_say_something_else_are_refused(tmp_path, settings, message):
    path = write_folder(tmp_path / "a", walk(2))
    declare(path, **settings)
    with pytest.raises(ReadError, match=message):
        read(path)


def test_a_colour_camera_needs_depth(tmp_path):
    import shutil

    path = write_folder(tmp_path / "a", walk(2))
    shutil.rmtree(path / "depth")
    declare(path, colour_camera=[100, 100, 80, 60])
    with pytest.raises(ReadError, match="needs depth"):
        read(path)
