"""What a planner is shown: which snapshots and frontiers towards a question, within a bound on images and tokens.

In 3D-Mem (Yang et al., CVPR 2025, section 3.3) a language model ranks the names of all classes, and snapshots with one
of the first ten are kept. Here things are ranked by their features in the encoder's space, and the snapshots that stand
for the best come first, until the bound; nothing has to be asked for that. A frontier's picture is a stored frame that
looked that way, or is rendered from the map; the camera is never turned for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spatialmem.checks import described, whole_number
from spatialmem.errors import BeforeHorizon, InvalidValue, SpatialMemError, UpUnknown
from spatialmem.frontier_pictures import pictured, unpictured
from spatialmem.ground.floors import Floors
from spatialmem.ground.frontiers import frontiers_of
from spatialmem.log_entry import Keyframe
from spatialmem.map_picture import map_picture
from spatialmem.object_layer import Box
from spatialmem.perception import Encoder
from spatialmem.retrieval.context import Context, FrontierView, ShownObject, SnapshotView
from spatialmem.snapshots.cover import Snapshot
from spatialmem.telling import Told, told_of
from spatialmem.things import MapObject
from spatialmem.types import Presence

if TYPE_CHECKING:
    from spatialmem.asking import Asking

ThingsAtOnce = tuple[tuple[MapObject, ...], tuple[Snapshot, ...], Mapping[int, Mapping[int, Box]]]
MAP_PX = 512
_PIXELS_A_TOKEN = 750.0
_TOKENS_AN_OBJECT = 12
_MIDDLES, _PATCHES = (0.35, 0.5), (0.125, 0.1875)
"""shares of the sides of a goal's picture"""
_UPRIGHT_COS = 0.996
"""cosine of up and the z axis (5 degrees) from which boxes stand upright"""
_FRONTIER_SHARE = 0.5
"""of the images for snapshots and frontiers that frontiers may take"""


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a planner asks for."""

    question: str
    goal_rgb: NDArray[np.uint8] | None
    view_rgb: NDArray[np.uint8] | None
    map_from_camera: NDArray[np.float64] | None
    """(4, 4) where the camera is now"""
    max_images: int
    max_tokens: int | None
    explores: bool
    """whether frontiers are of use"""
    pictures: bool
    """whether images are shown; without, there is no bound on their number"""
    details: bool = True
    """whether colours, and what is on, in, under and beside what, are told"""

    def __post_init__(self) -> None:
        if not isinstance(self.question, str):
            raise InvalidValue(f"the question of a context is text; given {described(self.question)}; use str() on it")
        for name, value in (("max_images", self.max_images), ("max_tokens", self.max_tokens)):
            number = whole_number(value)
            if (value is not None or name == "max_images") and (number is None or number < 0):
                raise InvalidValue(f"{name} is a whole number of at least 0; given {described(value)}")

    @property
    def given(self) -> int:
        """Images that come with the question."""
        return (self.view_rgb is not None) + (self.goal_rgb is not None)

    @property
    def shows_map(self) -> bool:
        """Whether there is room for the plan."""
        return self.pictures and self.max_images > self.given


def tokens_of(images: Sequence[NDArray[np.uint8] | None], objects: int) -> int:
    """Estimate of what images and lists of things take; each model counts in its own way."""
    pixels = sum(image.shape[0] * image.shape[1] for image in images if image is not None)
    return int(pixels / _PIXELS_A_TOKEN) + _TOKENS_AN_OBJECT * objects


def context_of(memory: Asking, wanted: Wanted) -> Context:
    """Build it; see `Asking.context`."""
    things, snapshots, boxes = memory._things_at_once()
    scores = scores_of(memory, wanted, things)
    placed = wanted.details and _upright(memory)
    told = told_of(memory.encoder, things, placed) if wanted.details else {}
    shown = {
        o.object_id: _shown(o, score, told.get(o.object_id, Told())) for o, score in zip(things, scores, strict=True)
    }
    ranked = tuple(sorted(shown.values(), key=lambda o: (o.presence is Presence.GONE, -o.score, o.object_id)))
    snapshots = sorted(snapshots, key=lambda s: (-max(shown[n].score for n in s.object_ids), s.lsn))
    floors, why = _floors(memory, wanted)
    frontiers = () if floors is None or not wanted.explores else frontiers_of(floors, sparse=True)
    room = len(snapshots) + len(frontiers)
    if wanted.pictures:
        room = max(0, wanted.max_images - wanted.given - wanted.shows_map)
    for_frontiers = min(len(frontiers), max(int(_FRONTIER_SHARE * room), room - len(snapshots)))
    chosen = snapshots[: room - for_frontiers]
    views = [
        _snapshot_view(memory, n, s, shown, boxes.get(s.lsn, {}), wanted.pictures)
        for n, s in enumerate(chosen, start=1)
    ]
    frames = memory.trajectory() if wanted.pictures and frontiers else []
    edges = [pictured(memory, f, frames) if wanted.pictures else unpictured(f) for f in frontiers]
    edges = _scored(memory, wanted, edges)[:for_frontiers]
    edges = [replace(edge, mark=n) for n, edge in enumerate(edges, start=1)]
    context = Context(
        wanted.question, wanted.goal_rgb, tuple(views), tuple(edges), wanted.view_rgb, None, ranked, "", 0,
        placed=placed,
    )  # fmt: skip
    return _bounded(floors, wanted, context, len(snapshots), len(frontiers), why)


def _bounded(
    floors: Floors | None, wanted: Wanted, context: Context, snapshots: int, frontiers: int, why: str
) -> Context:
    """Leave out the worst until it fits, number what is left on the map, and say what is missing."""
    views, edges = list(context.snapshots), list(context.frontiers)
    drawn = wanted.shows_map and floors is not None and floors.standing.free.state.size > 0

    def tokens() -> int:
        images = [wanted.goal_rgb, wanted.view_rgb, *(v.rgb for v in views), *(e.rgb for e in edges)]
        plan = int(MAP_PX * MAP_PX / _PIXELS_A_TOKEN) if drawn else 0
        return tokens_of(images, sum(len(v.objects) for v in views)) + plan

    most = math.inf if wanted.max_tokens is None else wanted.max_tokens
    while tokens() > most and (views or edges):
        (views if len(views) >= len(edges) else edges).pop()
    drawn = drawn and tokens() <= most
    said = [why] if why else []
    if len(views) < snapshots:
        said.append(f"{snapshots - len(views)} of {snapshots} snapshots")
    if len(edges) < frontiers:
        said.append(f"{frontiers - len(edges)} of {frontiers} frontiers")
    if wanted.pictures and not drawn and floors is not None:
        said.append("the plan")
    if tokens() > most:
        said.append(f"what was given takes {tokens()} tokens by itself")
    picture = (
        map_picture(floors, views, edges, wanted.map_from_camera, MAP_PX) if drawn and floors is not None else None
    )
    return replace(
        context, snapshots=tuple(views), frontiers=tuple(edges), map_rgb=picture, left_out="; ".join(said),
        tokens=tokens(), map_from_camera=wanted.map_from_camera,
    )  # fmt: skip


def _shown(thing: MapObject, score: float, told: Told) -> ShownObject:
    where = told.where
    on, inside, under = (None if o is None else o.object_id for o in (where.on, where.inside, where.under))
    return ShownObject(
        thing.object_id, thing.name, score, thing.presence, thing.position_m, thing.extent_m, None,
        colour=told.colour, colours=told.colours, on=on, inside=inside, under=under,
        beside=tuple(o.object_id for o in where.beside),
    )  # fmt: skip


def _upright(memory: Asking) -> bool:
    """Whether the z axis of the map points up."""
    up = memory.up_in_map
    return up is not None and up[2] > _UPRIGHT_COS


def scores_of(memory: Asking, wanted: Wanted, things: Sequence[MapObject]) -> NDArray[np.float64]:
    """(N,) how well things answer, by the memory's encoder; 0 where it cannot tell."""
    scores = np.zeros(len(things))
    known = [i for i, o in enumerate(things) if o.feature is not None]
    if not known:
        return scores
    features = np.array([things[i].feature for i in known], np.float32)
    scores[known] = feature_scores(memory, wanted, features)
    return scores


