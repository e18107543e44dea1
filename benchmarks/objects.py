"""Things of a house over two visits, with what people moved in between.

Houses of the test split of `naming`, with people in them (sim/house/days), from 6 in the morning. A robot tours one,
and sees it at 256 x 256, 90 degrees, every third step; all frames go into a memory without a file, with the
observations of things that a segmenter finds: `ids`, the true masks with names, or `regions`. Eight hours later it
walks the first 60 % of another tour. A thing was seen when 80 pixels of it are in one image at least; an object is a
thing when half of its points lie in the thing's box grown by 8 cm and both boxes, grown so, have 15 % of what they
take in common; doors and windows count neither as right nor as wrong. Its identity is looked at ten times a visit.
What became of the things that were known after the first visit, as far as the second one shows it: there; moved, by
more than 0.3 m, and seen there; gone, when its old place was looked at (readings reach half of six points of its box)
and it was not seen; not looked, when nothing of it was to be seen either; things of which 1 to 79 pixels were are not
asked about. Against that the memory's answer: PRESENT, or last seen in the second visit: there; a move to within 0.4 m
of the truth: moved; GONE; else not looked. DOUBTED is no right answer. The peer takes the same masks and features in
the same run (accumulating.py: the object map of ConceptGraphs, numbers of 3D-Mem). Snapshots: what the memory holds,
greedy cover anew, splitting by 2-means as 3D-Mem does it, and 3D-Mem's own code where it is at hand (--clustering; it
needs HiPart), all on the same images, qualities and positions. Time of the memory's objects: what it takes to go on by
one frame, snapshots included, without the lifting of masks, which belongs to `observe`. A run is a house.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, final

import accumulating
import numpy as np
import object_walks as walks
from accumulating import Accumulating, Cloud, masks_of
from common import Bench, Cell, Wanted, cell, clock, percentile
from object_walks import DOUBTED, ELSEWHERE, LOST, MOVED_M, STATES, Followed, Known, Visit

from sim.house.world import HouseScene, HouseWorld
from sim.scene import SceneConfig, SceneObject, Sight
from sim.tasks.naming import houses
from spatialmem import Frame, MemoryConfig, SpatialMemory, Stored
from spatialmem.config import GateConfig
from spatialmem.perception import Encoding
from spatialmem.perception.segmenter import Segmenter, load_segmenter
from spatialmem.snapshots.bisecting import bisected
from spatialmem.snapshots.cover import Cover, Shown, Snapshot, cover
from spatialmem.things import Detection
from spatialmem.types import Presence

HOUSES, QUICK_HOUSES = 8, 2
HOUR_NS = 3_600_000_000_000
BEGINS_NS, BETWEEN_NS = 6 * HOUR_NS, 8 * HOUR_NS
SECOND_SHARE = 0.6
"""of the tour of the second visit"""
CHECKPOINTS = 10
OURS, PEER = "ours", "accumulating"
SIDES = (OURS, PEER)
CLUSTERING = Path("runs/3d-mem/hierarchy_clustering.py")
"""where the code of 3D-Mem may be put; it is no part of this repository"""
Answers = dict[tuple[str, str], int]
"""(truth, said) -> things"""


def options(parser: argparse.ArgumentParser) -> None:
    """What finds things, what they look like, and the peer's code."""
    parser.add_argument("--segmenter", choices=("ids", "regions"), default="ids", help="true masks, or found ones")
    parser.add_argument("--encoder", default="tiny", help="of the memory")
    parser.add_argument("--houses", type=int, default=HOUSES, help="of the split")
    parser.add_argument("--split", choices=("test", "fit"), default="test", help="fit, while choices are made")
    parser.add_argument("--clustering", type=Path, default=CLUSTERING, help="src/hierarchy_clustering.py of 3D-Mem")


@final
class Remembering(Segmenter):
    """Another segmenter, and what it found last: the peer is given the same."""

    def __init__(self, inner: Segmenter) -> None:
        self._inner, self.found = inner, list[Detection]()

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def fingerprint(self) -> str:
        return self._inner.fingerprint

    def segment(self, frame: Frame, encoding: Encoding | None) -> Sequence[Detection]:
        self.found = list(self._inner.segment(frame, encoding))
        return self.found


