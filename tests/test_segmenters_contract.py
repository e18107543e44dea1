"""The contract of segmenters, over every member of the family, and how segmenters are found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import segmenter_cases
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.errors import InvalidValue, UnknownName
from spatialmem.perception import SEGMENTERS, Segmenter, check_segmenter, load_segmenter, members
from spatialmem.perception.ids import detections_of_ids
from spatialmem.things import Detection

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", params=sorted(SEGMENTERS))
def member(request, tmp_path_factory) -> Segmenter:
    if request.param == "owl":
        return load_segmenter(segmenter_cases.owl_spec(tmp_path_factory.mktemp("owl")))
    return load_segmenter(request.param)


def same(one, other) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a.mask, b.mask) and (a.label, a.score) == (b.label, b.score)
        for a, b in zip(one, other, strict=True)
    )


def test_keeps_the_contract(member):
    assert check_segmenter(member) == []


def test_fingerprint_and_name_repeat(member):
    again = load_segmenter(member.name)
    assert (again.fingerprint, again.name) == (member.fingerprint, member.name)


def test_answers_from_several_threads_are_those_of_one(member):
    frames = [segmenter_cases.room(noise_m=0.003, seed=seed) for seed in range(4)]
    alone = [member.segment(frame, None) for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda frame: member.segment(frame, None), frames))
    assert all(same(a, b) for a, b in zip(alone, together, strict=True))


def test_same_frame_at_another_place_in_memory(member):
    frame = segmenter_cases.room()
    wide = np.zeros((frame.rgb.shape[0], 2 * frame.rgb.shape[1], 3), np.uint8)
    wide[:, ::2] = frame.rgb
    assert same(member.segment(frame, None), member.segment(replace(frame, rgb=wide[:, ::2]), None))


def test_what_the_mask_leaves_out_changes_nothing(member):
    """A robot's own arm may look like anything."""
    frame = segmenter_cases.room()
    valid = np.ones(frame.rgb.shape[:2], bool)
    valid[:, :40] = False
    for detection in member.segment(replace(frame, valid=valid), None):
        assert not detection.mask[:, :40].any()


def test_members_have_different_fingerprints(tmp_path):
    pytest.importorskip("transformers")
    found = {load_segmenter("regions").fingerprint, load_segmenter(segmenter_cases.owl_spec(tmp_path)).fingerprint}
    assert len(found) == 2


def test_unknown_names_suggest():
    with pytest.raises(UnknownName, match="did you mean 'regions'"):
        load_segmenter("region")


def test_options_that_no_one_reads_are_refused():
    with pytest.raises(InvalidValue, match="takes nothing"):
        load_segmenter("regions:fine")


def test_a_segmenter_is_handed_back():
    member = load_segmenter("regions")
    assert load_segmenter(member) is member


def test_entry_points_are_found(monkeypatch):
    class Entry:
        name = "mine"

        def load(self):
            return _Careless

    class NotASegmenter(Entry):
        name = "broken"

        def load(self):
            return dict

    monkeypatch.setattr(members, "entry_points", lambda group: [Entry(), NotASegmenter()])
    assert isinstance(load_segmenter("mine"), _Careless)
    with pytest.raises(InvalidValue, match="expected a subclass"):
        load_segmenter("broken")


class _Careless(Segmenter):
    """Breaks the contract in every way that can be seen."""

    name, fingerprint = "", "none"  # type: ignore

    def __init__(self):
        self.calls = 0

    def segment(self, frame, encoding):
        self.calls += 1
        frame.rgb[0, 0] = self.calls % 200
        small = np.ones((2, 2), bool)
        mask = np.ones(frame.rgb.shape[:2], bool)
        return [Detection(mask & False if self.calls % 4 == 1 else mask), *[Detection(small)] * (self.calls % 5 == 0)]


def test_the_checker_finds_faults():
    found = "\n".join(check_segmenter(_Careless()))
    faults = ("name is empty", "hex digits", "two answers", "writes into", "hold a pixel", "frame's size", "own mask")
    for fault in faults:
        assert fault in found


def test_the_interface_loads_no_heavy_package():
    code = (
        "import sys, spatialmem.perception, spatialmem.perception.ids;"
        "print([m for m in ('torch', 'numba', 'cv2', 'transformers') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert answer.stdout.strip() == "[]"


# instance ids of a simulator


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_ids_become_detections(seed, least):
    rng = np.random.default_rng(seed)
    ids = rng.integers(-3, 8, (9, 13), dtype=rng.choice([np.int16, np.int32, np.int64]))
    names = {int(i): f"thing {i}" for i in rng.choice(np.arange(-3, 12), size=6, replace=False)}
    found = detections_of_ids(ids, names, min_pixels=least)
    expected = {i: ids == i for i in sorted(names) if (ids == i).sum() >= least}
    assert [d.label for d in found] == [names[i] for i in expected]
    for detection, mask in zip(found, expected.values(), strict=True):
        np.testing.assert_array_equal(detection.mask, mask)
        assert detection.score == 1.0


def test_ids_of_unsigned_images():
    ids = np.zeros((4, 6), np.uint32)
    ids[1:3, 2:5] = 2**32 - 1
    (found,) = detections_of_ids(ids, {2**32 - 1: "mug"}, min_pixels=6)
    assert (found.label, int(found.mask.sum())) == ("mug", 6)


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.zeros((4, 4), bool), np.zeros(4, int), [[1, 2]]])
def test_what_is_no_id_image_is_refused(bad):
    with pytest.raises(InvalidValue, match="integer"):
        detections_of_ids(bad, {1: "mug"})


@pytest.mark.parametrize("least", [0, -1, 2.5, None, "many"])
def test_sizes_that_are_none_are_refused(least):
    with pytest.raises(InvalidValue, match="min_pixels"):
        detections_of_ids(np.zeros((4, 4), int), {1: "mug"}, min_pixels=least)


def test_own_segmenter_of_the_documentation_runs():
    page = (REPOSITORY / "docs" / "segmenters.md").read_text()
    source = re.search(r"```python\n# my_segmenter\.py\n(.*?)```", page, re.DOTALL)
    assert source, "docs/segmenters.md must show a segmenter that starts with '# my_segmenter.py'"
    names: dict = {}
    exec(compile(source.group(1), "my_segmenter.py", "exec"), names)
    assert check_segmenter(names["Red"]()) == []


def test_regions_are_the_same_at_any_number_of_threads():
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "import hashlib, segmenter_cases\n"
        "from spatialmem.perception import load_segmenter\n"
        "from spatialmem.types import Camera\n"
        "frame = segmenter_cases.room(Camera.from_hfov(70.0, 320, 240), noise_m=0.003)\n"
        "found = load_segmenter('regions').segment(frame, None)\n"
        "whole = b''.join(d.mask.tobytes() + d.score.hex().encode() for d in found)\n"
        "print(len(found), hashlib.sha256(whole).hexdigest())"
    )
    said = set()
    for threads in ("1", "2", "4"):
        counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), threads)
        environment = {**os.environ, **counts}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY, env=environment
        )
        said.add(done.stdout)
    assert len(said) == 1
    assert int(said.pop().split()[0]) > 0
