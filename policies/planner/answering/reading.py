"""What a question asks: its kind and its parts, by patterns of words.

The patterns were written from the train wordings of `sim.tasks.eqa` and from everyday ones. The test wordings are held
out: whoever writes patterns has not looked at them, and does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from policies.planner.answering.words import RELATION, RELATIONS, tidy, without_article


@dataclass(frozen=True)
class Asked:
    """A question that was read."""

    kind: str
    """one of `KINDS`"""
    thing: str = ""
    """phrase for what is asked about, or for what carries or holds it: "white mug in the kitchen" """
    a: str = ""
    """one of two things that are compared"""
    b: str = ""
    relation: str = ""
    """on, in, under or beside; empty where none is named"""
    room: str = ""
    """kind of room that the question is limited to"""


_STANDS = r"(?:is|are|has been left|do you see|lies|stands)"
_TABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("storeys", (
        r"how many (?:floors|storeys|stories|levels)\b.*", r".*(?:number of|count the) (?:floors|storeys)\b.*",
    )),
    ("sleepers", (r".*\b(?:sleep in|spend the night|sleepers|places in beds|can sleep)\b.*",)),
    ("taller", (
        r"(?:which|what)(?: of the two)? is (?:the )?(?:taller|higher)(?: one)?[:,]? ?(?P<a>.+?),? or (?P<b>.+)",
        r"is (?P<a>.+) or (?P<b>.+?) (?:the )?(?:taller|higher)(?: one)?",
        r"(?P<a>.+) or (?P<b>.+?)[:,] which is (?:taller|higher)",
    )),
    ("is taller", (r"is (?P<a>.+) (?:taller|higher) than (?P<b>.+)",)),
    ("nearer", (
        r"(?:which|what)(?: of the two)? is (?:closer|nearer) to (?P<thing>.+?)[:,] ?(?P<a>.+?),? or (?P<b>.+)",
        r"is (?P<a>.+) or (?P<b>.+?) (?:closer|nearer) to (?P<thing>.+)",
        r"(?P<a>.+) or (?P<b>.+?)[:,] which is (?:closer|nearer) to (?P<thing>.+)",
    )),
    ("same colour", (
        r"is the colour of (?P<a>.+) that of (?P<b>.+)",
        r"(?:are|do|have) (?P<a>.+) and (?P<b>.+?) (?:have |of )?the same colour",
        r"is (?P<a>.+) (?:of )?the same colour as (?P<b>.+)",
        r"does (?P<a>.+) match (?P<b>.+) in colour",
    )),
    ("same room", (
        r"are (?P<a>.+) and (?P<b>.+) in (?:the same|one) room",
        r"is (?P<a>.+) in the same room as (?P<b>.+)",
        r"do (?P<a>.+) and (?P<b>.+) stand in (?:the same|one) room",
        r"is (?P<a>.+) in the room where (?P<b>.+) is",
        r"can (?P<a>.+) and (?P<b>.+) be found in (?:the same|one) room",
    )),
    ("storey", (
        r"(?:is|do i find|are) (?P<thing>.+?)(?: kept)? (?:up|down)stairs or (?:up|down)stairs",
        r"on which floor is (?P<thing>.+?)[:,].*",
        r"(?:up|down)stairs or (?:up|down)stairs[:,] where is (?P<thing>.+)",
        r"on which (?:floor|storey) is (?P<thing>.+)",
    )),
    ("open", (
        r"(?:is|are) (?P<thing>.+) (?:open or (?:closed|shut)|(?:closed|shut) or open)",
        r"in what state is (?P<thing>.+?)[:,].*", r"(?P<thing>.+?)[:,] is it open or closed",
        r"does (?P<thing>.+) stand open.*",
    )),
    ("pattern", (
        r"what pattern does (?P<thing>.+) have", r"which pattern is on (?P<thing>.+)",
        r"how is (?P<thing>.+) patterned",
        r"is (?P<thing>.+) (?:striped|checked|dotted)\b.*", r".*\bthe pattern of (?P<thing>.+)",
    )),
    ("use colour", (
        r"(?:what|which) colour (?:is|does) the thing (?:with which i can|.*that is made to) .+",
        r"i want to .+? what colour is .+", r"what is the colour of what i need to .+",
    )),
    ("use room", (
        r"i want to .+ which room\b.*", r"in which room can i .+", r"which room has what i need to .+",
        r"where would i go to .+", r"if i want to .+ which room\b.*",
    )),
    ("use support", (
        r"i want to .+ on what (?:piece|do)\b.*", r"what i need to .+[:,] on what .+",
        r"which piece of furniture has the thing to .+", r"i need the thing to .+ what is it on",
        r"to .+ i need something.* on what .+",
    )),
    ("use any", (
        r"is there (?:anything|something) .*\b(?:with which i can|here to|to) .+",
        r"(?:can|could) i (?!sit).+ in this house",
        r"does this house have what i need to .+", r"could i .+ with what is in this house",
    )),
    ("colour", (
        r"(?:what|which) colou?r is (?P<thing>.+)", r".*\bthe colour of (?P<thing>.+)",
        r"(?:what|which) colour does (?P<thing>.+) have", r"(?P<thing>.+?)[:,] what colour is it",
        r"in which colour is (?P<thing>.+)",
    )),
    ("held", (
        rf"which object {RELATION} (?P<thing>.+) is made of .+",
        rf"there is something made of \S+ {RELATION} (?P<thing>.+)"
        r" what is it", rf"tell me which thing {RELATION} (?P<thing>.+) is of \S+",
    )),
    ("material", (
        r"(?:what|which material) is (?P<thing>.+) made of", r"(?:what|which) material is (?P<thing>.+)",
        r".*\btell me what (?P<thing>.+) is made of", r"(?P<thing>.+?)[:,] what material is it",
    )),
    ("count held", (
        rf"how many (?:things|objects)(?: are| can you see)?(?: there)? {RELATION} (?P<thing>.+)",
        rf"(?:count the|what is the number of) (?:things|objects) {RELATION} (?P<thing>.+)",
    )),
    ("count", (
        r"in all rooms together[:,]? how many (?P<thing>.+?) are there",
        r"how many (?P<thing>.+?) (?:are|can you count|do you see|can you see)(?: there)?(?: (?:in|of) .*)?",
        r"count the (?P<thing>.+?)(?: in .*)?", r"what is the number of (?P<thing>.+?)(?: in .*)?",
        r"how many (?P<thing>.+)",
    )),
    ("sit", (
        r"(?:can|could) (?:i|somebody|someone) sit (?:down )?on (?P<thing>.+?)(?: without .*| as it is.*)?",
        r"is the seat of (?P<thing>.+) free", r"is (?P<thing>.+) free (?:to sit on|of things.*)",
    )),
    ("empty", (
        rf"is nothing (?:at all )?{RELATION} (?P<thing>.+)", r"is (?P<thing>.+?) cleared, with nothing (?P<rel>\w+) it",
        r"is (?P<thing>.+?) (?:empty|bare|cleared|clear)", r"has (?P<thing>.+) been left empty",
    )),
    ("occupied", (
        rf"(?:is there|is|do you see|has) (?:anything|something|an object)(?: been left)? {RELATION} (?P<thing>.+)",
    )),
    ("exists", (
        r"(?:is there|are there|do you see|have you seen|did you see|do i have|have i got) (?P<thing>.+)",
        r"does the (?P<room>[\w' ]+?) have (?P<thing>.+)", r"can (?P<thing>.+) be (?:found|seen) in (?P<room>.+)",
    )),
    ("room", (
        r"(?:in )?which room is there (?P<thing>.+)", r"in which room is (?P<thing>.+)",
        r"which room is (?P<thing>.+) in",
        r"which room has (?P<thing>.+)", r"where (?:is|do i find) (?P<thing>.+?)[:,] in which room",
        r"i am looking for (?P<thing>.+) which room is it in", r"what room do i find (?P<thing>.+) in",
    )),
    ("support", (
        r"what is (?P<thing>.+) (?:on|in|under)", r"on what is (?P<thing>.+)",
        r"on which piece of furniture is (?P<thing>.+)", r"what does (?P<thing>.+) stand or lie on",
        r"which piece of furniture (?:holds|carries) (?P<thing>.+)",
    )),
    ("held", (
        rf"(?:tell me )?(?:what|which \w+) {_STANDS}(?: there)? {RELATION} (?P<thing>.+)",
        rf"there is (?:one thing|something) (?:\w+ )?{RELATION} (?P<thing>.+) what is it",
        rf"(?:tell me )?(?:what|which)(?: is| \w+)? (?:that|the )?(?P<a>.*(?:thing|object)) (?:is )?{RELATION} "
        r"(?P<thing>.+?)(?: is)?",
    )),
    ("which", (
        r"(?:tell me )?(?:which|what) (?P<thing>.+?) is (?:there )?in (?P<room>.+)",
        r"there is one (?P<thing>.+) in (?P<room>.+?) which is it",
    )),
    ("where", (
        r"where (?:is|are|can i find|did i leave|did you see|do i find) (?P<thing>.+)",
        r"can you tell me where (?P<thing>.+) is", r"i cannot find (?P<thing>.+?) where is it",
        r"(?:find|look for|i am looking for) (?P<thing>.+)",
    )),
)  # fmt: skip
"""kind -> what its questions look like, the first that fits counts; full stops and marks are taken off before"""
KINDS = (*dict.fromkeys(kind for kind, _ in _TABLE), "other")
_PATTERNS = tuple((kind, re.compile(form)) for kind, forms in _TABLE for form in forms)
_SCOPE = re.compile(r"in (?:the |my |our )?(?P<room>[\w' ]+): (?P<rest>.+)")
_IN_ROOM = re.compile(
    r"^(?P<rest>.+) in (?:the |my |our )?(?P<room>[\w' ]*(?:room|kitchen|hall|hallway|office|library|gym))$"
)


def read_question(text: str) -> Asked:
    """What a question asks; kind "other" where no pattern fits."""
    line, scope = tidy(text), ""
    scoped = _SCOPE.fullmatch(line)
    if scoped:
        line, scope = scoped["rest"], scoped["room"]
    for kind, pattern in _PATTERNS:
        found = pattern.fullmatch(line)
        if found:
            parts = found.groupdict(default="")
            return _asked(kind, parts, scope, line)
    return Asked("other", thing=line, room=scope)


def _asked(kind: str, parts: dict[str, str], scope: str, line: str) -> Asked:
    room = without_article(parts.get("room", "")) or scope
    thing = parts.get("thing", "")
    if kind == "count" and not room:
        limited = _IN_ROOM.match(line)
        room = limited["room"] if limited else ""
    if kind == "held" and not parts.get("a"):
        parts["a"] = line.partition(parts.get("rel", "") or "\0")[0]
    relation = RELATIONS.get(parts.get("rel", ""), "")
    return Asked(kind, thing.strip(), parts.get("a", "").strip(), parts.get("b", "").strip(), relation, room)