@dataclass(eq=False)
class Side:
    """A memory in one house."""

    name: str
    tell: Callable[[], list[Known]]
    """what it knows, what is gone included"""
    ms: list[list[float]] = field(default_factory=list)
    """of each frame of each visit"""
    within: Followed = field(default_factory=Followed)
    """identities within visits"""
    first: dict[str, float] = field(default_factory=dict)
    """after the first visit"""
    before: dict[int, Known] = field(default_factory=dict)
    """instance id -> the object that stood for it after the first visit"""
    switched: float = float("nan")
    """share of things that another object stands for after the second visit"""
    answers: Answers = field(default_factory=dict)


@dataclass(eq=False)
class House:
    """What was measured in one."""

    sides: dict[str, Side]
    bytes_a_frame: float = 0.0
    observations: int = 0
    """of both visits"""
    observed: int = 0
    """of the first one"""
    objects: int = 0
    snapshots: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """way -> number, mean quality, milliseconds"""
    deeds: int = 0


# --- a house


@final
class Walk:
    """A scene, a memory and its peer, side by side."""

    def __init__(self, scene: HouseScene, memory: SpatialMemory, segmenter: str) -> None:
        self.scene, self.memory, self.peer = scene, memory, Accumulating()
        self.segmenter: Remembering | None = None
        if segmenter:
            self.segmenter = Remembering(load_segmenter(segmenter))
            memory._keeper.segmenter = self.segmenter
        self.house = House({
            OURS: Side(OURS, lambda: [walks.known(thing) for thing in memory.objects()]),
            PEER: Side(PEER, lambda: [known_cloud(cloud) for cloud in self.peer.objects()]),
        })  # fmt: skip

    def visit(self, visit: Visit, share: float) -> None:
        """Walk, and look at identities on the way."""
        things, names, checked = here(self.scene), walks.named(self.scene), 0
        for side in self.house.sides.values():
            side.ms.append([])
        for sight, frame in walks.walked(self.scene, visit, share):
            self._take(sight, frame, names)
            if visit.done * CHECKPOINTS >= checked + 1:
                checked += 1
                for side in self.house.sides.values():
                    side.within.note({n: known.object_id for n, known in standing(side.tell(), things).items()})
        for side in self.house.sides.values():
            side.within.stands_for.clear()

    def _take(self, sight: Sight, frame: Frame, names: Mapping[int, str]) -> None:
        memory, house = self.memory, self.house
        given = walks.true_detections(sight, names) if self.segmenter is None else []
        stored = memory.observe(frame, given if self.segmenter is None else None)
        if not isinstance(stored, Stored):
            return
        start = clock()
        memory._objects._up_to_date()
        house.sides[OURS].ms[-1].append(1e3 * (clock() - start))
        seen = memory._keeper.observed.of(stored.lsn, memory._keeper.rows[stored.lsn])
        assert seen is not None
        house.observations += len(seen)
        masks = masks_of(seen, given if self.segmenter is None else self.segmenter.found)
        start = clock()
        self.peer.take(frame, masks, seen)
        house.sides[PEER].ms[-1].append(1e3 * (clock() - start))


def known_cloud(cloud: Cloud) -> Known:
    """An object of the peer."""
    return Known(cloud.number, cloud.label, cloud.points_m, cloud.low_m, cloud.high_m, cloud.last_ns)


def here(scene: HouseScene) -> list[SceneObject]:
    """Things that are there and are none of the building's own."""
    return [o for o in scene.objects() if o.group != "structure"]


def standing(told: Sequence[Known], things: Sequence[SceneObject]) -> dict[int, Known]:
    """instance id -> the object that stands for it."""
    there = [known for known in told if known.presence is not Presence.GONE]
    return {things[j].instance_id: there[i] for i, j in walks.paired(walks.fits(there, things)).items()}


