"""Images of ROS: sensor_msgs/Image and CompressedImage to colour and depth arrays.

Facts: sensor_msgs message definitions; REP-117 and REP-118 (16UC1 is millimetres with 0 invalid, 32FC1 is metres
with NaN or infinity invalid); compressed_image_transport and compressed_depth_image_transport (`format` strings, the
12 byte header and the inverse-depth quantisation of 32FC1).
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import ReadError

_LARGEST_SIDE = 16384
_SATURATED = 65535
_DEPTH_HEADER = struct.Struct("<iff")  # compression format, depthQuantA, depthQuantB
_MILLIMETRES = 1000.0
_PNG_START, _JPEG_START, _JPEG_END = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd9"
_JPEG_TAIL_BYTES = 4096  # cameras may pad behind the end marker

_COLOUR_CHANNELS = {
    "rgb8": (3, (0, 1, 2)),
    "bgr8": (3, (2, 1, 0)),
    "8uc3": (3, (2, 1, 0)),
    "rgba8": (4, (0, 1, 2)),
    "bgra8": (4, (2, 1, 0)),
    "8uc4": (4, (2, 1, 0)),
    "mono8": (1, (0, 0, 0)),
    "8uc1": (1, (0, 0, 0)),
}
_DEPTH_TYPES = {"16uc1": "u2", "mono16": "u2", "32fc1": "f4"}


def is_compressed(message: Any) -> bool:
    """Whether a message is a CompressedImage (it carries `format` where an Image carries `encoding`)."""
    return message.__msgtype__ == "sensor_msgs/msg/CompressedImage"


def kind_of_image(message: Any) -> str:
    """What an image message can hold by its encoding: "colour", "mono", "depth" or "other"."""
    if is_compressed(message):
        return _kind_of_format(message.format.lower())
    return kind_of_encoding(message.encoding)


def kind_of_encoding(encoding: str) -> str:
    """ "colour", "mono", "depth" or "other", from the encoding of a raw image."""
    name = encoding.strip().lower()
    if name in _DEPTH_TYPES:
        return "depth"
    if name in _COLOUR_CHANNELS:
        return "mono" if _COLOUR_CHANNELS[name][0] == 1 else "colour"
    return "other"


def _kind_of_format(text: str) -> str:
    head = text.partition(";")[0].strip()
    if "compresseddepth" in text or head in _DEPTH_TYPES:
        return "depth"
    if head in _COLOUR_CHANNELS:
        return kind_of_encoding(head)
    return "colour" if any(codec in text for codec in ("jpeg", "jpg", "png")) else "other"


def decode_colour(message: Any) -> NDArray[np.uint8]:
    """(H, W, 3) uint8, red first, from an Image or CompressedImage message.

    Raises:
        ReadError: an encoding that is no colour, fewer bytes than the size announces, a picture that does not decode.
    """
    return _decode_compressed_colour(message) if is_compressed(message) else _decode_raw_colour(message)


def decode_depth(message: Any, depth_scale: float = _MILLIMETRES) -> NDArray[np.float32]:
    """(H, W) float32 metres along the optical axis, NaN where there is no reading.

    Args:
        message: Image (16UC1, mono16, 32FC1) or CompressedImage (compressedDepth, or a plain 16-bit PNG).
        depth_scale: integer depth divided by this is metres; 1000 for the millimetres of REP-118.

    Raises:
        ReadError: as for `decode_colour`.
    """
    if is_compressed(message):
        return _decode_compressed_depth(message, depth_scale)
    name = message.encoding.strip().lower()
    if name not in _DEPTH_TYPES:
        raise ReadError(
            f"encoding {message.encoding!r} is no depth; expected 16UC1 (millimetres) or 32FC1 (metres): "
            "choose another topic with depth_topic=..."
        )
    return _metres(_pixels(message, 1, _DEPTH_TYPES[name])[:, :, 0], depth_scale)


def _decode_raw_colour(message: Any) -> NDArray[np.uint8]:
    name = message.encoding.strip().lower()
    if name not in _COLOUR_CHANNELS:
        raise ReadError(
            f"encoding {message.encoding!r} is no colour this reader knows; expected one of "
            f"{', '.join(sorted(_COLOUR_CHANNELS))}: record the debayered or rectified topic (image_color, image_rect)"
        )
    channels, order = _COLOUR_CHANNELS[name]
    return np.ascontiguousarray(_pixels(message, channels, "u1")[:, :, list(order)])


def _pixels(message: Any, channels: int, kind: str) -> NDArray[Any]:
    """(H, W, C) in native byte order; rows are `step` bytes apart, which may be more than they need."""
    height, width = _checked_size(message.height, message.width)
    dtype = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    row = width * channels * dtype.itemsize
    step = int(message.step) or row
    data = np.frombuffer(memoryview(message.data), dtype=np.uint8)
    if step < row or data.size < step * (height - 1) + row:
        raise ReadError(
            f"image of {width} x {height} {message.encoding} with step {step} needs {max(step, row) * height} bytes; "
            f"the message holds {data.size}"
        )
    rows = np.lib.stride_tricks.as_strided(data, (height, row), (step, 1), writeable=False)
    pixels = np.ascontiguousarray(rows).view(dtype).reshape(height, width, channels)
    return pixels.astype(dtype.newbyteorder("="), copy=False)


def _checked_size(height: int, width: int) -> tuple[int, int]:
    if not (0 < height <= _LARGEST_SIDE and 0 < width <= _LARGEST_SIDE):
        raise ReadError(f"an image of {width} x {height} pixels cannot be; the message is damaged or empty")
    return int(height), int(width)


def _metres(raw: NDArray[Any], depth_scale: float) -> NDArray[np.float32]:
    if raw.dtype.kind == "f":
        depth = raw.astype(np.float32)
        depth[~np.isfinite(depth) | (depth <= 0.0)] = np.nan
        return depth
    depth = raw.astype(np.float32) / np.float32(depth_scale)
    depth[(raw == 0) | (raw == _SATURATED)] = np.nan
    return np.asarray(depth, dtype=np.float32)


def _imdecode(data: NDArray[np.uint8], flags: int, what: str) -> NDArray[Any]:
    import cv2

    if not _ends_as_it_should(data):
        raise ReadError(f"{what} of {data.size} bytes is truncated or no JPEG or PNG; the message is damaged")
    try:
        image = cv2.imdecode(data, flags)
    except cv2.error as error:
        raise ReadError(f"{what} does not decode: {error}") from error
    if image is None:
        raise ReadError(f"{what} of {data.size} bytes does not decode; the message is damaged")
    return image


def _ends_as_it_should(data: NDArray[np.uint8]) -> bool:
    """Whether the picture is whole: some versions of OpenCV return the readable part of a truncated one."""
    start, tail = data[:8].tobytes(), data[-_JPEG_TAIL_BYTES:].tobytes()
    return start == _PNG_START and b"IEND" in tail[-12:] or start[:2] == _JPEG_START and _JPEG_END in tail


def _decode_compressed_colour(message: Any) -> NDArray[np.uint8]:
    import cv2

    text = message.format.lower()
    if _kind_of_format(text) == "depth":
        raise ReadError(f"format {message.format!r} is depth, not colour; choose another topic with rgb_topic=...")
    data = np.frombuffer(memoryview(message.data), dtype=np.uint8)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    decoded = _imdecode(data, flags, f"colour image ({message.format!r})")
    _checked_size(*decoded.shape[:2])
    # A publisher that hands red-first pixels to the codec unswapped says so behind the word "compressed".
    swapped = "compressed rgb" in text
    return np.ascontiguousarray(decoded if swapped else decoded[:, :, ::-1])


def _decode_compressed_depth(message: Any, depth_scale: float) -> NDArray[np.float32]:
    import cv2

    text = message.format.lower()
    data = np.frombuffer(memoryview(message.data), dtype=np.uint8)
    what = f"depth image ({message.format!r})"
    if "rvl" in text:
        raise ReadError(f"{what} is RVL coded; record with compressed_depth_image_transport's format set to png")
    header = (0, 0.0, 0.0)
    if "compresseddepth" in text:
        if data.size <= _DEPTH_HEADER.size:
            raise ReadError(f"{what} holds {data.size} bytes; expected a header of 12 bytes and a PNG")
        header = _DEPTH_HEADER.unpack(data[: _DEPTH_HEADER.size].tobytes())
        data = data[_DEPTH_HEADER.size :]
    raw = _imdecode(data, cv2.IMREAD_UNCHANGED, what)
    if raw.dtype != np.uint16 or raw.ndim != 2:
        raise ReadError(
            f"{what} holds {raw.dtype} of shape {raw.shape}; expected 16-bit grey. JPEG cannot carry depth: "
            "record the raw topic or the compressedDepth transport"
        )
    _checked_size(*raw.shape)
    if text.partition(";")[0].strip() == "32fc1":
        return _from_inverse_depth(raw, header[1], header[2], what)
    return _metres(raw, depth_scale)


def _from_inverse_depth(raw: NDArray[np.uint16], quant_a: float, quant_b: float, what: str) -> NDArray[np.float32]:
    """Depth = A / (code - B), code 0 invalid (compressed_depth_image_transport, codec for 32FC1)."""
    if not (np.isfinite(quant_a) and np.isfinite(quant_b)) or quant_a <= 0.0:
        raise ReadError(f"{what} has quantisation parameters {quant_a}, {quant_b}; expected a positive, finite scale")
    with np.errstate(divide="ignore"):
        depth = np.float32(quant_a) / (raw.astype(np.float32) - np.float32(quant_b))
    depth[(raw == 0) | ~np.isfinite(depth) | (depth <= 0.0)] = np.nan
    return np.asarray(depth, dtype=np.float32)
