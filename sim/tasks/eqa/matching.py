"""When an answer is right: after case, articles, lead-ins, punctuation and ways of writing numbers are put aside.

Nothing is guessed: what is left must be one of the answers that are listed. Free answers that mean the same in other
words need a scorer, see scoring.py.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

_NUMBERS = {w: str(i) for i, w in enumerate("zero one two three four five six seven eight nine ten".split())}
_SPELLINGS = {"gray": "grey", "color": "colour", "colored": "coloured", "yep": "yes", "yeah": "yes", "nope": "no"}
_DROPPED = frozenset(("a", "an", "the"))
_LEADS = (
    "it is", "it's", "its", "that is", "that's", "this is", "there is", "there are", "there's", "they are", "i think",
    "i see", "answer is", "answer",
)  # fmt: skip
_LEAD = re.compile(rf"^(?:(?:{'|'.join(_LEADS)}) )+")
_PLACES = ("in", "on", "at", "inside", "upon")


@functools.lru_cache(maxsize=1 << 16)
def normalised(answer: str) -> str:
    """What is compared: lower case, digits for number words, no articles, no lead-in, no punctuation."""
    text = unicodedata.normalize("NFKC", answer).casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").strip()
    text = re.sub(r"[\"'.,;:!?()*_`]+", " ", text.replace("it's", "it is").replace("that's", "that is"))
    text = re.sub(r"[\s/-]+", " ", text).strip()
    text = _LEAD.sub("", text)
    words = [_SPELLINGS.get(w, _NUMBERS.get(w, w)) for w in text.split() if w not in _DROPPED]
    while len(words) > 1 and words[0] in _PLACES:
        words = words[1:]
    if words == ["none"]:
        words = ["0"]
    return " ".join(words)


def matches(answer: str, right: Iterable[str]) -> bool:
    """Whether an answer is one of those that are right."""
    said = normalised(answer)
    return bool(said) and any(said == normalised(r) for r in right)
