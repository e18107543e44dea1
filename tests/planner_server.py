"""A server on localhost that speaks as much of OpenAI's API as planners need, and fails as servers do."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FORMS = ("json_schema", "json_object", "plain")


@dataclass(frozen=True)
class Turn:
    """How one request for a completion is answered."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    stalls: bool = False
    """nothing is sent until the server ends"""
    cut: bool = False
    """fewer bytes are sent than were announced"""


def said(text: str | None, usage: Mapping[str, int] | None = None, finish: str = "stop") -> Turn:
    """A completion; without `usage` the server does not say how many tokens it took."""
    body: dict[str, Any] = {
        "id": "1", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
    }  # fmt: skip
    return Turn(json.dumps(body | ({"usage": usage} if usage else {})).encode())


def failed(status: int, message: str = "no", **headers: str) -> Turn:
    """An error as OpenAI's API words it; `retry_after` becomes the header Retry-After."""
    body = json.dumps({"error": {"message": message, "type": "t", "param": None, "code": None}}).encode()
    return Turn(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


def _listed(models: Sequence[str]) -> Turn:
    return Turn(json.dumps({"object": "list", "data": [{"id": name} for name in models]}).encode())


class Server:
    """Answers turn by turn, the last turn for ever. A context manager."""

    def __init__(
        self,
        *turns: Turn,
        models: Turn | Sequence[str] = ("m",),
        forms: Sequence[str] = FORMS,
        limit: str = "max_tokens",
    ) -> None:
        """`forms`: of answers that it takes; `limit`: the only name of the limit on tokens that it takes."""
        self.turns = list(turns)
        self.models = models if isinstance(models, Turn) else _listed(models)
        self.forms, self.limit = tuple(forms), limit
        self.asked: list[dict[str, Any]] = []
        """bodies of requests for completions"""
        self.listings = 0
        """requests for the list of models"""
        self.authorization = ""
        self.release = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.release.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def turn(self, body: dict[str, Any]) -> Turn:
        """The answer to a request, after what the server takes at all."""
        self.asked.append(body)
        form = body.get("response_format", {}).get("type", "plain")
        if self.limit not in body:
            return failed(400, f"Unsupported parameter. Use '{self.limit}' instead.")
        if form not in self.forms:
            return failed(400, f"response_format of type {form} is not supported")
        return self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away meanwhile are no matter."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def do_GET(self) -> None:
        self.server.owner.listings += 1
        known = self.path == "/v1/models"
        self._send(self.server.owner.models if known else failed(404, "no such page"))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.owner.authorization = self.headers.get("Authorization", "")
        known = self.path == "/v1/chat/completions"
        self._send(self.server.owner.turn(body) if known else failed(404, "no such page"))

    def _send(self, turn: Turn) -> None:
        if turn.stalls:
            self.server.owner.release.wait(10.0)
            return
        self.send_response(turn.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(turn.body) + 100 * turn.cut))
        for name, value in turn.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(turn.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""
