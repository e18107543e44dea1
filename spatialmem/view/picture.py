"""The picture of an answer: the map from above with numbered hits, what is known of each, frames that saw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Answer, Evidence, Hit
from spatialmem.view import words
from spatialmem.view.canvas import (
    HIT_COLOURS,
    INK,
    PAPER,
    PATH,
    SOFT_INK,
    Canvas,
    apart,
    hit_colour,
    shortened,
    wrapped,
)  # fmt: skip
from spatialmem.view.evidence import boxed_frame, image_of
from spatialmem.view.plan import Plan, choose_up, draw_plan

if TYPE_CHECKING:
    from spatialmem.asking import Asking

WIDTH = 1200
_EDGE = 24
_HEAD = 76
_PLAN = (724, 560)
_SIDE_X = _EDGE + _PLAN[0] + 24
_FOOT = 44
_CARDS = 4
_CARD = (276, 207)
_CARD_STEP = 292
_CARD_TEXT = 52
_LISTED = 6
_BADGE_APART = 32.0
_BADGE_BESIDE = 8.0
_ROW = 88


class Keyframe(Protocol):
    """What the picture needs of a trajectory entry."""

    @property
    def stamp_ns(self) -> int: ...
    @property
    def map_from_camera(self) -> NDArray[np.float64]: ...


def query_picture(memory: Asking, answer: Answer, text: str) -> NDArray[np.uint8]:
    """Draw an answer.

    Args:
        memory: where the answer comes from; read only.
        answer: what `memory.query` returned.
        text: the question, for the headline.

    Returns:
        (H, 1200, 3) uint8 RGB: title, map from above with the camera's path and numbered hits, a list of the
        hits, a scale bar, and up to four frames in which they were seen, with their boxes.
    """
    cards = _chosen_evidence(answer.hits)
    height = _HEAD + _PLAN[1] + _FOOT + (_CARD[1] + _CARD_TEXT + _EDGE if cards else 0)
    canvas = Canvas(WIDTH, height)
    plan, how = _plan_of(memory)
    _title(canvas, answer, text)
    canvas.paste(plan.rgb, _EDGE, _HEAD)
    _mark(canvas, plan, memory, answer)
    _scale_bar(canvas, plan, how)
    _side(canvas, answer)
    for k, (number, evidence) in enumerate(cards):
        _evidence_card(canvas, memory, number, evidence, _EDGE + k * _CARD_STEP, _HEAD + _PLAN[1] + _FOOT)
    return canvas.rgb


def _plan_of(memory: Asking) -> tuple[Plan, str]:
    points = memory.points()
    poses = np.array([k.map_from_camera for k in memory.trajectory()]).reshape(-1, 4, 4)
    up, how = choose_up(memory.up_in_map, points.normal, poses)
    plan = draw_plan(
        points.position_m, points.normal, points.rgb, poses[:, :3, 3], up, memory.config.voxel_size_m, _PLAN
    )
    return plan, how


def _title(canvas: Canvas, answer: Answer, text: str) -> None:
    number = len(answer.hits)
    found = "nothing found" if number == 0 else "1 place" if number == 1 else f"{number} places"
    canvas.text(_EDGE, 46, shortened(text, _PLAN[0], 30, bold=True), 30, INK, bold=True)
    canvas.text(_SIDE_X, 46, found, 22, INK)
    canvas.rule(_HEAD - 14, _EDGE, WIDTH - _EDGE)


def _mark(canvas: Canvas, plan: Plan, memory: Asking, answer: Answer) -> None:
    """Path and hits, cut off at the edge of the map."""
    layer = Canvas(*_PLAN)
    layer.paste(plan.rgb, 0, 0)
    poses = np.array([k.map_from_camera for k in memory.trajectory()]).reshape(-1, 4, 4)
    _draw_path(layer, plan.pixels(poses[:, :3, 3]))
    for number, hit in reversed(list(enumerate(answer.hits, start=1))):
        layer.outline(_footprint(plan, hit), hit_colour(number))
    _draw_badges(layer, plan, answer.hits)
    canvas.paste(layer.rgb, _EDGE, _HEAD)


def _draw_path(layer: Canvas, path_xy: NDArray[np.float64]) -> None:
    if len(path_xy) == 0:
        return
    layer.line(path_xy, PAPER, 5)
    layer.line(path_xy, PATH, 2)
    layer.dot(path_xy[0], 6, PAPER)
    layer.dot(path_xy[0], 4, PATH)
    layer.dot(path_xy[-1], 7, PAPER)
    layer.dot(path_xy[-1], 5.5, PATH)
    layer.dot(path_xy[-1], 2.5, PAPER)


def _footprint(plan: Plan, hit: Hit) -> NDArray[np.float64]:
    """(4, 2) rectangle around the hit's box seen from above, at least 8 pixels wide."""
    corners = np.array([np.where(pick, hit.box_max_m, hit.box_min_m) for pick in np.ndindex(2, 2, 2)])
    xy = plan.pixels(corners)
    low, high = xy.min(axis=0), xy.max(axis=0)
    grow = np.maximum(8.0 - (high - low), 0.0) / 2.0
    (x0, y0), (x1, y1) = low - grow, high + grow
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _draw_badges(layer: Canvas, plan: Plan, hits: tuple[Hit, ...]) -> None:
    """A dot at each position, a numbered badge at the corner of its box, badges apart from each other."""
    corners = [(float(box[1, 0]), float(box[1, 1])) for box in (_footprint(plan, hit) for hit in hits)]
    beside = [(x + _BADGE_BESIDE, y - _BADGE_BESIDE) for x, y in corners]
    badges = np.clip(apart(beside, _BADGE_APART), 16.0, np.array(_PLAN) - 17.0)
    for number, hit in enumerate(hits, start=1):
        centre = plan.pixels(hit.position_m)
        layer.dot(centre, 5.5, PAPER)
        layer.dot(centre, 4.0, hit_colour(number))
    for number, (corner, badge) in enumerate(zip(corners, badges, strict=True), start=1):
        layer.line(np.array([corner, badge]), hit_colour(number), 2)
    for number, badge in reversed(list(enumerate(badges, start=1))):
        layer.badge(badge, number)


