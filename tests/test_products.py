"""Products in slices equal those in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from spatialmem.perception.products import products


@pytest.mark.parametrize("rows", [0, 1, 300, 5000])
@pytest.mark.parametrize("shape", [(64, 16), (512, 40), (11,), (3000,)])
def test_products(rows, shape):
    number = np.random.default_rng(rows)
    left = number.standard_normal((rows, shape[0])).astype(np.float32)
    right = number.standard_normal(shape).astype(np.float32)
    result = products(left, right)
    assert result.shape == (rows, *shape[1:]) and result.dtype == np.float32
    np.testing.assert_allclose(result, left.astype(np.float64) @ right, atol=1e-3)
