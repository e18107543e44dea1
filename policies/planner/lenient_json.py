"""JSON as models write it: single quotes, commas at the end, Python's True and None, keys without quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, final

_DEEPEST = 12
_MOST_STARTS = 200
"""braces that are tried as the beginning of an object"""
_SPACE = re.compile(r"(?:\s|//[^\n]*\n)*")
_NUMBER = re.compile(r"[-+]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][-+]?\d{1,3})?")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def objects(text: str) -> Iterator[dict[str, Any]]:
    """Every outermost object in a text, in order; what cannot be read as one is passed over."""
    position = text.find("{")
    for _ in range(_MOST_STARTS):
        if position < 0:
            return
        try:
            found, position = _Reader(text).value(position, 0)
            yield found
        except ValueError:
            position += 1
        position = text.find("{", position)


@final
class _Reader:
    """Reads one value, by descent. `ValueError` where there is none."""

    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """The value that begins at a place, and the place behind it."""
        first = self._text[at : at + 1]
        if depth > _DEEPEST:
            raise ValueError("too deep")
        if first == "{":
            return self._object(at + 1, depth)
        if first == "[":
            return self._array(at + 1, depth)
        if first and first in "\"'":
            return self._string(at + 1, first)
        return self._number(at) if first and first in "+-.0123456789" else self._constant(at)

    def _object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        members: dict[str, Any] = {}
        at = self._space(at)
        while self._text[at : at + 1] != "}":
            key, at = self._key(at)
            at = self._space(self._expect(":", self._space(at)))
            members[key], at = self.value(at, depth + 1)
            at = self._separator(at, "}")
        return members, at + 1

    def _array(self, at: int, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        at = self._space(at)
        while self._text[at : at + 1] != "]":
            item, at = self.value(at, depth + 1)
            items.append(item)
            at = self._separator(at, "]")
        return items, at + 1

    def _key(self, at: int) -> tuple[str, int]:
        first = self._text[at : at + 1]
        if first and first in "\"'":
            return self._string(at + 1, first)
        word = _WORD.match(self._text, at)
        if word is None:
            raise ValueError("a key was expected")
        return word[0], word.end()

    def _string(self, at: int, quote: str) -> tuple[str, int]:
        read: list[str] = []
        while (letter := self._text[at : at + 1]) != quote:
            if not letter:
                raise ValueError("the text ends within quotes")
            at += 1
            if letter == "\\":
                letter, at = self._escaped(at)
            read.append(letter)
        return _joined("".join(read)), at + 1

    def _escaped(self, at: int) -> tuple[str, int]:
        letter = self._text[at : at + 1]
        if letter == "u":
            return chr(int(self._text[at + 1 : at + 5], 16)), at + 5
        return _ESCAPES.get(letter, letter), at + 1

    def _number(self, at: int) -> tuple[float, int]:
        found = _NUMBER.match(self._text, at)
        if found is None:
            raise ValueError("a number was expected")
        whole = re.fullmatch(r"[-+]?\d+", found[0])
        return int(found[0]) if whole else float(found[0]), found.end()

    def _constant(self, at: int) -> tuple[bool | None, int]:
        word = _WORD.match(self._text, at)
        if word is None or word[0].lower() not in _CONSTANTS:
            raise ValueError("a value was expected")
        return _CONSTANTS[word[0].lower()], word.end()

    def _separator(self, at: int, end: str) -> int:
        """Behind a comma, which may be the last one, or at the end."""
        at = self._space(at)
        if self._text[at : at + 1] == ",":
            return self._space(at + 1)
        if self._text[at : at + 1] != end:
            raise ValueError(f"a comma or {end} was expected")
        return at

    def _expect(self, letter: str, at: int) -> int:
        if self._text[at : at + 1] != letter:
            raise ValueError(f"{letter} was expected")
        return at + 1

    def _space(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return at if found is None else found.end()


def _joined(text: str) -> str:
    """Escaped pairs of surrogates as the one character they stand for."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _SURROGATE.search(text) else text


_SURROGATE = re.compile("[\ud800-\udfff]")
