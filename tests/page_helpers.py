"""Looking at a page over its real wire: viser's websocket, as a browser without a screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import zstandard
from websockets.sync.client import connect

Message = dict[str, Any]


class Wire:
    """A connection to a page. The layout of what comes is viser's: infra/_infra.py, `_message_producer`."""

    def __init__(self, port: int) -> None:
        import viser

        subprotocol: Any = f"viser-v{viser.__version__}"
        self._socket = connect(
            f"ws://127.0.0.1:{port}", subprotocols=[subprotocol], max_size=None, compression=None
        )  # fmt: skip
        self.bytes = 0
        """received"""
        self.messages: list[Message] = []
        """received, with arrays in place"""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def send(self, kind: str, **fields: Any) -> None:
        """Send one message as a browser would."""
        self._socket.send(msgspec.msgpack.encode({"type": kind, **fields}))

    def update(self, uuid: str, value: Any) -> None:
        """Change the value of a box, slider or button."""
        self.send("GuiUpdateMessage", uuid=uuid, updates={"value": value})

    def of(self, kind: str) -> list[Message]:
        """The messages of a kind."""
        return [message for message in self.messages if message["type"] == kind]

    def control(self, label: str) -> str:
        """The name of the newest control with this label."""
        found = [m["uuid"] for m in self.messages if m.get("props", {}) and m["props"].get("label") == label]
        assert found, f"no control {label!r}"
        return found[-1]

    def until(self, done: Callable[[Wire], Any], timeout_s: float = 20.0) -> Wire:
        """Receive until `done`."""
        while not done(self):
            self._take(self._socket.recv(timeout=timeout_s))
        return self

    def loaded(self) -> Wire:
        """Receive all that is sent to who connects, and say where this browser looks from."""
        self.until(lambda wire: wire.of("ReplayDoneMessage"))
        self.send(
            "ViewerCameraMessage", wxyz=(1, 0, 0, 0), position=(0, -3, 1), fov=1.0, near=0.01, far=1000.0,
            image_height=600, image_width=800, look_at=(0, 0, 1), up_direction=(0, 0, 1),
        )  # fmt: skip
        return self

    def _take(self, data: Any) -> None:
        assert isinstance(data, bytes)
        self.bytes += len(data)
        compressed = int.from_bytes(data[8:16], "little")
        outer = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(data[16 : 16 + compressed]))
        arrays, at = [], 16 + compressed
        for length in outer["binaryBufferLengths"]:
            at += -at % 8
            arrays.append(data[at : at + length])
            at += length
        self.messages += [_filled(message, arrays) for message in outer["messages"]]


def _filled(value: Any, arrays: list[bytes]) -> Any:
    """The message with its arrays in place of what stands for them."""
    if isinstance(value, dict):
        if "__binary_index" in value:
            return np.frombuffer(arrays[value["__binary_index"]], value["dtype"])
        return {key: _filled(item, arrays) for key, item in value.items()}
    return [_filled(item, arrays) for item in value] if isinstance(value, list) else value
