"""A page that shows a memory in a browser: map, path, keyframes, free space, hits and the frames that saw them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

from spatialmem.errors import InvalidValue, SpatialMemError, require

if TYPE_CHECKING:
    from spatialmem.memory import SpatialMemory
    from spatialmem.view.scene import PageScene

HOST, PORT = "127.0.0.1", 8080
MAX_BYTES = 16_000_000


class PageError(SpatialMemError):
    """A page that cannot be served where it was asked for."""


@final
class MemoryPage:
    """Serves a memory until it is closed; changes nothing in it. Needs the extra `view`.

    The page shows the memory as it was when it was made; questions go to the memory as it is. Whoever reaches the port
    sees it, without a password.
    """

    def __init__(self, memory: SpatialMemory, host: str = HOST, port: int = PORT, max_bytes: int = MAX_BYTES) -> None:
        """Start serving.

        Args:
            memory: open for as long as the page is.
            host: address to listen at; 127.0.0.1: this machine alone.
            port: 0: any that is free.
            max_bytes: what opening the page may send, beside viser's own code (0.7 MB); the map
                has fewer points where it would be more.

        Raises `MissingDependency` without viser, `PageError` when the port cannot be used, `InvalidValue` for
        `max_bytes` that are too few.
        """
        viser = require("viser", "view")
        from spatialmem.view.panel import Panel  # these load compiled kernels, which `spatialmem view --help` need not
        from spatialmem.view.scene import page_scene

        self._serving = False
        _check_free(host, port)
        self.scene: PageScene = page_scene(memory, max_bytes)
        """what is shown"""
        with _silent_viser():
            self._server = viser.ViserServer(host, port, label=_title(memory), verbose=False)
        self._serving = True
        try:
            if port not in (0, self._server.get_port()):  # viser takes the next one when another process was faster
                raise PageError(_busy(host, port, "another program has just taken it"))
            self._server.gui.configure_theme(control_width="large", show_logo=False, show_share_button=False)
            self._server.gui.main_panel.dock_right()
            self._panel = Panel(self._server, memory, self.scene)
        except BaseException:
            self.close()
            raise

    @property
    def port(self) -> int:
        """The port it is served at."""
        return self._server.get_port()

    @property
    def url(self) -> str:
        """What to type into a browser on this machine."""
        host = self._server.get_host()
        name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        return f"http://{name}:{self.port}"

    def ask(self, text: str) -> None:
        """Ask as if somebody had typed it."""
        self._panel.ask(text)

    def close(self) -> None:
        """Stop serving; browsers that look say so. A second call does nothing."""
        if self._serving:
            self._serving = False
            with _silent_viser():
                self._server.stop()

    def __enter__(self) -> MemoryPage:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _title(memory: SpatialMemory) -> str:
    return "spatialmem" if memory.path is None else memory.path.name


def _check_free(host: str, port: int) -> None:
    """viser goes on to the next port where one is busy, and for ever where an address is not of this machine."""
    if not 0 <= port <= 65535:
        raise InvalidValue(f"a port is a number from 0 to 65535; given {port}")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as error:
        raise PageError(_busy(host, port, error.strerror or str(error))) from error


def _busy(host: str, port: int, reason: str) -> str:
    return (
        f"{host} port {port} cannot be listened at ({reason}); give another, such as --port {port + 1}, or --port 0 "
        "for any that is free"
    )


@contextmanager
def _silent_viser() -> Iterator[None]:
    """viser says on standard output that it starts and stops, which is for whoever uses this library to say."""
    import rich

    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before
