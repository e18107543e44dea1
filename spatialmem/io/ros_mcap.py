"""Random access into MCAP files written without chunks (rosbag2's "fastwrite" preset).

Such a file has no message index, so finding one message means walking the record headers. Here that is done once.
Source: MCAP format specification, "Records": opcode (1 byte), length (uint64), content.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from spatialmem.errors import ReadError

_MAGIC_BYTES = 8
_HEAD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
_CHANNEL, _MESSAGE_OP, _CHUNK, _DATA_END = 0x04, 0x05, 0x06, 0x0F

_Place = tuple[int, int, int]
"""file, offset of the payload, its bytes"""


class UnchunkedMcap:
    """Offsets of every message of unchunked MCAP files."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self._places: dict[tuple[str, int], list[_Place]] = {}
        for number, file in enumerate(files):
            with file.open("rb") as stream:
                self._index(stream, number)

    @classmethod
    def of(cls, files: list[Path]) -> UnchunkedMcap | None:
        """The index, or None where a file has chunks (whose own index serves) or there is no MCAP file."""
        if not files or not all(_starts_unchunked(file) for file in files):
            return None
        return cls(files)

    def read(self, topic: str, log_ns: int, ordinal: int) -> bytes:
        """Payload of the ordinal-th message of a topic at a time of recording."""
        places = self._places.get((topic, log_ns), [])
        if ordinal >= len(places):
            raise ReadError(f"there is no message {ordinal} of {topic} at {log_ns} ns in {self._files[0]}")
        file, offset, size = places[ordinal]
        with self._files[file].open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)

    def _index(self, stream: BinaryIO, number: int) -> None:
        topics: dict[int, str] = {}
        stream.seek(_MAGIC_BYTES)
        while len(head := stream.read(_HEAD.size)) == _HEAD.size:
            opcode, length = _HEAD.unpack(head)
            start = stream.tell()
            if opcode == _DATA_END:
                return
            if opcode == _CHANNEL:
                channel, topic = _channel(stream.read(length))
                topics[channel] = topic
            elif opcode == _MESSAGE_OP:
                channel, _, log_ns, _ = _MESSAGE.unpack(stream.read(_MESSAGE.size))
                place = (number, start + _MESSAGE.size, length - _MESSAGE.size)
                self._places.setdefault((topics[channel], log_ns), []).append(place)
            stream.seek(start + length)


def _starts_unchunked(file: Path) -> bool:
    """Whether the first data record is a message; decided without walking the rest."""
    with file.open("rb") as stream:
        stream.seek(_MAGIC_BYTES)
        while len(head := stream.read(_HEAD.size)) == _HEAD.size:
            opcode, length = _HEAD.unpack(head)
            if opcode in (_MESSAGE_OP, _CHUNK, _DATA_END):
                return opcode == _MESSAGE_OP
            stream.seek(length, 1)
    return False


def _channel(record: bytes) -> tuple[int, str]:
    """Number and topic of a channel record: id, schema id, topic."""
    channel, _, length = struct.unpack_from("<HHI", record, 0)
    return channel, record[8 : 8 + length].decode()
