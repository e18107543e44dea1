"""Answers that are kept, so that a run can be repeated exactly and without a server."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from policies.planner.errors import PlannerError
from policies.planner.pictures import pixels_sha256
from policies.planner.settings import VlmSettings
from policies.planner.vlm import Picture, Reply, Request

_VERSION = 1
"""of keys and of files"""


def written(request: Request) -> list[dict[str, Any]]:
    """The messages of a request as JSON, pictures by the hash of their pixels."""
    return [
        {
            "role": message.role,
            "parts": [
                {"picture": pixels_sha256(part.rgb)} if isinstance(part, Picture) else {"text": part}
                for part in message.parts
            ],
        }
        for message in request.messages
    ]


def request_key(request: Request, settings: VlmSettings) -> str:
    """SHA-256 of all that an answer depends on: model, texts, pixels, schema and the settings of `identity`.

    Where the server stands, prices, caps and patience are left out.
    """
    all_of_it = [_VERSION, settings.identity(), written(request), request.schema]
    return hashlib.sha256(json.dumps(all_of_it, sort_keys=True).encode()).hexdigest()


@final
class AnswerCache:
    """A folder with one file of JSON for each answer. Many processes may use it at the same time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the answer to a request is kept (`request_key`)."""
        return self.folder / f"{key}.json"

    def get(self, key: str) -> Reply | None:
        """The answer, or None; what it cost then is not spent again. `PlannerError` when its file is damaged."""
        path = self.path(key)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return _reply(kept, key)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PlannerError(f"the kept answer {path} is damaged ({error!r}); delete it and run again") from error

    def put(self, key: str, request: Request, reply: Reply, model: str) -> None:
        """Keep an answer, with the texts that it was given to, for people to read."""
        kept = {
            "version": _VERSION, "key": key, "model": model, "text": reply.text, "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out, "estimated": reply.estimated, "cost_usd": reply.cost_usd,
            "finish": reply.finish, "messages": written(request),
        }  # fmt: skip
        _write_atomically(self.path(key), json.dumps(kept, indent=1) + "\n")


def _reply(kept: Mapping[str, Any], key: str) -> Reply:
    if kept["version"] != _VERSION or kept["key"] != key or not isinstance(kept["text"], str):
        raise ValueError(f"version {_VERSION} and key {key[:12]} expected")
    return Reply(
        kept["text"], int(kept["tokens_in"]), int(kept["tokens_out"]), bool(kept["estimated"]), cached=True,
        finish=str(kept["finish"]),
    )  # fmt: skip


def _write_atomically(path: Path, text: str) -> None:
    """The file is there as a whole or not at all, whoever else writes it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=path.stem[:12], suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