def judge_first(side: Side, scene: HouseScene, visit: Visit) -> None:
    """What a memory knows after the first visit."""
    told, things = [known for known in side.tell() if known.presence is not Presence.GONE], here(scene)
    fits = walks.fits(told, things)
    pairs = walks.paired(fits)
    fitting = {i for i, _ in fits}
    building = [o for o in scene.objects() if o.group == "structure"]
    neither = {i for i, _ in walks.fits(told, building)} - fitting
    seen = {j for j, thing in enumerate(things) if visit.saw(thing.instance_id)}
    off = [float(np.linalg.norm(told[i].middle_m - things[j].middle_m)) for i, j in pairs.items()]
    side.before = {things[j].instance_id: told[i] for i, j in pairs.items()}
    side.first = {
        "recall": 100 * len(seen & set(pairs.values())) / len(seen),
        "precision": 100 * len(fitting) / max(1, len(told) - len(neither)),
        "duplicates": 100 * len(fitting - set(pairs)) / len(seen),
        "off, median": 100 * float(np.median(off)), "off, p90": 100 * percentile(off, 90),
        "named": 100 * float(np.mean([told[i].name == things[j].category for i, j in pairs.items()])),
        "objects": len(told), "things": len(seen),
    }  # fmt: skip


def judge_second(side: Side, scene: HouseScene, visit: Visit, places: Mapping[int, SceneObject], since_ns: int) -> None:
    """What it says of the same things after the second visit; places: things as they were after the first."""
    now = {o.instance_id: o for o in here(scene)}
    told = side.tell()
    by_number = {known.object_id: known for known in told}
    stands = standing(told, list(now.values()))
    seen = [n for n in side.before if n in stands and visit.saw(n)]
    side.switched = 100 * float(np.mean([stands[n].object_id != side.before[n].object_id for n in seen]))
    for n, before in side.before.items():
        truth = walks.true_state(n, places[n].middle_m, now, visit)
        if truth is not None:
            true_m = now[n].middle_m if n in now else None
            said = walks.said_state(before, by_number.get(before.object_id), true_m, since_ns)
            side.answers[truth, said] = side.answers.get((truth, said), 0) + 1


def judged(scene_id: str, options: argparse.Namespace) -> House:
    """Both visits to a house."""
    scene = HouseWorld(lived_in=True).open(f"{scene_id}+{scene_id}", SceneConfig(256, 256, 90.0))
    scene.advance(BEGINS_NS)
    config = MemoryConfig(voxel_size_m=0.05, gate=GateConfig(store_all=True))
    segmenter = "" if options.segmenter == "ids" else options.segmenter
    with SpatialMemory.create(None, options.encoder, config, segmenter=segmenter) as memory:
        walk, first = Walk(scene, memory, segmenter), Visit()
        house, sides = walk.house, walk.house.sides.values()
        walk.visit(first, 1.0)
        walk.peer.tidy()
        for side in sides:
            judge_first(side, scene, first)
        house.objects, house.observed = len(memory.objects()), house.observations
        house.bytes_a_frame = float(np.mean([len(data) for data in memory._keeper.observed._kept.values()]))
        house.snapshots = snapshots_of(memory, options.clustering if options.clustering.is_file() else None)
        places = {o.instance_id: o for o in here(scene)}
        house.deeds = len(scene.advanced(scene.stamp_ns + BETWEEN_NS))
        since_ns = scene.stamp_ns
        second = Visit({n: (places[n].box_min_m, places[n].box_max_m) for n in left_places(places, scene)})
        walk.visit(second, SECOND_SHARE)
        walk.peer.tidy()
        for side in sides:
            judge_second(side, scene, second, places, since_ns)
    scene.close()
    return house


def left_places(places: Mapping[int, SceneObject], scene: HouseScene) -> list[int]:
    """Things that are not where they were."""
    now = {o.instance_id: o.middle_m for o in here(scene)}
    return [n for n, o in places.items() if n not in now or np.linalg.norm(now[n] - o.middle_m) > MOVED_M]


# --- snapshots


def snapshots_of(memory: SpatialMemory, clustering: Path | None) -> dict[str, tuple[float, float, float]]:
    """way -> images, mean quality of the one that stands for an object, milliseconds; the memory's own is kept up to
    date frame by frame, its time is part of that of its objects."""
    places = {o.object_id: tuple(map(float, o.position_m)) for o in memory.objects() if o.presence is not Presence.GONE}
    kept = memory._objects._snapshots
    views = [Shown(lsn, dict(quality)) for lsn, quality in sorted(kept._shown.items())]
    ways: dict[str, Callable[[], Cover]] = {
        "kept by the memory": lambda: kept.cover, "greedy cover": lambda: cover(places, views),
        "splitting": lambda: bisected(places, views),
    }  # fmt: skip
    if clustering is not None:
        ways["3D-Mem's code"] = lambda: clustered(clustering, places, views)
    found = {}
    for way, make in ways.items():
        start = clock()
        made = make()
        found[way] = (float(len(made.snapshots)), quality_of(made, views), 1e3 * (clock() - start))
    return found