def _scale_bar(canvas: Canvas, plan: Plan, how: str) -> None:
    """Below the map: a bar of round length, how the view was chosen, what the line is."""
    y = _HEAD + _PLAN[1] + 22
    nice = [m * 10.0**e for e in range(-2, 4) for m in (1.0, 2.0, 5.0)]
    length = max((v for v in nice if v * plan.pixels_per_m <= _PLAN[0] / 4.0), default=nice[0])
    x1 = _EDGE + length * plan.pixels_per_m
    canvas.line(np.array([(_EDGE, y - 10), (_EDGE, y - 4), (x1, y - 4), (x1, y - 10)]), INK, 2)
    used = canvas.text(x1 + 10, y, f"{length:g} m", 17, INK)
    note = f"{how}; line: camera path, ring: its end"
    canvas.text(x1 + used + 34, y, shortened(note, int(_EDGE + _PLAN[0] - x1 - used - 34), 17), 17, SOFT_INK)


def _side(canvas: Canvas, answer: Answer) -> None:
    """What is known of each hit, beside the map."""
    width, y = WIDTH - _EDGE - _SIDE_X, _HEAD + 6
    for line in _remarks(answer):
        for part in wrapped(line, width, 18):
            canvas.text(_SIDE_X, y + 14, part, 18, SOFT_INK)
            y += 24
        y += 6
    room = (_HEAD + _PLAN[1] - y) // _ROW
    shown = answer.hits[: min(_LISTED, room)]
    for number, hit in enumerate(shown, start=1):
        _hit_row(canvas, number, hit, y, width)
        y += _ROW
    if len(answer.hits) > len(shown):
        canvas.text(_SIDE_X, y + 10, f"and {len(answer.hits) - len(shown)} more on the map", 17, SOFT_INK)


def _remarks(answer: Answer) -> list[str]:
    remarks = []
    if not answer.hits:
        remarks.append(f"No surface answers this question; {answer.searched_voxels:,} voxels were looked through.")
    if answer.unknown_words:
        remarks.append("Words the encoder does not know: " + ", ".join(answer.unknown_words))
    if answer.not_searched:
        remarks.append("Not searched: " + answer.not_searched)
    return remarks


def _hit_row(canvas: Canvas, number: int, hit: Hit, y: int, width: int) -> None:
    x = _SIDE_X + 40
    position = "  ".join(f"{name} {value:.2f}" for name, value in zip("xyz", hit.position_m, strict=True))
    extent = " x ".join(f"{value:.2f}" for value in hit.extent_m)
    score = f"score {hit.score:.2f}" + ("" if hit.calibrated else ", not calibrated")
    canvas.badge((_SIDE_X + 14, y + 14), number)
    canvas.text(x, y + 15, shortened(f"{position} m", width - 40, 19, bold=True), 19, INK, bold=True)
    canvas.text(x, y + 38, shortened(f"{extent} m, {score}", width - 40, 17), 17, SOFT_INK)
    seen = f"{hit.presence.value}, last seen {words.when(hit.last_seen_ns)}"
    canvas.text(x, y + 60, shortened(seen, width - 40, 17), 17, SOFT_INK)


def _chosen_evidence(hits: tuple[Hit, ...]) -> list[tuple[int, Evidence]]:
    """Up to four (number of the hit, evidence): the best frame of each hit, then the next best."""
    rounds = max((len(hit.evidence) for hit in hits), default=0)
    ordered = [
        (number, hit.evidence[k])
        for k in range(rounds)
        for number, hit in enumerate(hits[: len(HIT_COLOURS)], start=1)
        if k < len(hit.evidence)
    ]
    return sorted(ordered[:_CARDS], key=lambda card: card[0])


def _evidence_card(canvas: Canvas, memory: Asking, number: int, evidence: Evidence, x: int, y: int) -> None:
    rgb, rendered = image_of(memory, evidence.lsn)
    image = boxed_frame(rgb, evidence.box_xyxy, hit_colour(number), _CARD)
    canvas.paste(image, x, y)
    canvas.badge((x + 14, y + _CARD[1] + 24), number)
    seen = f"frame {evidence.seq} of {evidence.camera_id}, {words.clock(evidence.stamp_ns)}{rendered}"
    canvas.text(x + 38, y + _CARD[1] + 29, shortened(seen, _CARD[0] - 38, 17), 17, SOFT_INK)
