"""Pictures, pages and recordings of a memory. Nothing here opens a window."""

from __future__ import annotations

from spatialmem.view.picture import query_picture

__all__ = ["query_picture"]
