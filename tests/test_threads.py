"""One writer and many readers: in one process, in several, and beside a file that is being written."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import threading

import memory_helpers as mh
import numpy as np
import pytest
import store_helpers as sh
import synthetic as room
from test_equality import walk

from spatialmem.errors import MemoryLocked
from spatialmem.memory import SpatialMemory
from spatialmem.store.file import MemoryFile

COUNT, SOME = 18, 12
"""after the first, the box of `walk` is back; by the second, its place is known to be empty"""
EYE = room.look((-0.4, -0.5, 1.3), (2.0, 0.4, -0.5))
CAMERA = room.room_camera(80, 60)


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def answered(memory: SpatialMemory) -> tuple:
    answer = memory.query("red")
    hits = [(tuple(h.position_m), h.score, h.presence, h.voxels, h.evidence, h.last_seen_ns) for h in answer]
    return answer.searched_voxels, str(hits)


def rendered(memory: SpatialMemory) -> str:
    view = memory.render(EYE, CAMERA)
    return digest(view.depth_m, view.rgb)


def pointed(memory: SpatialMemory) -> str:
    points = memory.points()
    return digest(points.position_m, points.rgb, points.last_seen_ns)


def freed(memory: SpatialMemory) -> int:
    return int((memory.free_space().state == 1).sum())


def counted(memory: SpatialMemory) -> tuple[int, int]:
    info = memory.info()
    return info["surface_blocks"], info["free_space_blocks"]


LOOKS = {"query": answered, "render": rendered, "points": pointed, "free space": freed, "blocks": counted}


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, list]:
    """What each way of looking shows after 0, 1, 2 ... frames when nothing runs beside; and the hashes."""
    with mh.create(tmp_path_factory.mktemp("alone") / "a.mem", checkpoint_frames=1000) as memory:
        seen = {name: [look(memory)] for name, look in LOOKS.items()} | {"hash": [memory.canonical_hash()]}
        for frame in walk(COUNT):
            mh.observe_all(memory, [frame])
            for name, look in LOOKS.items():
                seen[name].append(look(memory))
            seen["hash"].append(memory.canonical_hash())
    return seen


class Beside:
    """Runs functions again and again in threads of their own until the block ends; keeps what they raise."""

    def __init__(self, *functions) -> None:
        self.errors: list[BaseException] = []
        self._stop = threading.Event()
        self._started = threading.Barrier(len(functions) + 1)
        self._threads = [threading.Thread(target=self._repeat, args=(f,)) for f in functions]

    def _repeat(self, function) -> None:
        self._started.wait()
        try:
            while not self._stop.is_set():
                function()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self.errors.append(error)

    def __enter__(self) -> Beside:
        for thread in self._threads:
            thread.start()
        self._started.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("on_file", [True, False])
def test_readers_see_whole_frames_while_frames_arrive(tmp_path, alone, on_file):
    seen = {name: [] for name in LOOKS}
    with mh.create(tmp_path / "a.mem" if on_file else None, checkpoint_frames=4) as memory:
        looks = [lambda name=name: seen[name].append(LOOKS[name](memory)) for name in LOOKS]
        others = [memory.info, memory.trajectory, lambda: memory.occupancy(np.zeros((5, 3)))]
        with Beside(*looks, *others) as beside:
            mh.observe_all(memory, walk(COUNT))
        assert not beside.errors
        assert all(len(found) > 1 for found in seen.values())
        if on_file:  # without a file depth is not rounded, so the answers differ a little
            for name, found in seen.items():
                assert set(found) <= set(alone[name]), name
            assert memory.canonical_hash() == alone["hash"][-1] and memory.check() == []


def test_readers_never_see_time_go_backwards(tmp_path, alone):
    newest = []
    with mh.create(tmp_path / "a.mem", checkpoint_frames=3) as memory:
        with Beside(lambda: newest.append(answered(memory)), lambda: newest.append(answered(memory))) as beside:
            mh.observe_all(memory, walk(COUNT))
            assert answered(memory) == alone["query"][-1]  # what was stored is seen at once
        assert not beside.errors
    assert set(newest) <= set(alone["query"])


def test_rebuilding_beside_readers(tmp_path, alone):
    seen = []
    with mh.create(tmp_path / "a.mem", walk(COUNT), checkpoint_frames=5) as memory:
        with Beside(lambda: seen.append(answered(memory)), lambda: seen.append(answered(memory))) as beside:
            memory.rebuild()
            memory.rebuild()
        assert not beside.errors and set(seen) == {alone["query"][-1]}


def test_frames_from_two_threads_are_stored_one_after_the_other(tmp_path):
    mine = iter([mh.at(f, f.seq, camera_id="left") for f in walk(12)])
    its = iter([mh.at(f, f.seq, camera_id="right") for f in walk(12)])
    path = tmp_path / "a.mem"
    with mh.create(path, checkpoint_frames=4) as memory:
        threads = [threading.Thread(target=mh.observe_all, args=(memory, frames)) for frames in (mine, its)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [k.lsn for k in memory.trajectory()] == list(range(1, 25))
        for camera in ("left", "right"):
            assert [k.seq for k in memory.trajectory() if k.camera_id == camera] == list(range(12))
        hashed = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed


# --- one writer


def test_a_second_writer_is_refused_in_this_process_and_in_another(tmp_path, alone):
    path = tmp_path / "a.mem"
    code = """
try:
    SpatialMemory.open(sys.argv[1], "a")
except SpatialMemError as error:
    print(type(error).__name__, error)
