"""The `colours` encoder: its kernel against numpy, its model, its words, and real frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.perception import colour_model, colour_words, load_encoder
from spatialmem.perception.colour_survey import SRGB_BY_TERM, TERMS
from spatialmem.perception.colours import Colours


@pytest.fixture(scope="module")
def colours():
    return Colours()


def reference_dense(rgb: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Patch by patch, from the definition: a pixel belongs to the patch whose rectangle holds its centre."""
    height, width = rgb.shape[:2]
    h, w = max(1, height // 8), max(1, width // 8)
    bins = rgb.astype(np.int64) // 8
    member = table[(bins[..., 0] * 32 + bins[..., 1]) * 32 + bins[..., 2]].astype(np.float64) / 255.0
    i = np.floor((np.arange(height) + 0.5) * h / height).astype(int)
    j = np.floor((np.arange(width) + 0.5) * w / width).astype(int)
    out = np.array([[member[np.ix_(i == a, j == b)].mean(axis=(0, 1)) for b in range(w)] for a in range(h)])
    return np.sqrt(out)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**31))
def test_kernel_equals_numpy(height, width, seed):
    encoder = load_encoder("colours")
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = reference_dense(rgb, colour_model.lookup_table())
    np.testing.assert_allclose(encoder.encode(rgb).dense, expected, atol=1e-6)


def test_grid_of_a_camera_image(colours):
    rgb = np.zeros((480, 640, 3), dtype=np.uint8)
    encoding = colours.encode(rgb)
    assert encoding.dense.shape == (60, 80, 16)
    assert encoding.vector.shape == (colours.vector_dim,) == (176,)


def test_vector_knows_where_colours_are(colours):
    left_red = np.zeros((64, 64, 3), dtype=np.uint8)
    left_red[:, :32] = (220, 10, 10)
    same, mirrored = colours.encode(left_red).vector, colours.encode(left_red[:, ::-1]).vector
    assert same @ mirrored < 0.1


def test_table_rows_are_wholes():
    table = colour_model.lookup_table()
    assert table.shape == (32**3, 16)
    assert (table.sum(axis=1) == 255).all()
    assert not table[:, len(TERMS) :].any()


def test_lab_agrees_with_opencv():
    rgb = np.random.default_rng(1).random((50, 1, 3)).astype(np.float32)
    expected = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    np.testing.assert_allclose(colour_model.lab_from_srgb(rgb * 255.0), expected, atol=0.3)


def test_survey_colours_left_out_find_their_term():
    """Leave one out, over the chromatic survey colours; the documentation quotes 90 %."""
    points, weights = colour_model._survey()
    half_square = 0.5 * ((points[:, None] - points) ** 2).sum(axis=-1)
    np.fill_diagonal(half_square, np.inf)
    density = np.exp(half_square.min(axis=1, keepdims=True) - half_square) @ weights
    right = density.argmax(axis=1) == weights.argmax(axis=1)
    assert len(points) == 614
    assert right.mean() >= 0.9
    assert set(SRGB_BY_TERM) == set(TERMS[3:])


@pytest.mark.parametrize(
    ("srgb", "term"),
    [
        ((0, 0, 0), "black"), ((128, 128, 128), "grey"), ((255, 255, 255), "white"), ((200, 20, 20), "red"),
        ((255, 128, 0), "orange"), ((110, 70, 30), "brown"), ((250, 230, 20), "yellow"), ((30, 140, 40), "green"),
        ((30, 60, 200), "blue"), ((110, 30, 140), "purple"), ((250, 150, 190), "pink"),
    ],
)  # fmt: skip
def test_plain_colours_have_their_names(colours, srgb, term):
    patch = np.tile(np.array(srgb, dtype=np.uint8), (16, 16, 1))
    assert colours.encode_crop(patch) @ colours.encode_text(term).vector > 0.9


@pytest.mark.parametrize("light", [1.0, 0.5, 0.25])
def test_red_stays_a_hit_when_the_light_is_dimmed(colours, light):
    linear = (np.array([[190.0, 20.0, 30.0]]) / 255) ** 2.2 * light
    share = colour_model.memberships(colour_model.lab_from_srgb(255 * linear ** (1 / 2.2)))[0]
    assert share[TERMS.index("red")] >= colours.hit_score


def test_score_is_the_share_of_the_colour(colours):
    half = np.zeros((8, 8, 3), dtype=np.uint8)
    half[:, :4] = (20, 110, 230)
    feature = colours.encode(half).dense.reshape(1, 16)
    shares = [float(colours.score(feature, colours.encode_text(t).vector)[0]) for t in ("blue", "black", "green")]
    np.testing.assert_allclose(shares, [0.5, 0.5, 0.0], atol=0.03)
    both = colours.score(feature, colours.encode_text("blue and black").vector)[0]
    assert both > 0.95
    alone = colours.score(colours.encode_text("blue").vector[None], colours.encode_text("blue and black").vector)[0]
    assert alone < colours.hit_score
    assert colours.min_similarity**2 <= colours.hit_score


