"""From a phrase to the words that the text tower knows. No tensors here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from spatialmem.errors import InvalidValue

MOST_WORDS = 4000
LONGEST = 24
"""words of a phrase that the tower reads; those after them have no say"""
_SAME = {"an": "a", "gray": "grey", "color": "colour", "colored": "coloured", "colors": "colours", "woolen": "woollen"}
_FILLER = frozenset(
    "am are at bring by can could did do does drive fetch for got has had have he hello hey i if it item its just "
    "kindly let me move navigate near need now our please robot see seen she should tell thanks that their these they "
    "this those to us want was we were what which who whose will with would you your".split()
)
"""words that say nothing about what is looked for: where the vocabulary lacks them, they are passed over in silence"""
_ENDINGS = (("ves", "f"), ("ves", "fe"), ("ies", "y"), ("es", ""), ("s", ""))


def words_of(text: str) -> list[str]:
    """Lower-case words of a text, in one spelling."""
    plain = text.lower().replace("'s", "").replace("\u2019s", "")
    words: list[str] = re.findall(r"[^\W_]+", plain)
    return [_SAME.get(word, word) for word in words]


@dataclass(frozen=True)
class Tokens:
    """A phrase as the text tower reads it."""

    ids: tuple[int, ...]
    """indices into the vocabulary, from 1 (0 is padding); empty where no word says what is looked for"""
    unknown: tuple[str, ...]
    """words that have no say, in order, each once"""


@final
class Vocabulary:
    """The closed list of words; word n has the id n + 1."""

    def __init__(self, words: Sequence[str], function_words: Sequence[str]) -> None:
        """`function_words`: those that alone mean nothing ("the", "find", "thing")."""
        if not 1 <= len(words) <= MOST_WORDS or len(set(words)) != len(words):
            raise InvalidValue(f"a vocabulary has 1 to {MOST_WORDS} words, each once; given {len(words)}")
        odd = [word for word in words if words_of(word) != [word]]
        if odd:
            raise InvalidValue(f"words of a vocabulary are single, in lower case and in one spelling; given {odd[:5]}")
        self.words, self.function_words = tuple(words), tuple(function_words)
        self._ids: Mapping[str, int] = {word: n + 1 for n, word in enumerate(words)}

    def __len__(self) -> int:
        return len(self.words)

    def read(self, text: str) -> Tokens:
        """A plural is read as its singular where only that is known; unknown words are left out and named."""
        read: list[str] = []
        unknown: list[str] = []
        for word in words_of(text):
            known = next((w for w in (word, *_singular(word)) if w in self._ids), None)
            if known is not None and len(read) < LONGEST:
                read.append(known)
            elif known is not None or word not in _FILLER:
                unknown.append(word)
        says = not set(read) <= set(self.function_words)
        return Tokens(tuple(self._ids[word] for word in read) if says else (), tuple(dict.fromkeys(unknown)))


def _singular(word: str) -> list[str]:
    """What the word may be the plural of."""
    found = [word[: -len(ending)] + instead for ending, instead in _ENDINGS if word.endswith(ending)]
    return [w for w in found if len(w) > 1]