def feature_scores(memory: Asking, wanted: Wanted, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N,) of features (N, D): for words the encoder's score, for a picture the cosine with what is in its middle."""
    encoder = memory.encoder
    if wanted.goal_rgb is not None:
        return np.clip(features @ goal_vector(encoder, wanted.goal_rgb), 0.0, 1.0).astype(np.float64)
    vector = encoder.encode_text(wanted.question).vector
    if vector is None:
        return np.zeros(len(features))
    return np.asarray(encoder.score(features, vector), np.float64)


def goal_vector(encoder: Encoder, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(D,) unit norm: what is in the middle of a picture, by crops of a third and half of its sides, and patches.

    A goal's picture shows more than the thing, which is in its middle; so is that of a crop."""
    dense = encoder.encode(rgb).dense
    h, w, dim = dense.shape
    parts = [encoder.encode_crop(_middle(rgb, share)) for share in _MIDDLES]
    for share in _PATCHES:
        half_h, half_w = max(1, round(share * h / 2)), max(1, round(share * w / 2))
        rows, columns = np.s_[h // 2 - half_h : h // 2 + half_h], np.s_[w // 2 - half_w : w // 2 + half_w]
        mean = dense[rows, columns].reshape(-1, dim).mean(axis=0)
        parts.append(mean / max(float(np.linalg.norm(mean)), 1e-9))
    mean = np.sum(parts, axis=0)
    return (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)


def _middle(rgb: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """The middle of an image, such a share of its sides."""
    off = [round(n * (1.0 - share) / 2.0) for n in rgb.shape[:2]]
    return np.ascontiguousarray(rgb[off[0] : rgb.shape[0] - off[0], off[1] : rgb.shape[1] - off[1]])


def _snapshot_view(
    memory: Asking, mark: int, snapshot: Snapshot, shown: Mapping[int, ShownObject], boxes: Mapping[int, Box],
    pictures: bool,
) -> SnapshotView:  # fmt: skip
    frame = memory.pose_of(snapshot.lsn)
    objects = [replace(shown[n], box_xyxy=boxes.get(n)) for n in snapshot.object_ids]
    objects.sort(key=lambda o: (-o.score, o.object_id))
    rgb = _picture(memory, frame) if pictures else np.zeros((0, 0, 3), np.uint8)
    return SnapshotView(mark, frame.lsn, frame.stamp_ns, rgb, frame.map_from_camera, tuple(objects))


def _picture(memory: Asking, frame: Keyframe) -> NDArray[np.uint8]:
    """The image of a stored frame; where it was given up, or none are kept, what the map shows from there."""
    try:
        return memory.keyframe(frame.lsn).rgb
    except SpatialMemError:
        return memory.render(frame.map_from_camera, frame.camera).rgb


def _floors(memory: Asking, wanted: Wanted) -> tuple[Floors | None, str]:
    """The ground, where it is needed and can be told; else why it cannot."""
    if not (wanted.explores or wanted.pictures):
        return None, ""
    try:
        return memory.floors(), ""
    except (UpUnknown, BeforeHorizon) as error:
        return None, f"frontiers and map picture: {error}"


def _scored(memory: Asking, wanted: Wanted, edges: Sequence[FrontierView]) -> list[FrontierView]:
    """With how well their pictures answer, the best first, of equal ones the widest."""
    encoder, found = memory.encoder, list[FrontierView]()
    for edge in edges:
        if edge.rgb is None:
            found.append(edge)
            continue
        dense = None if edge.lsn is None else memory.features_of(edge.lsn)
        dense = encoder.encode(edge.rgb).dense if dense is None else dense
        scores = feature_scores(memory, wanted, dense.reshape(-1, encoder.dim))
        found.append(replace(edge, score=float(np.quantile(scores, 0.9))))
    return sorted(found, key=lambda e: (-round(e.score, 6), -e.width_m))


def checked_picture(name: str, rgb: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
    """An image that a context is given, or None."""
    if rgb is None or (isinstance(rgb, np.ndarray) and rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == 3):
        return rgb
    given = f"{getattr(rgb, 'dtype', type(rgb).__name__)} {getattr(rgb, 'shape', '')}"
    raise InvalidValue(f"{name} must be uint8 (H, W, 3), red first; given {given}; scale floats by 255, drop alpha")