@pytest.mark.parametrize(
    ("text", "terms", "unknown"),
    [
        ("the red cupboards", {"red"}, ("cupboards",)),
        ("Find a GRAY mug, please!", {"grey"}, ("mug",)),
        ("red and white", {"red", "white"}, ()),
        ("red, red, red", {"red"}, ()),
        ("dark green chair", {"green"}, ("chair",)),
        ("navy blue bin", {"blue"}, ("bin",)),
        ("brick-red wall", {"red"}, ("wall",)),
        ("violet", {"purple"}, ()),
        ("turquoise", {"blue", "green"}, ()),
        ("bluish grey", {"grey"}, ()),
        ("the red can", {"red"}, ("can",)),
        ("what red things can you see", {"red"}, ()),
        ("dark turquoise", {"blue", "green"}, ()),
        ("the blue book on the white table", {"blue"}, ("book", "on", "white", "table")),
        ("something with red handles", set(), ("with", "red", "handles")),
        ("cupboards", set(), ("cupboards",)),
        ("light switch", set(), ("light", "switch")),
        ("not red", set(), ("not",)),
        ("red or blue", set(), ("or",)),
        ("something", set(), ()),
        ("", set(), ()),
        ("rote Schränke", set(), ("rote", "schränke")),
    ],
)
def test_words(colours, text, terms, unknown):
    query = colours.encode_text(text)
    named = set() if query.vector is None else {TERMS[k] for k in np.flatnonzero(query.vector)}
    assert (named, query.unknown_words) == (terms, unknown)


@given(st.text(max_size=40))
def test_any_text_is_read(text):
    vector, unknown = colour_words.parse(text)
    assert vector is None or abs(float(np.linalg.norm(vector)) - 1.0) < 1e-5
    assert len(set(unknown)) == len(unknown)


def test_every_survey_name_finds_its_own_colour(colours):
    for name, colour in colour_words.SURVEY_NAMES.items():
        patch = np.tile(np.array(colour_model.srgb_from_hex(colour), dtype=np.uint8), (8, 8, 1))
        score = colours.score(colours.encode_crop(patch)[None], colours.encode_text(name).vector)
        assert score[0] > colours.hit_score, name


KITCHEN, DESK = "7scenes_redkitchen_a", "tum_fr1_rpy_a/rgb"
REAL_BOXES = [  # seen by eye; x0, y0, x1, y1 in pixels
    (f"{KITCHEN}/frame-000000.color.jpg", (30, 130, 150, 200), "red"),
    (f"{KITCHEN}/frame-000100.color.jpg", (150, 160, 300, 300), "red"),
    (f"{KITCHEN}/frame-000450.color.jpg", (10, 150, 120, 210), "red"),
    (f"{KITCHEN}/frame-000300.color.jpg", (400, 240, 540, 400), "brown"),
    (f"{KITCHEN}/frame-000300.color.jpg", (235, 330, 300, 390), "purple"),
    (f"{KITCHEN}/frame-000250.color.jpg", (520, 0, 600, 40), "blue"),
    (f"{KITCHEN}/frame-000050.color.jpg", (60, 300, 160, 400), "grey"),
    (f"{DESK}/1305031229.664657.png", (60, 30, 280, 140), "black"),
    (f"{DESK}/1305031229.664657.png", (60, 420, 250, 470), "white"),
    (f"{DESK}/1305031230.129919.png", (70, 175, 130, 190), "blue"),
    (f"{DESK}/1305031231.493669.png", (40, 330, 200, 460), "brown"),
]


def read_rgb(path: Path) -> np.ndarray:
    bgr = cv2.imread(str(path))
    assert bgr is not None, path
    return bgr[..., ::-1]


@pytest.mark.parametrize(("path", "box", "term"), REAL_BOXES)
def test_real_things_have_their_colour(shared_data, colours, path, box, term):
    x0, y0, x1, y1 = box
    crop = read_rgb(shared_data / path)[y0:y1, x0:x1]
    assert colours.score(colours.encode_crop(crop)[None], colours.encode_text(term).vector)[0] >= colours.hit_score


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(f"{KITCHEN}/frame-*0.color.jpg", "orange"), (f"{KITCHEN}/frame-*0.color.jpg", "green"),
     (f"{DESK}/*.png", "orange"), (f"{DESK}/*.png", "yellow"), (f"{DESK}/*.png", "pink"), (f"{DESK}/*.png", "green")],
)  # fmt: skip
def test_absent_colours_make_no_region(shared_data, colours, pattern, text):
    """At most a speck of 6 patches (of 4,800) in any frame: the yellow-green pen on the desk, noise at edges."""
    query = colours.encode_text(text).vector
    frames = sorted(shared_data.glob(pattern))
    assert frames
    for path in frames:
        dense = colours.encode(read_rgb(path)).dense
        hit = colours.score(dense.reshape(-1, 16), query).reshape(dense.shape[:2]) >= colours.hit_score
        stats = cv2.connectedComponentsWithStats(hit.astype(np.uint8), connectivity=4)[2]
        assert stats[1:, cv2.CC_STAT_AREA].max(initial=0) <= 6, path.name
