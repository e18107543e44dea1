"""The page as it is served: what comes over HTTP and the websocket, a question asked there, ports, the end."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from cli_helpers import process, run, run_json
from page_helpers import Wire

from spatialmem import SpatialMemory, errors
from spatialmem.cli.view import tunnel
from spatialmem.errors import InvalidValue, MissingDependency
from spatialmem.view.page import MemoryPage, PageError

MAX_BYTES = 2_000_000
FRAMES = 12


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "room.mem"
    with mh.create(path, room.room_frames(FRAMES)) as memory:
        memory.declare_up((0.0, 0.0, 1.0))
    return path


@pytest.fixture(scope="module")
def page(path):
    with SpatialMemory.open(path) as memory, MemoryPage(memory, port=0, max_bytes=MAX_BYTES) as page:
        yield page


def clouds(wire, layer):
    """All points that a layer was sent with, (N, 3) in the frame of the scene."""
    sent = [m["props"]["points"] for m in wire.of("PointCloudMessage") if m["name"].startswith(f"/{layer}/")]
    return np.concatenate(sent).reshape(-1, 3) if sent else np.zeros((0, 3))


def test_a_browser_gets_a_page(page):
    with urllib.request.urlopen(page.url, timeout=10) as answer:
        body = answer.read()
    assert answer.status == 200 and b"<html" in body[:200].lower() and page.url == f"http://127.0.0.1:{page.port}"


def test_the_map_comes_in_its_own_frame_and_within_its_bytes(page):
    with Wire(page.port) as wire:
        wire.loaded()
        scene = page.scene
        expected = np.concatenate([step.surface.position_m for step in scene.steps])
        np.testing.assert_array_equal(clouds(wire, "map"), expected)
        assert len(clouds(wire, "free_space")) == 0  # sent when it is asked for
        names = {m["name"] for m in wire.of("CameraFrustumMessage")}
        assert len(names) == FRAMES and all(name.startswith("/keyframes/") for name in names)
        positions = {m["name"]: m["position"] for m in wire.of("SetPositionMessage")}
        for step in scene.steps:
            for keyframe in step.cameras:
                (name,) = [name for name in names if name.endswith(f"/{keyframe.lsn}")]
                np.testing.assert_allclose(positions[name], keyframe.map_from_camera[:3, 3], atol=1e-6)
        assert 100_000 < wire.bytes < scene.bytes_sent <= MAX_BYTES


def ask(wire, text):
    """Type a question and wait for the hits and what is said of them."""
    seen = len(wire.messages)
    wire.update(wire.control("Question"), text)
    wire.until(lambda w: any(f"<b>{text}</b>" in str(m.get("updates")) for m in w.messages[seen:]))


def test_a_question_lights_its_hits_and_a_click_shows_the_frames(page):
    with Wire(page.port) as wire:
        wire.loaded()
        ask(wire, "red")
        wire.until(lambda w: w.of("BoxMessage") and any(
            m["props"]["label"].startswith("1: ") for m in w.of("GuiButtonMessage")))  # fmt: skip
        box = wire.of("BoxMessage")[-1]
        at = {m["name"]: m["position"] for m in wire.of("SetPositionMessage")}[box["name"]]
        low, high = (
            np.array(at) - np.array(box["props"]["dimensions"]) / 2,
            at + np.array(box["props"]["dimensions"]) / 2,
        )
        assert (low > np.array(room.RED_BOX.min_m) - 0.1).all() and (high < np.array(room.RED_BOX.max_m) + 0.1).all()
        button = [m for m in wire.of("GuiButtonMessage") if m["props"]["label"].startswith("1: ")][-1]
        wire.update(button["uuid"], True)
        wire.until(lambda w: any("_data" in m["updates"] for m in w.of("GuiUpdateMessage")))
        said = [m["props"]["content"] for m in wire.of("GuiHtmlMessage")]
        assert "Hit 1" in said[-1] and "first seen" in said[-1]
        labels = [m["props"]["label"] for m in wire.of("GuiImageMessage")]
        assert labels and all(label.startswith("frame ") and " of camera, " in label for label in labels)
        wire.until(lambda w: w.of("SetCameraLookAtMessage"))
        wire.until(lambda w: np.allclose(w.of("SetCameraLookAtMessage")[-1]["look_at"], (low + high) / 2, atol=1e-3))


def test_an_answer_is_part_of_what_a_page_may_send(page):
    with Wire(page.port) as wire:
        wire.loaded()
        ask(wire, "blue")
        page.ask("red")
    with Wire(page.port) as again:
        again.loaded()
        assert again.bytes < page.scene.bytes_sent and len(again.of("BoxMessage")) >= 1


def test_what_cannot_be_asked_is_said(page):
    with Wire(page.port) as wire:
        wire.loaded()
        wire.update(wire.control("Question"), " ")
        wire.until(lambda w: any("color:#b3261e" in str(m.get("updates")) for m in w.messages))


def test_the_slider_and_the_layers(page):
    with Wire(page.port) as wire:
        wire.loaded()
        wire.update(wire.control("Seen until"), 1)
        hidden = {f"/map/{n:03d}" for n in range(1, len(page.scene.steps)) if len(page.scene.steps[n].surface)}
        wire.until(lambda w: hidden <= {
            m["name"] for m in w.of("SetSceneNodeVisibilityMessage") if not m["visible"]
        })  # fmt: skip
        wire.until(lambda w: any("what had been seen by then" in str(m["updates"]) for m in w.of("GuiUpdateMessage")))
        wire.update(wire.control("free space"), True)
        wire.until(lambda w: len(clouds(w, "free_space")))
        np.testing.assert_array_equal(clouds(wire, "free_space"), page.scene.free.position_m)
        wire.update(wire.control("Seen until"), len(page.scene.steps))
        wire.until(lambda w: any("now: " in str(m["updates"]) for m in w.of("GuiUpdateMessage")))


def test_a_busy_port_is_named(page, path, capsys):
    run("view", path, "--port", page.port, code=1)
    error = capsys.readouterr().err
    assert f"port {page.port} cannot be listened at" in error and "--port 0" in error and "in use" in error
    run("view", path, "--host", "192.0.2.1", code=1)  # no machine has this address (RFC 5737)
    assert "192.0.2.1 port 8080 cannot be listened at" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "message"), [
    (["--port", "70000"], "0 to 65535"), (["--max-mb", "0.2"], "at least 1 MB"), (["--max-mb", "nan"], "--max-mb"),
])  # fmt: skip
def test_wrong_options(path, options, message, capsys):
    run("view", path, *options, code=1)
    assert message in capsys.readouterr().err


def test_a_closed_page_frees_its_port(path):
    with SpatialMemory.open(path) as memory:
        page = MemoryPage(memory, port=0)
        page.close()
        page.close()
        socket.create_server(("127.0.0.1", page.port)).close()
        with MemoryPage(memory, port=page.port) as again:
            assert again.port == page.port
        with pytest.raises(InvalidValue, match="at least"):
            MemoryPage(memory, port=page.port, max_bytes=10)
        socket.create_server(("127.0.0.1", page.port)).close()
        with pytest.raises(PageError, match="cannot be listened at"):
            MemoryPage(memory, host="192.0.2.1", port=0)


def test_what_is_missing_is_named(path, monkeypatch):
    def absent(module):
        raise ModuleNotFoundError(name=module)

    with SpatialMemory.open(path) as memory:
        monkeypatch.setattr(errors.importlib, "import_module", absent)
        with pytest.raises(MissingDependency, match=r"pip install 'spatialmem\[view\]'"):
            MemoryPage(memory, port=0)


def test_the_tunnel_leads_here(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "robot")
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.7 50000 198.51.100.9 22")
    assert tunnel(8080) == "ssh -N -L 8080:127.0.0.1:8080 robot@198.51.100.9"
    assert tunnel(8080, "::1") == "ssh -N -L 8080:[::1]:8080 robot@198.51.100.9"
    monkeypatch.delenv("SSH_CONNECTION")
    assert tunnel(9) == f"ssh -N -L 9:127.0.0.1:9 robot@{socket.gethostname()}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped(path, number):
    before = path.read_bytes(), mh.names(path)
    with process("view", path, "--port", "0", "--ask", "red", "--json") as child:
        assert child.stdout is not None
        out = json.loads(child.stdout.readline())
        with urllib.request.urlopen(out["url"], timeout=10) as answer:
            assert answer.status == 200
        with Wire(out["port"]) as wire:
            wire.loaded()
            assert len(wire.of("BoxMessage")) == 1  # the question it was started with
            child.send_signal(number)
            rest, error = child.communicate(timeout=30)
    assert child.returncode == 0 and rest == "" and error == "closed\n"
    assert out["port"] and f"-L {out['port']}:127.0.0.1:{out['port']}" in out["ssh"] and out["bytes_sent"] < 16e6
    assert (path.read_bytes(), mh.names(path)) == before


def test_what_is_no_memory_is_named(tmp_path, capsys):
    assert run_json(capsys, "view", tmp_path / "absent.mem", code=1)["kind"] == "MemoryFileError"