def quality_of(made: Cover, views: Sequence[Shown]) -> float:
    """Mean quality, 0 to 1000, of the image that stands for an object."""
    shown = {view.lsn: view.quality for view in views}
    return float(np.mean([shown[s.lsn][n] for s in made.snapshots for n in s.object_ids]))


_LOADED: dict[Path, Any] = {}


def clustered(path: Path, places: Mapping[int, Sequence[float]], views: Sequence[Shown]) -> Cover:
    """What the code of 3D-Mem makes of it; its frames hold the confidence with which each object was detected."""
    if path not in _LOADED:
        spec = importlib.util.spec_from_file_location("hierarchy_clustering", path)
        assert spec is not None and spec.loader is not None
        _LOADED[path] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(_LOADED[path])
    shown = sorted({n for view in views for n in view.quality} & places.keys())
    frames = {view.lsn: SimpleNamespace(full_obj_list=dict(view.quality), cluster=[]) for view in views}
    floor_m = np.array([places[n][:2] for n in shown])
    made = _LOADED[path].SceneHierarchicalClustering(random_state=66).fit(floor_m, shown, frames)
    return Cover(tuple(Snapshot(lsn, tuple(sorted(one.cluster))) for lsn, one in sorted(made.items())))


# --- all houses


def claims_of(bench: Bench, found: Sequence[House]) -> None:
    """The memory's figures against what is wanted, and as a ratio to those of the peer."""
    for what, unit in FIRST.items():
        mine, its = ([house.sides[side].first[what] for house in found] for side in SIDES)
        bench.claim(f"first visit: {what}", mine, unit, Wanted(), f"{PEER} {median(its)}")
    f1, its = ([walks.macro_f1(house.sides[side].answers) for house in found] for side in SIDES)
    bench.claim("what became of things: macro F1", f1, "", Wanted(), f"{PEER} {median(its)}")
    bench.claim("macro F1 / accumulating", [a / b for a, b in zip(f1, its, strict=True)], "ratio", Wanted())
    switched, its = ([house.sides[side].switched for house in found] for side in SIDES)
    bench.claim(
        "another object after the second visit", switched, "% of things seen again", Wanted(), f"{PEER} {median(its)}"
    )
    for what, share in (("median", 50), ("95th percentile", 95)):
        ms, its = ([percentile(house.sides[side].ms[0], share) for house in found] for side in SIDES)
        note = f"{median([h.objects for h in found])} objects, {median([h.observed for h in found])} observations; "
        bench.claim(
            f"a frame of objects and snapshots, {what}", ms, "ms", Wanted(aim=20), f"{note}{PEER} {median(its)} ms"
        )
    bench.claim("observations of a frame", [house.bytes_a_frame for house in found], "bytes", Wanted())


FIRST = {
    "recall": "%", "precision": "%", "duplicates": "% of things", "off, median": "cm", "off, p90": "cm", "named": "%",
}  # fmt: skip


def median(values: Sequence[float]) -> str:
    """As a note shows it."""
    return f"{float(np.median(values)):.4g}"


def beside(found: Sequence[House], figure: Callable[[Side], float]) -> list[Any]:
    """Both sides and their ratio, house by house."""
    mine, its = ([figure(house.sides[side]) for house in found] for side in SIDES)
    both = [(a, b) for a, b in zip(mine, its, strict=True) if np.isfinite([a, b]).all()]
    if not both:
        return ["none", "none", "none"]
    ratio: Cell | str = cell([a / b for a, b in both]) if all(b for _, b in both) else "none"
    return [cell([a for a, _ in both]), cell([b for _, b in both]), ratio]


