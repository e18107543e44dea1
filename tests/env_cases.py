"""Settings with which the tests of environments make them: one small house, small pictures, few steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from house_cases import SMALL

HOUSE: Final[dict[str, Any]] = {"house": SMALL, "scenes": 1, "width": 48, "height": 32}
_NAV: Final[dict[str, Any]] = {"width": 32, "height": 24, "max_steps": 6}
ENVS: Final[dict[str, dict[str, Any]]] = {
    "spatialmem/House-v0": HOUSE,
    "spatialmem/ObjectNav-v1": {"house": SMALL, "episodes": 2, "settings": _NAV},
    "spatialmem/Goat-v1": {"house": SMALL, "episodes": 2, "settings": {**_NAV, "image_size": 32}},
}


def same(a: Mapping[str, Any], b: Mapping[str, Any]) -> None:
    """Two observations, equal in every bit."""
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)
