"""Zstandard frames, checked before they are unpacked."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import zstandard

from spatialmem.errors import MemoryFileError

_LEVEL = 1


class _Local(threading.local):
    """(De)compressors keep state and must not be shared between threads; making one costs more than using it."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL, threads=0)
        self.decompressor = zstandard.ZstdDecompressor()


_local = _Local()


def compress(data: bytes | memoryview) -> bytes:
    """One zstd frame, level 1, with its content size in the header."""
    return _local.compressor.compress(data)


def compress_parts(parts: Sequence[bytes | memoryview]) -> bytes:
    """One zstd frame of the parts, one at least, in a row, each coded for itself: unlike bytes share no table."""
    stream = _local.compressor.compressobj(size=sum(len(part) for part in parts))
    *others, last = parts
    coded = []
    for part in others:
        coded.append(stream.compress(part))
        coded.append(stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    return b"".join([*coded, stream.compress(last), stream.flush()])


def decompress(frame: bytes | memoryview, size: int, what: str) -> bytes:
    """The content of a zstd frame that must be `size` bytes; `MemoryFileError` names `what` otherwise.

    The declared size is looked at first, so a damaged header cannot ask for gigabytes.
    """
    declared = content_size(frame, what)
    if declared != size:
        raise MemoryFileError(f"{what} is damaged: it should hold {size} bytes, its header says {declared}; {_ADVICE}")
    try:
        content = _local.decompressor.decompress(frame, max_output_size=size)
    except zstandard.ZstdError as error:
        raise MemoryFileError(f"{what} is damaged: {error}; {_ADVICE}") from error
    if len(content) != size:
        raise MemoryFileError(f"{what} is damaged: it should hold {size} bytes, it holds {len(content)}; {_ADVICE}")
    return content


def content_size(frame: bytes | memoryview, what: str) -> int:
    """Number of bytes a zstd frame says it unpacks to."""
    try:
        return zstandard.frame_content_size(frame)
    except zstandard.ZstdError as error:
        raise MemoryFileError(f"{what} is damaged: {error}; {_ADVICE}") from error


_ADVICE = "see where with `spatialmem info FILE --verify`; `spatialmem rebuild FILE` makes all but the log anew"
