"""A way round one error of torchvision: "operator torchvision::nms does not exist".

The torchvision wheel of the package index is built against CUDA. Beside a CPU build of torch its
compiled operators cannot be loaded, and its import then fails while it registers shape functions for
two of them. Declaring those two operators first lets everything else (transforms, models, and what
imports them: open_clip, timm) work. The operators themselves stay unusable, and say so when called.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from typing import Any

from spatialmem.errors import require

_ERROR = "operator torchvision::nms does not exist"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_lock = threading.Lock()
_declared: list[Any] = []  # torch forgets the declarations when the library object is collected
_log = logging.getLogger(__name__)


def import_torchvision(extra: str = "clip") -> bool:
    """Import torchvision; True when that took the declarations described above.

    They are made only when the import fails with exactly that error and torch has no CUDA; any other
    error is raised as it is. Raises `MissingDependency` when torch or torchvision is not installed.
    """
    torch = require("torch", extra)
    with _lock:
        try:
            require("torchvision", extra)
        except RuntimeError as error:
            if _ERROR not in str(error) or torch.version.cuda is not None:
                raise
            _declare(torch)
            importlib.import_module("torchvision")
            _log.info("torchvision was built for CUDA and torch was not: its nms and roi operators are unusable")
        return bool(_declared)


def _declare(torch: Any) -> None:
    if not _declared:
        library = torch.library.Library("torchvision", "DEF")
        for schema in _SCHEMAS:
            library.define(schema)
        _declared.append(library)
    for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[module]  # half-imported
