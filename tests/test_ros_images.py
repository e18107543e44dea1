"""Decoding of ROS image messages against pixels the test packed itself."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from bags import BagWriter, compressed_depth, jpeg, png
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialmem.errors import ReadError
from spatialmem.io.ros_images import decode_colour, decode_depth, kind_of_image

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)
DEPTH_M = np.round(RNG.uniform(0.5, 5.0, (12, 17)), 3).astype(np.float32)


class _Caught(BagWriter):
    """Keeps the message instead of writing it."""

    def write(self, topic, message, log_ns):
        self.caught = message


def _image(tmp_path, *args, **kwargs):
    writer = _Caught(tmp_path / "unused", "mcap")
    writer.image("/t", 1, *args, **kwargs)
    return writer.caught


def _packed(tmp_path, data: bytes, fmt: str):
    writer = _Caught(tmp_path / "unused", "mcap")
    writer.compressed("/t", 1, data, fmt)
    return writer.caught


def _sent(encoding: str) -> np.ndarray:
    alpha = np.full((*RGB.shape[:2], 1), 9, np.uint8)
    return {
        "rgb8": RGB,
        "bgr8": RGB[:, :, ::-1],
        "rgba8": np.concatenate([RGB, alpha], axis=2),
        "bgra8": np.concatenate([RGB[:, :, ::-1], alpha], axis=2),
    }[encoding]


@pytest.mark.parametrize("pad", [0, 5])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8"])
def test_colour_encodings(tmp_path, encoding, pad):
    message = _image(tmp_path, _sent(encoding), encoding, pad=pad)
    assert kind_of_image(message) == "colour"
    np.testing.assert_array_equal(decode_colour(message), RGB)


def test_grey_becomes_grey_rgb(tmp_path):
    message = _image(tmp_path, RGB[:, :, 0], "mono8", pad=3)
    assert kind_of_image(message) == "mono"
    np.testing.assert_array_equal(decode_colour(message), np.repeat(RGB[:, :, :1], 3, axis=2))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ["16UC1", "mono16"])
def test_integer_depth_is_millimetres(tmp_path, encoding, big):
    raw = np.rint(DEPTH_M * 1000).astype(np.uint16)
    raw[0, 0], raw[3, 4] = 0, 65535
    decoded = decode_depth(_image(tmp_path, raw, encoding, pad=6, big=big))
    expected = DEPTH_M.copy()
    expected[0, 0] = expected[3, 4] = np.nan
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, expected, atol=1e-6)


@pytest.mark.parametrize("big", [False, True])
def test_float_depth_is_metres(tmp_path, big):
    sent = DEPTH_M.copy()
    sent[0, :4] = (np.nan, np.inf, -np.inf, 0.0)
    message = _image(tmp_path, sent, "32FC1", pad=8, big=big)
    assert kind_of_image(message) == "depth"
    decoded = decode_depth(message)
    assert np.isnan(decoded[0, :4]).all()
    np.testing.assert_array_equal(decoded[1:], DEPTH_M[1:])


def test_depth_scale_is_for_integers_only(tmp_path):
    raw = np.full((4, 4), 8000, np.uint16)
    assert decode_depth(_image(tmp_path, raw, "16UC1"), 4000.0)[0, 0] == 2.0
    assert decode_depth(_image(tmp_path, DEPTH_M, "32FC1"), 4000.0)[0, 0] == DEPTH_M[0, 0]


def test_compressed_colour(tmp_path):
    smooth = cv2.GaussianBlur(cv2.resize(RGB, (64, 48)), (0, 0), 3)
    near = decode_colour(_packed(tmp_path, jpeg(smooth), "rgb8; jpeg compressed bgr8"))
    assert np.abs(near.astype(int) - smooth).max() < 12
    assert np.abs(decode_colour(_packed(tmp_path, jpeg(smooth), "jpeg")).astype(int) - smooth).max() < 12
    exact = _packed(tmp_path, png(RGB[:, :, ::-1]), "bgr8; png compressed bgr8")
    np.testing.assert_array_equal(decode_colour(exact), RGB)
    unswapped = _packed(tmp_path, png(RGB), "rgb8; png compressed rgb8")  # red first, handed to the codec as it is
    np.testing.assert_array_equal(decode_colour(unswapped), RGB)


def test_compressed_depth_in_millimetres(tmp_path):
    raw = np.rint(DEPTH_M * 1000).astype(np.uint16)
    raw[0, 0] = 0
    expected = np.where(raw == 0, np.nan, DEPTH_M)
    for fmt, data in (
        ("16UC1; compressedDepth", compressed_depth(raw)),
        ("16UC1; compressedDepth png", compressed_depth(raw)),
        ("16UC1; png compressed ", png(raw)),
        ("png", png(raw)),
    ):
        np.testing.assert_allclose(decode_depth(_packed(tmp_path, data, fmt)), expected, atol=1e-6)


def test_quantised_inverse_depth(tmp_path):
    """Encoded here by the transport's rule, code = A / depth + B, with its defaults of 100 and 10 m."""
    quantisation, largest_m = 100.0, 10.0
    quant_a = quantisation * (quantisation + 1.0)
    quant_b = 1.0 - quant_a / largest_m
    codes = np.floor(quant_a / DEPTH_M.astype(np.float64) + quant_b).astype(np.uint16)
    codes[2, 2] = 0
    message = _packed(tmp_path, compressed_depth(codes, quant_a, quant_b), "32FC1; compressedDepth png")
    assert kind_of_image(message) == "depth"
    decoded = decode_depth(message)
    assert np.isnan(decoded[2, 2])
    step = DEPTH_M.astype(np.float64) ** 2 / quant_a  # one code is worth this much depth
    known = codes > 0
    assert (np.abs(decoded - DEPTH_M)[known] <= 1.1 * step[known]).all()


