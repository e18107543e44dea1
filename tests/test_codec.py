"""Blobs of the memory file: what comes back, how exactly, and what happens to damaged ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from store_helpers import free_block, surface_block

from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.store import block_codec, codec

_SIZES = st.tuples(st.integers(1, 37), st.integers(1, 41))


@settings(max_examples=60)
@given(hnp.arrays(np.uint16, _SIZES), st.sampled_from([(1000, 0.001), (5000, 0.0002)]))
def test_depth_of_a_png_comes_back_exactly(raw, scale):
    per_metre, step_m = scale
    depth_m = raw.astype(np.float32) / np.float32(per_metre)
    back = codec.decode_depth(codec.encode_depth(depth_m))
    assert back.dtype == np.float32
    assert np.array_equal(np.isnan(back), raw == 0)
    assert np.array_equal(np.rint(np.nan_to_num(back) / np.float64(step_m)).astype(int), raw.astype(int))
    np.testing.assert_allclose(back[raw > 0], depth_m[raw > 0], rtol=3e-7)


@settings(max_examples=60)
@given(hnp.arrays(np.float32, _SIZES, elements=st.floats(width=32, allow_nan=True, allow_infinity=True)))
def test_any_depth_comes_back_within_half_a_step(depth_m):
    back = codec.decode_depth(codec.encode_depth(depth_m))
    reading = np.isfinite(depth_m) & (depth_m > 0)
    assert not np.isfinite(back[~reading]).any()
    near = reading & (depth_m < 65.5)
    half_m = 0.0005 * (1 + 1e-3)
    assert (np.isnan(back[near]) <= (depth_m[near] <= half_m)).all()
    kept = near & ~np.isnan(back)
    assert (np.abs(back[kept] - depth_m[kept]) <= half_m).all()


def test_continuous_depth_is_kept_to_an_eighth_of_a_millimetre():
    depth_m = np.random.default_rng(0).uniform(0.3, 16.0, (48, 64)).astype(np.float32)
    back = codec.decode_depth(codec.encode_depth(depth_m))
    assert np.abs(back - depth_m).max() <= 0.000126


def test_depth_beyond_sixteen_bits_is_no_reading():
    depth_m = np.array([[65.535, 65.6, 70.0, 1.0, 1e30]], dtype=np.float32)
    back = codec.decode_depth(codec.encode_depth(depth_m))
    assert np.isnan(back[0, [1, 2, 4]]).all()
    np.testing.assert_allclose(back[0, [0, 3]], [65.535, 1.0], rtol=1e-6)


def test_depth_that_was_stored_once_is_stored_again_unchanged():
    depth_m = np.random.default_rng(1).uniform(0.3, 9.0, (30, 40)).astype(np.float32)
    once = codec.decode_depth(codec.encode_depth(depth_m))
    assert np.array_equal(codec.decode_depth(codec.encode_depth(once)), once)


@pytest.mark.parametrize("shape", [(0, 4), (3,), (2, 2, 1)])
def test_depth_of_a_foreign_shape_is_refused(shape):
    with pytest.raises(InvalidValue, match="shape"):
        codec.encode_depth(np.ones(shape, dtype=np.float32))


@settings(max_examples=60)
@given(hnp.arrays(np.bool_, _SIZES))
def test_mask_round_trip(valid):
    data = codec.encode_mask(valid)
    back = codec.decode_mask(data, *valid.shape)
    assert (data is None) == valid.all()
    assert back is None if data is None else np.array_equal(back, valid)


@settings(max_examples=60)
@given(hnp.arrays(np.float32, st.tuples(*[st.integers(1, 5)] * 3), elements=st.floats(-1e6, 1e6, width=32)))
def test_features_keep_their_shape_and_half_a_step(features):
    back = codec.decode_features(codec.encode_features(features))
    step = np.abs(features).max(initial=0.0) / 127
    assert back.shape == features.shape and back.dtype == np.float32
    assert (np.abs(back - features) <= 0.5001 * step + 1e-29).all()


@pytest.mark.parametrize("shape", [(0, 0, 16), (3, 0, 16), (3, 3, 0), (3, 16)])
def test_features_of_no_patch_are_refused(shape):
    with pytest.raises(InvalidValue, match="shape"):
        codec.encode_features(np.ones(shape, np.float32))


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(InvalidValue, match="NaN"):
        codec.encode_features(np.full((2, 2, 3), np.nan, dtype=np.float32))


@settings(max_examples=60)
@given(st.lists(st.integers(0, 2**63 - 1), max_size=30))
def test_examined_keys_come_back_sorted_and_once(keys):
    data = codec.encode_examined(np.array(keys, dtype=np.int64))
    assert (data is None) == (not keys)
    assert codec.decode_examined(data).tolist() == sorted(set(keys))


@settings(max_examples=60)
@given(st.dictionaries(st.tuples(*[st.integers(-32768, 32767)] * 3), st.tuples(*[st.integers(0, 70000)] * 2)))
def test_cells_come_back_sorted(seen):
    cell = np.array(list(seen), dtype=np.int64).reshape(-1, 3)
    counts = np.array(list(seen.values()), dtype=np.int64).reshape(-1, 2)
    back = codec.decode_cells(codec.encode_cells(codec.Cells(cell, counts[:, 0], counts[:, 1])))
    assert [tuple(row) for row in back.cell.tolist()] == sorted(seen)
    expected = [tuple(min(c, 65535) for c in seen[key]) for key in sorted(seen)]
    assert list(zip(back.occupied.tolist(), back.free.tolist(), strict=True)) == expected


def test_cells_beyond_sixteen_bits_are_refused():
    with pytest.raises(InvalidValue, match="workspace_m"):
        codec.encode_cells(codec.Cells(np.array([[40000, 0, 0]]), np.ones(1), np.ones(1)))


def test_vector_is_kept_as_float16():
    vector = np.random.default_rng(2).standard_normal(33).astype(np.float32)
    back = codec.decode_vector(codec.encode_vector(vector))
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, vector.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("size", [(1, 1), (17, 33), (48, 64)])
def test_colour_keeps_red_red(size):
    rgb = np.zeros((*size, 3), dtype=np.uint8)
    rgb[..., 0] = 220
    rgb[..., 2] = 15
    back = codec.decode_colour(codec.encode_colour(rgb, 95))
    assert back.shape == rgb.shape and back.dtype == np.uint8
    assert np.abs(back.astype(int) - rgb).max() <= 6


def test_higher_quality_is_closer_and_larger():
    rgb = np.random.default_rng(3).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    low, high = codec.encode_colour(rgb, 30), codec.encode_colour(rgb, 95)
    errors = [np.abs(codec.decode_colour(data).astype(int) - rgb).mean() for data in (low, high)]
    assert len(low) < len(high) and errors[0] > errors[1]


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.integers(0, 512), st.sampled_from([0, 1, 8, 64]))
def test_surface_block_comes_back_bit_for_bit(seed, n, dim):
    block = surface_block(seed, n, dim)
    back = block_codec.unpack_surface_block(block_codec.pack_surface_block(block))
    for field in dataclasses.fields(block):
        before, after = getattr(block, field.name), getattr(back, field.name)
        assert after.dtype == before.dtype and after.shape == before.shape, field.name
        assert np.array_equal(before, after), field.name


@settings(max_examples=10)
@given(st.integers(0, 2**31))
def test_free_block_comes_back_bit_for_bit(seed):
    block = free_block(seed)
    back = block_codec.unpack_free_block(block_codec.pack_free_block(block))
    for field in dataclasses.fields(block):
        assert np.array_equal(getattr(block, field.name), getattr(back, field.name)), field.name
        assert getattr(block, field.name).dtype == getattr(back, field.name).dtype


def test_surface_block_layout_is_the_documented_one():
    block = surface_block(4, n=5, dim=3)
    data = block_codec.pack_surface_block(block)
    content = block_codec.decompress(data[4:], 1600 + 5 * (2 * 3 + 18), "block")
    assert data[:4] == bytes([5, 0, 3, 0])
    assert content[:512] == (block.dist.view(np.uint16) & 255).astype(np.uint8).tobytes()
    assert content[1536:1600] == np.packbits(block.has_row).tobytes()
    first_differences = np.diff(block.features.T.astype(np.int64), prepend=0, axis=1) % 65536
    assert content[1600:1615] == (first_differences & 255).astype(np.uint8).tobytes()


def test_a_block_whose_arrays_disagree_is_refused():
    block = surface_block(5)
    with pytest.raises(InvalidValue):
        block_codec.pack_surface_block(dataclasses.replace(block, has_row=np.zeros(512, dtype=bool)))
    with pytest.raises(InvalidValue):
        block_codec.pack_surface_block(dataclasses.replace(block, first=block.first[:-1]))


def _blobs():
    depth = np.linspace(0.5, 4.0, 30 * 20, dtype=np.float32).reshape(20, 30)
    mask = np.random.default_rng(6).random((20, 30)) > 0.5
    features = np.random.default_rng(7).standard_normal((4, 4, 8)).astype(np.float32)
    cells = codec.Cells(np.arange(30).reshape(10, 3), np.arange(10), np.arange(10))
    return {
        "depth": (codec.encode_depth(depth), codec.decode_depth),
        "mask": (codec.encode_mask(mask), lambda data: codec.decode_mask(data, 20, 30)),
        "features": (codec.encode_features(features), codec.decode_features),
        "examined": (codec.encode_examined(np.arange(20)), codec.decode_examined),
        "cells": (codec.encode_cells(cells), codec.decode_cells),
        "surface": (block_codec.pack_surface_block(surface_block(8)), block_codec.unpack_surface_block),
        "free": (block_codec.pack_free_block(free_block(8)), block_codec.unpack_free_block),
    }


@pytest.mark.parametrize("name", sorted(_blobs()))
def test_a_blob_cut_short_is_refused(name):
    data, decode = _blobs()[name]
    for keep in range(0, len(data), max(1, len(data) // 40)):
        with pytest.raises(MemoryFileError):
            decode(data[:keep])


@pytest.mark.parametrize("name", sorted(_blobs()))
def test_a_flipped_bit_never_escapes_as_a_foreign_error(name):
    """Content is guarded by the row's checksum; here only: no crash, no other exception, no huge allocation."""
    data, decode = _blobs()[name]
    rng = np.random.default_rng(9)
    for _ in range(200):
        broken = bytearray(data)
        span = 24 if rng.random() < 0.5 else len(data)
        broken[rng.integers(min(len(data), span))] ^= 1 << rng.integers(8)
        try:
            decode(bytes(broken))
        except MemoryFileError:
            continue


def test_colour_that_is_no_image_is_refused():
    for data in (b"", b"\xff\xd8\xff", b"not a picture at all"):
        with pytest.raises(MemoryFileError):
            codec.decode_colour(data)
