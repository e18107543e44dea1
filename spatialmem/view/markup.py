"""What the panel of a page says, as HTML. Every text that comes from a memory or a user is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from spatialmem.types import Answer, Evidence, Hit, Presence
from spatialmem.view import words
from spatialmem.view.canvas import hit_colour
from spatialmem.view.scene import PageScene

if TYPE_CHECKING:
    from spatialmem.log_entry import Keyframe

SINCE = {
    Presence.PRESENT: "as it was, the last time it was in view",
    Presence.DOUBTED: "later frames looked here and did not agree; not yet enough to say that it has gone",
    Presence.GONE: "looked at again, and something else was seen: gone, or moved",
    Presence.NOT_SEEN_SINCE: "frames came after it, and none looked there",
    Presence.NEVER_LOOKED: "no frame ever looked there",
    Presence.SOMETHING_ELSE: "looked at, and something was there that does not answer",
    Presence.FREE: "looked at, and seen to be empty",
}
"""what each presence means, for people"""
_SOFT = "color:#686e78"
_BODY = "font-size:0.875em;line-height:1.45;padding:0.2em 0.9em"


def page_html(scene: PageScene) -> str:
    """What is shown, and how."""
    shown = sum(len(step.surface) + len(step.ceiling) for step in scene.steps)
    frames = scene.steps[-1].frames if scene.steps else 0
    fewer = f", made {shown:,} points {scene.cell_m * 100:.1f} cm apart" if shown < scene.points else ""
    lines = [
        f"{frames:,} stored frames, {scene.points:,} surface points{fewer}",
        escape(scene.how_up),
        f"to open this page takes at most {words.size(scene.bytes_sent)}",
    ]
    return _block("<br>".join(line for line in lines if line), soft=True)


def until_html(scene: PageScene, number: int) -> str:
    """What position `number` of the time slider means."""
    if not scene.steps:
        return _block("nothing is stored yet", soft=True)
    step = scene.steps[number - 1]
    text = (
        f"{escape(words.when(step.last.stamp_ns))}, after {step.frames:,} of {scene.steps[-1].frames:,} stored frames"
    )
    if number == len(scene.steps):
        return _block(f"now: {text}", soft=True)
    return _block(f"{text}: what had been seen by then. Answers are of now.", soft=True)


def answer_html(text: str, answer: Answer) -> str:
    """How a question was answered, without the hits."""
    count = len(answer.hits)
    found = "nothing found" if count == 0 else "1 place" if count == 1 else f"{count} places"
    lines = [f"<b>{escape(text)}</b>: {found}"]
    if not answer.hits:
        lines.append(f"{answer.searched_voxels:,} voxels were looked through")
    if answer.unknown_words:
        lines.append("words the encoder does not know, without influence: " + escape(", ".join(answer.unknown_words)))
    if answer.hits and not answer.calibrated:
        lines.append("scores are not calibrated: compare them, do not read them as probabilities")
    if answer.not_searched:
        lines.append("not searched: " + escape(answer.not_searched))
    return _block("<br>".join(lines))


def error_html(message: str) -> str:
    """An error, word by word."""
    return _block(f'<span style="color:#b3261e">{escape(message)}</span>')


def hit_label(number: int, hit: Hit) -> str:
    """The text of a hit's button; viser shows it as it is."""
    return f"{number}: {hit.presence.value}, score {hit.score:.2f}, seen {words.clock(hit.last_seen_ns)}"


def hit_html(number: int, hit: Hit) -> str:
    """What is known of a hit."""
    position = ", ".join(f"{value:.2f}" for value in hit.position_m)
    extent = " x ".join(f"{value:.2f}" for value in hit.extent_m)
    red, green, blue = hit_colour(number)
    head = f'<b style="color:rgb({red},{green},{blue})">Hit {number}: {hit.presence.value}</b>'
    lines = [
        f"{head} <span style='{_SOFT}'>({escape(SINCE[hit.presence])})</span>",
        f"at {position} m, {extent} m large",
        f"first seen {words.when(hit.first_seen_ns)}, last {words.when(hit.last_seen_ns)}",
        f"seen best in {len(hit.evidence)} frames:" if hit.evidence else "none of its frames is stored any more",
    ]
    return _block("<br>".join(lines))


def evidence_label(evidence: Evidence) -> str:
    """The line above a picture; viser shows it as it is."""
    return f"frame {evidence.seq} of {evidence.camera_id}, {words.clock(evidence.stamp_ns)}"


def keyframe_label(keyframe: Keyframe) -> str:
    """The line above a stored frame; viser shows it as it is."""
    return (
        f"frame {keyframe.seq} of {keyframe.camera_id}, session {keyframe.session_id}, {words.when(keyframe.stamp_ns)}"
    )


def _block(inner: str, soft: bool = False) -> str:
    return f'<div style="{_BODY}{";" + _SOFT if soft else ""}">{inner}</div>'