@pytest.mark.parametrize(
    ("data", "fmt", "said"),
    [
        (compressed_depth(np.ones((4, 4), np.uint16)), "16UC1; compressedDepth rvl", "RVL"),
        (jpeg(RGB), "16UC1; jpeg compressed", "JPEG cannot carry depth"),
        (compressed_depth(np.ones((4, 4), np.uint16)), "32FC1; compressedDepth", "quantisation"),
        (b"\0" * 12, "16UC1; compressedDepth", "12 bytes"),
        (b"", "png", "truncated"),
        (png(np.ones((40, 40), np.uint16))[:-9], "png", "truncated"),
    ],
)
def test_depth_that_cannot_be_decoded(tmp_path, data, fmt, said):
    with pytest.raises(ReadError, match=said):
        decode_depth(_packed(tmp_path, data, fmt))


def test_colour_that_cannot_be_decoded(tmp_path):
    with pytest.raises(ReadError, match="truncated"):
        decode_colour(_packed(tmp_path, jpeg(RGB)[:-40], "jpeg"))
    with pytest.raises(ReadError, match="depth, not colour"):
        decode_colour(_packed(tmp_path, b"", "16UC1; compressedDepth"))
    with pytest.raises(ReadError, match="debayered"):
        decode_colour(_image(tmp_path, RGB[:, :, 0], "bayer_rggb8"))
    with pytest.raises(ReadError, match="no depth"):
        decode_depth(_image(tmp_path, RGB, "rgb8"))


def test_sizes_that_do_not_fit(tmp_path):
    message = _image(tmp_path, RGB, "rgb8")
    message.height = 13
    with pytest.raises(ReadError, match="needs .* the message holds"):
        decode_colour(message)
    message.height = 0
    with pytest.raises(ReadError, match="cannot be"):
        decode_colour(message)
    message.height, message.step = 12, 10
    with pytest.raises(ReadError, match="step 10"):
        decode_colour(message)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 255), st.booleans())
def test_damaged_pictures_are_refused_or_decoded_never_worse(tmp_path_factory, at, flip, cut):
    folder = tmp_path_factory.getbasetemp()
    depth = bytearray(compressed_depth(np.rint(DEPTH_M * 1000).astype(np.uint16)))
    colour = bytearray(jpeg(RGB))
    for data in (depth, colour):
        data[at % len(data)] ^= flip
        del data[len(data) - (at % 50 if cut else 0) :]
    for decode, data, fmt in (
        (decode_depth, depth, "16UC1; compressedDepth"),
        (decode_depth, depth, "32FC1; compressedDepth"),
        (decode_colour, colour, "jpeg"),
    ):
        try:
            assert decode(_packed(folder, bytes(data), fmt)).ndim >= 2
        except ReadError:
            continue