def report(bench: Bench, found: Sequence[House]) -> None:
    """Tables."""
    heads = ["", OURS, PEER, "ratio"]
    rows = [
        [f"{what}, {unit}", *beside(found, lambda side, what=what: side.first[what])] for what, unit in FIRST.items()
    ]
    rows += [[f"{what}", *beside(found, lambda side, what=what: side.first[what])] for what in ("objects", "things")]
    bench.table("after the first visit", heads, rows)
    bench.table("identity", heads, [
        ["switches in 100 looks at a thing, ten looks a visit", *beside(found, switch_rate)],
        ["another object after the second visit, % of things seen again", *beside(found, lambda side: side.switched)],
    ])  # fmt: skip
    for side in SIDES:
        answers = walks.added(house.sides[side].answers for house in found)
        said = [*STATES, ELSEWHERE, DOUBTED, LOST]
        bench.table(f"what became of things, all houses: {side}", ["in truth", *(f"said: {s}" for s in said)], [
            [truth, *(answers[truth, word] for word in said)] for truth in STATES
        ])  # fmt: skip
    bench.table("what became of things, by state", ["state", "things", *(
        f"{side}: {what}, %" for side in SIDES for what in ("precision", "recall", "F1")
    )], states_of(found))  # fmt: skip
    bench.table("what became of things, by house", heads, [
        ["macro F1", *beside(found, lambda side: walks.macro_f1(side.answers))]
    ])  # fmt: skip
    bench.table("a frame, ms", heads, times_of(found))
    ways = list(found[0].snapshots)
    bench.table("snapshots after the first visit", ["way", "images", "quality of the image of an object", "ms"], [
        [way, *(cell([house.snapshots[way][n] for house in found]) for n in range(3))] for way in ways
    ])  # fmt: skip
    bench.detail("deeds", [house.deeds for house in found])


def switch_rate(side: Side) -> float:
    """Switches a hundred times that a thing is found again within a visit."""
    return 100 * side.within.switches / max(1, side.within.switches + side.within.kept)


def states_of(found: Sequence[House]) -> list[list[Any]]:
    """Precision, recall and F1 of each state, in per cent, over all things of all houses."""
    answers = {side: walks.added(house.sides[side].answers for house in found) for side in SIDES}
    figures = {side: walks.by_state(answers[side]) for side in SIDES}
    things = {s: sum(count for (truth, _), count in answers[OURS].items() if truth == s) for s in STATES}
    rows: list[list[Any]] = [
        [state, things[state], *(100.0 * one for side in SIDES for one in figures[side][state])] for state in STATES
    ]
    middle = [[float(np.nanmean([figures[side][s][n] for s in STATES])) for n in range(3)] for side in SIDES]
    return [*rows, ["mean", sum(things.values()), *(100.0 * one for side in middle for one in side)]]


def times_of(found: Sequence[House]) -> list[list[Any]]:
    """Medians by fifths of the first visit, and of all of it."""
    rows: list[list[Any]] = []
    for part in range(5):
        rows.append(
            [f"fifth {part + 1} of the first visit, median", *beside(found, lambda s, n=part: fifth(s.ms[0], n))]
        )
    rows.append(["first visit, median", *beside(found, lambda side: percentile(side.ms[0], 50))])
    rows.append(["first visit, 95th percentile", *beside(found, lambda side: percentile(side.ms[0], 95))])
    rows.append(["second visit, median", *beside(found, lambda side: percentile(side.ms[1], 50))])
    rows.append(["second visit, 95th percentile", *beside(found, lambda side: percentile(side.ms[1], 95))])
    return rows


def fifth(ms: Sequence[float], part: int) -> float:
    """Median of a fifth."""
    return percentile(ms[len(ms) * part // 5 : len(ms) * (part + 1) // 5], 50)


def main() -> None:
    parts = [Path(walks.__file__), Path(accumulating.__file__)]
    bench = Bench(
        __file__, "Things of a house over two visits, with what people moved in between", __doc__, options, parts
    )
    given, found = bench.options, list[House]()
    if not given.clustering.is_file():
        bench.missing("snapshots by 3D-Mem's own code: it is not part of this repository; name it with --clustering")
    count = QUICK_HOUSES if bench.quick else given.houses
    for number, scene_id in enumerate(houses(given.split, count), start=1):
        found.append(judged(scene_id, given))
        mine = found[-1].sides[OURS]
        bench.progress(f"house {number}: {mine.first} {sorted(mine.answers.items())}")
    claims_of(bench, found)
    report(bench, found)
    bench.finish()


if __name__ == "__main__":
    main()
