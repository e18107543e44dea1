"""Rotations, transforms and cameras for the tests of geometry, and what close means there."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from spatialmem import geometry as g
from spatialmem.types import Camera

SEEDS = st.integers(0, 2**32 - 1)
TINY = st.floats(1e-9, 1e-3)
ANGLES = st.one_of(
    st.floats(0.0, np.pi - 1e-3), TINY, TINY.map(lambda e: np.pi - e), st.sampled_from([0.0, 1e-300, 1e-16, np.pi])
)


@st.composite
def axes(draw) -> np.ndarray:
    """Unit vectors: any, and the coordinate axes."""
    named = draw(st.sampled_from([None, 0, 1, 2]))
    v = np.random.default_rng(draw(SEEDS)).normal(size=3) if named is None else np.eye(3)[named]
    return v / np.linalg.norm(v)


@st.composite
def rotvecs(draw) -> np.ndarray:
    return draw(axes()) * draw(ANGLES)


@st.composite
def transforms(draw) -> np.ndarray:
    t = np.random.default_rng(draw(SEEDS)).uniform(-5.0, 5.0, 3)
    return g.make_transform(g.exp_so3(draw(rotvecs())), t)


cameras = st.builds(
    Camera,
    fx=st.floats(50.0, 900.0),
    fy=st.floats(50.0, 900.0),
    cx=st.floats(0.0, 40.0),
    cy=st.floats(0.0, 30.0),
    width=st.integers(2, 40),
    height=st.integers(2, 30),
)


def close(given, expected, atol=1e-12, rtol=0.0):
    """Absolute closeness: numpy's default relative tolerance of 1e-7 would hide wrong formulas."""
    np.testing.assert_allclose(given, expected, rtol=rtol, atol=atol)
