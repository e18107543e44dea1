"""`spatialmem view`: look at a memory in a browser."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import tyro

from spatialmem.cli.codes import OK
from spatialmem.cli.output import say, write_json
from spatialmem.errors import InvalidValue
from spatialmem.view.page import HOST, MAX_BYTES, PORT

if TYPE_CHECKING:
    from spatialmem.view.page import MemoryPage

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class View:
    """Look at a memory in a browser: map, path, keyframes, free space, and a box to ask in. Ctrl-C ends it."""

    memory: tyro.conf.Positional[Path]
    """the memory file; it is not changed"""
    ask: str | None = None
    """a question to start with, such as "red chair" """
    host: str = HOST
    """address to listen at; at any other than 127.0.0.1, everybody who reaches the port sees the memory"""
    port: int = PORT
    """port to listen at; 0: any that is free"""
    max_mb: float = MAX_BYTES / 1e6
    """megabytes that opening the page may take, beside its own code; a large map is shown with fewer points"""
    json: bool = False
    """one JSON object on standard output, as soon as the page can be opened"""

    def run(self) -> int:
        """Serve until asked to stop; returns the exit code."""
        if not 0.0 < self.max_mb < 1e6:
            raise InvalidValue(f"--max-mb takes a number of megabytes; given {self.max_mb:g}")
        from spatialmem.memory import SpatialMemory
        from spatialmem.view.page import MemoryPage

        with (
            SpatialMemory.open(self.memory, "r") as memory,
            MemoryPage(memory, self.host, self.port, int(self.max_mb * 1e6)) as page,
            _asked_to_stop() as stop,
        ):
            if self.ask is not None:
                page.ask(self.ask)
            self._announce(page)
            stop.wait()
        say("closed")
        return OK

    def _announce(self, page: MemoryPage) -> None:
        local = self.host in ("127.0.0.1", "localhost", "::1")
        ssh = tunnel(page.port, self.host) if local else None
        if self.json:
            scene = page.scene
            write_json({
                "memory": self.memory, "url": page.url, "host": self.host, "port": page.port, "ssh": ssh,
                "points": scene.points, "cell_m": scene.cell_m, "bytes_sent": scene.bytes_sent,
            })  # fmt: skip
            return
        print(f"open {page.url}", flush=True)
        if ssh is not None:
            print(f"from another machine first: {ssh}", flush=True)
        else:
            say(f"warning: everybody who reaches port {page.port} of this machine sees this memory")
        say("Ctrl-C ends it")


def tunnel(port: int, served_at: str = HOST) -> str:
    """The line that brings a port of this machine to that of a user who comes over SSH."""
    target = "[::1]" if served_at == "::1" else "127.0.0.1"
    connection = os.environ.get("SSH_CONNECTION", "").split()  # of client and server: address, port, address, port
    host = connection[2] if len(connection) == 4 else socket.gethostname()
    return f"ssh -N -L {port}:{target}:{port} {getpass.getuser()}@{host}"


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """An event that is set when the process is asked to end; what it is in can be closed then. Twice: at once."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
