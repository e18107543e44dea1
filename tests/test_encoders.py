"""The contract of encoders, over every member of the family, and how encoders are found."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import encoder_cases
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.errors import InvalidValue, UnknownName
from spatialmem.perception import (
    Encoder,
    Encoding,
    TextQuery,
    check_encoder,
    fingerprint,
    load_encoder,
    members,
)
from spatialmem.perception.encoder import ENCODERS

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", params=sorted(ENCODERS))
def member(request, tmp_path_factory) -> Encoder:
    if request.param == "open_clip":
        encoder_cases.open_clip_or_skip()
        weights = encoder_cases.saved_model(tmp_path_factory.mktemp("clip"))
        return load_encoder(f"open_clip:{encoder_cases.MODEL}/{weights}")
    return load_encoder(request.param)


def test_keeps_the_contract(member):
    assert check_encoder(member) == []


def test_has_a_width_the_map_can_hold(member):
    assert member.dim % 8 == 0
    assert 16 <= member.dim <= 128


def test_same_image_at_another_place_in_memory(member):
    rng = np.random.default_rng(0)
    large = rng.integers(0, 256, (60, 90, 3), dtype=np.uint8)
    view, copy = large[4:52, 7:71], large[4:52, 7:71].copy()
    np.testing.assert_array_equal(member.encode(view).dense, member.encode(copy).dense)


def test_dense_features_answer_a_crop_of_the_same_image(member):
    """The crop of one half fits that half better than the other: crops live in the dense space."""
    rgb = np.zeros((64, 96, 3), dtype=np.uint8)
    rgb[:, :48], rgb[:, 48:] = (200, 20, 20), (240, 240, 240)
    dense = member.encode(rgb).dense
    similarity = dense @ member.encode_crop(rgb[:, :48])
    half = dense.shape[1] // 2
    assert similarity[:, :half].mean() > similarity[:, half + dense.shape[1] % 2 :].mean()


def test_fingerprint_and_name_repeat(member):
    again = load_encoder(member.name)
    assert (again.fingerprint, again.name) == (member.fingerprint, member.name)


def test_answers_from_several_threads_are_those_of_one(member):
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (40, 56, 3), dtype=np.uint8) for _ in range(8)]
    alone = [member.encode(image).dense for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda image: member.encode(image).dense, images))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_foreign_features_are_refused(member):
    with pytest.raises(InvalidValue, match=f"{member.dim}.*another encoder"):
        member.score(np.zeros((3, member.dim + 8), np.float32), np.zeros(member.dim, np.float32))


def test_unknown_names_suggest():
    with pytest.raises(UnknownName, match="did you mean 'colours'"):
        load_encoder("colors")
    with pytest.raises(UnknownName, match="open_clip"):
        load_encoder("openclip:ViT-B-32")


def test_options_that_no_one_reads_are_refused():
    with pytest.raises(InvalidValue, match="takes nothing"):
        load_encoder("colours:64")


def test_an_encoder_is_handed_back():
    member = load_encoder("colours")
    assert load_encoder(member) is member


def test_entry_points_are_found(monkeypatch):
    class Entry:
        name = "mine"

        def load(self):
            return _Constant

    class NotAnEncoder(Entry):
        name = "broken"

        def load(self):
            return dict

    monkeypatch.setattr(members, "entry_points", lambda group: [Entry(), NotAnEncoder()])
    assert isinstance(load_encoder("mine"), _Constant)
    with pytest.raises(InvalidValue, match="expected a subclass"):
        load_encoder("broken")


class _Constant(Encoder):
    name, dim, vector_dim, calibrated, fingerprint = "mine", 16, 16, False, "0123456789abcdef"  # type: ignore
    min_similarity, hit_score = 0.0, 0.5  # type: ignore
    axis = np.eye(1, 16, dtype=np.float32)[0]

    def encode(self, rgb):
        return Encoding(np.tile(self.axis, (1, 1, 1)), self.axis)

    def encode_text(self, text):
        return TextQuery(text, self.axis)

    def encode_crop(self, rgb):
        return self.axis * 2

    def score(self, features, query):
        return features @ query


def test_the_checker_finds_faults():
    found = "\n".join(check_encoder(_Constant()))
    for fault in ("encode_crop on a 64 x 48 image must have unit rows", "empty text", "[0, 1]", "InvalidValue"):
        assert fault in found


def test_fingerprint_covers_values_names_and_shapes():
    base = {"a": np.arange(6.0), "b": {"x": 1, "y": [1, 2]}, "c": "text"}
    variants = [
        {**base, "a": np.arange(6.0).reshape(2, 3)},
        {**base, "a": np.arange(6.0, dtype=np.float32)},
        {**base, "a": np.arange(6.0) + 1e-12},
        {**base, "b": {"x": 1, "y": [2, 1]}},
        {**base, "b": {"x": 1, "z": [1, 2]}},
        {**base, "c": b"text"},
        {**base, "d": None},
    ]
    digests = {fingerprint(**parts) for parts in [base, *variants]}
    assert len(digests) == 1 + len(variants)
    layout = np.asfortranarray(np.arange(6.0).reshape(2, 3)).astype(">f8")
    assert fingerprint(**{**base, "a": layout}) == fingerprint(**variants[0])


@given(st.dictionaries(st.text(max_size=5), st.lists(st.integers(0, 9) | st.text(max_size=3), max_size=4), max_size=4))
def test_fingerprint_ignores_the_order_of_names(parts):
    assert fingerprint(parts=parts) == fingerprint(parts=dict(reversed(parts.items())))


def test_the_interface_loads_no_heavy_package():
    code = "import sys, spatialmem.perception; print([m for m in ('torch', 'numba', 'cv2') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert answer.stdout.strip() == "[]"


def test_own_encoder_of_the_documentation_runs():
    page = (REPOSITORY / "docs" / "encoders.md").read_text()
    source = re.search(r"```python\n# my_encoder\.py\n(.*?)```", page, re.DOTALL)
    assert source, "docs/encoders.md must show an encoder that starts with '# my_encoder.py'"
    names: dict = {}
    exec(compile(source.group(1), "my_encoder.py", "exec"), names)
    assert check_encoder(names["Brightness"]()) == []
