"""Words from elsewhere (questions, names of things) made safe to stand in a prompt: data, whatever they say."""

from __future__ import annotations

import json
import unicodedata

BEGIN, END = "<data>", "</data>"
"""the only place in a prompt where words from elsewhere stand; their own < and > are written as escapes"""
_BREAKS = {"Cc", "Zl", "Zp"}
_UNSEEN = {"Cf", "Cs", "Co", "Cn"}
"""categories of characters that are not seen, or turn the order of others: marks of direction, tags ..."""


def cleaned(text: str, most: int) -> str:
    """The text in one line, without hidden characters, cut to `most` characters."""
    line = " ".join("".join(map(_seen, str(text)[: 4 * most])).split())
    return line if len(line) <= most else line[: most - 3].rstrip() + "..."


def _seen(letter: str) -> str:
    category = unicodedata.category(letter)
    return " " if category in _BREAKS else "" if category in _UNSEEN else letter


def quoted(text: str, most: int) -> str:
    """The text as a JSON string that cannot end the block of data; `cleaned` before."""
    string = json.dumps(cleaned(text, most), ensure_ascii=False)
    return string.replace("<", "\\u003c").replace(">", "\\u003e")


def block(lines: list[str]) -> str:
    """A block of data."""
    return "\n".join([BEGIN, *lines, END])