"""
    with mh.create(path, walk(3)) as memory:
        with pytest.raises(MemoryLocked, match="this process"):
            SpatialMemory.open(path, "a")
        done = subprocess.run([*mh.python(code), str(path)], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("MemoryLocked") and "open for appending" in done.stdout
        mh.observe_all(memory, walk(4)[3:])
        assert memory.canonical_hash() == alone["hash"][4]
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == alone["hash"][4]


# --- readers of the file


def everything(memory: SpatialMemory) -> list:
    """Use every way of reading."""
    return [
        memory.canonical_hash(), answered(memory), rendered(memory), pointed(memory), freed(memory), memory.check(),
        memory.info()["frames"], memory.keyframe(2).stamp_ns, memory.sql("SELECT count(*) FROM frames"),
        len(memory.mesh().triangles), len(memory.trajectory()), memory.up_in_map, memory.encoder.name,
    ]  # fmt: skip


def test_reading_leaves_the_folder_as_it_was(tmp_path, alone):
    path = tmp_path / "folder" / "a.mem"
    path.parent.mkdir()
    mh.create(path, walk(6), checkpoint_frames=4).close()
    before = sh.folder_state(path.parent)
    with SpatialMemory.open(path) as one, SpatialMemory.open(path) as other:
        assert everything(one) == everything(other) and one.canonical_hash() == alone["hash"][6]
        assert sh.folder_state(path.parent) == before
    assert sh.folder_state(path.parent) == before


def test_reading_what_a_killed_writer_left_leaves_it_as_it_was(tmp_path, alone):
    live = tmp_path / "live" / "a.mem"
    live.parent.mkdir()
    with mh.create(live, walk(6), checkpoint_frames=4):
        path = mh.as_a_crash_leaves_it(live, tmp_path / "folder" / "a.mem")
    before = sh.folder_state(path.parent)
    assert set(before) == {"a.mem", "a.mem-wal"}
    with SpatialMemory.open(path) as memory:
        assert everything(memory)[0] == alone["hash"][6]
        assert sh.folder_state(path.parent) == before
    assert sh.folder_state(path.parent) == before


def test_a_file_opened_beside_its_writer_is_a_whole_number_of_frames(tmp_path, alone):
    path, opened = tmp_path / "a.mem", []

    def look() -> None:
        with SpatialMemory.open(path) as reader:
            opened.append((len(reader.trajectory()), reader.canonical_hash(), answered(reader)))

    with mh.create(path, walk(2), checkpoint_frames=2) as memory:
        with Beside(look) as beside:
            mh.observe_all(memory, walk(COUNT)[2:])
        look()
        assert not beside.errors and opened[-1][0] == COUNT
        assert mh.names(path) >= {"", "-wal", "-lock"}
    assert mh.names(path) == {""}
    for count, hashed, found in opened:
        assert hashed == alone["hash"][count] and found == alone["query"][count]


READS = ["meta", "anchors", "logged", "base_lsn", "surface_blocks", "free_blocks", "all_cells", "departed"]


@pytest.mark.parametrize("after", READS)
def test_a_writer_that_goes_on_while_a_reader_opens_is_no_harm(tmp_path, alone, monkeypatch, after):
    """The writer stores frames, and blocks with them, right after the reader has read one kind of row."""
    path, frames = tmp_path / "a.mem", walk(SOME)
    with mh.create(path, frames[:4], checkpoint_frames=1) as memory:
        _then(monkeypatch, after, lambda: mh.observe_all(memory, frames[4:]))
        with SpatialMemory.open(path) as reader:
            count = len(reader.trajectory())
            assert count in (4, SOME) and len(reader.keyframe(count).rgb) > 0
            assert reader.canonical_hash() == alone["hash"][count] and answered(reader) == alone["query"][count]
        assert len(memory.trajectory()) == SOME and memory.info()["departed_regions"] > 0


@pytest.mark.parametrize("after", READS)
def test_a_session_that_begins_while_a_reader_opens_is_in_its_place(tmp_path, monkeypatch, after):
    def begin_another() -> None:
        memory.add_session("evening", there)
        away = np.linalg.inv(there)
        mh.observe_all(memory, [mh.at(f, f.seq, session_id="evening", world_from_camera=away @ f.world_from_camera)
                                for f in walk(8)])  # fmt: skip

    there = room.look((1.0, 2.0, 0.5), (0.3, 1.0, -0.2))
    path = tmp_path / "a.mem"
    with mh.create(path, walk(4), checkpoint_frames=3) as memory:
        _then(monkeypatch, after, begin_another)
        with SpatialMemory.open(path) as reader:
            assert len(memory.trajectory()) == 12, "the session began meanwhile"
            for mine, its in zip(reader.trajectory(), memory.trajectory(), strict=False):
                np.testing.assert_allclose(mine.map_from_camera, its.map_from_camera, atol=1e-12)


def _then(monkeypatch, name: str, action) -> None:
    """After the first call of this reading function on a file opened for reading, do `action`."""
    original, done = getattr(MemoryFile, name), []

    def read(file, *args):
        result = original.fget(file) if isinstance(original, property) else original(file, *args)
        if file.read_only and not done:
            done.append(True)
            if not isinstance(result, list | dict | int):  # rows that are read bit by bit: one now, the rest later
                first = list(itertools.islice(result, 1))
                action()
                return iter([*first, *result])
            action()
        return result

    monkeypatch.setattr(MemoryFile, name, property(read) if isinstance(original, property) else read)
