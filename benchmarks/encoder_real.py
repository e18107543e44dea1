"""What carries over to real cameras: each recording is remembered whole by each encoder, voxels of 2 cm, and asked
for things that it shows and for things that it does not. A first hit is right when it lies, in a frame where the
thing was marked by eye (benchmarks/real_things.json), in its box and within 15 cm of the surface there. `best guess`
refuses nothing, `as shipped` is the answer of `query` with the shipped calibration, which was fitted on made-up
houses. Chance: the share of the surface shown that would be right. Few questions, several of them about the same
thing: a look, not a statistic. --pictures FOLDER draws the best guesses of the first encoder."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import map_cases as cases
import numpy as np
from common import SEED, Bench, Wanted
from numpy.typing import NDArray
from recordings import available, frames_of, label

from spatialmem import SpatialMemory
from spatialmem.perception import load_encoder
from spatialmem.types import Frame, Hit

THINGS = Path(__file__).with_name("real_things.json")
SIZE = (640, 480)
NEAR_M = 0.15
POINTS = 1500
QUICK = ("tum_fr1_rpy_a",)
TILE = (320, 240)


@dataclass(frozen=True, eq=False)
class Told:
    """A question about a recording, and its first hit."""

    text: str
    way: str
    right: bool | None
    """None: nothing found"""
    hit: Hit | None


def options(parser: argparse.ArgumentParser) -> None:
    """Which encoders, and where pictures go."""
    parser.add_argument("--encoders", nargs="+", default=["tiny", "colours"])
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the first encoder's best guesses")


def is_there(hit: Hit, frames: list[Frame], boxes: list[list[float]]) -> bool:
    """Whether a hit lies on what is marked in one of the boxes."""
    return any(_in_box(hit.position_m, frames[int(box[0])], box[1:]) for box in boxes)


def _in_box(point_m: NDArray[np.float64], frame: Frame, box: list[float]) -> bool:
    pose, camera = frame.world_from_camera, frame.camera
    assert pose is not None
    x, y, z = (point_m - pose[:3, 3]) @ pose[:3, :3]
    if z <= 0:
        return False
    u, v = x / z * camera.fx + camera.cx, y / z * camera.fy + camera.cy
    scale = camera.width / SIZE[0]
    left, top, right, bottom = (side * scale for side in box)
    if not (left <= u <= right and top <= v <= bottom):
        return False
    around = depth_m(frame)[max(0, int(v) - 2) : int(v) + 3, max(0, int(u) - 2) : int(u) + 3]
    known = around[np.isfinite(around) & (around > 0)]
    return len(known) > 0 and bool(np.abs(known - z).min() < NEAR_M)


def chance(frames: list[Frame], boxes: list[list[float]]) -> float:
    """Share of the surface that the recording shows which would be right."""
    rng, right = np.random.default_rng(SEED), []
    for _ in range(POINTS):
        frame = frames[int(rng.integers(len(frames)))]
        pose, camera, depth = frame.world_from_camera, frame.camera, depth_m(frame)
        v, u = int(rng.integers(depth.shape[0])), int(rng.integers(depth.shape[1]))
        z = float(depth[v, u])
        if pose is not None and np.isfinite(z) and z > 0:
            local = np.array(((u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z))
            point = pose[:3, :3] @ local + pose[:3, 3]
            right.append(any(_in_box(point, frames[int(box[0])], box[1:]) for box in boxes))
    return float(np.mean(right))


def depth_m(frame: Frame) -> NDArray[np.float32]:
    """Depth of a frame as floats."""
    return np.asarray(frame.depth_m, np.float32)


def judge(name: str, spec: str, frames: list[Frame]) -> list[Told]:
    """Remember a recording, ask, judge."""
    things, asking = json.loads(THINGS.read_text(encoding="utf-8"))[name], cases.Asking(load_encoder(spec))
    told = []
    with SpatialMemory.create(None, asking) as memory:
        for frame in frames:
            memory.observe(frame)
        for way in (cases.BEST_GUESS, cases.SHIPPED):
            for text in (*things["present"], *things["absent"]):
                if way == cases.BEST_GUESS and text in things["absent"]:
                    continue
                if asking.encode_text(text).vector is None:
                    told.append(Told(text, way, None, None))
                    continue
                hit = asking.first(way, lambda text=text: memory.query(text, top=1))
                right = None if hit is None else is_there(hit, frames, things["present"].get(text, []))
                told.append(Told(text, way, right, hit))
    return told


def sheet(told: list[Told], frames: list[Frame]) -> NDArray[np.uint8]:
    """Best guesses with the evidence of each, green where right."""
    tiles = []
    by_seq = {frame.seq: frame for frame in frames}
    for one in told:
        if one.way != cases.BEST_GUESS:
            continue
        tile = np.zeros((*SIZE[::-1], 3), np.uint8)
        if one.hit is not None:
            evidence = one.hit.evidence[0]
            tile = cv2.resize(cv2.cvtColor(by_seq[evidence.seq].rgb, cv2.COLOR_RGB2BGR), SIZE)
            left, top, right, bottom = (int(side) for side in evidence.box_xyxy)
            colour = (60, 200, 60) if one.right else (40, 40, 230)
            cv2.rectangle(tile, (left, top), (right, bottom), colour, 4)
        tile = cv2.resize(tile, TILE, interpolation=cv2.INTER_AREA)
        cv2.rectangle(tile, (0, 0), (TILE[0], 22), (255, 255, 255), -1)
        said = f"{one.text}: {'right' if one.right else 'wrong' if one.hit else 'nothing'}"
        cv2.putText(tile, said, (5, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 5)
    return np.vstack([np.hstack(tiles[n : n + 5]) for n in range(0, len(tiles), 5)])


def main() -> None:
    bench = Bench(__file__, "Words on real recordings", __doc__, options, [Path(cases.__file__), THINGS])
    known = json.loads(THINGS.read_text(encoding="utf-8"))
    names = available(bench, QUICK if bench.quick else [name for name in known if name != "about"])
    rows: list[list[Any]] = []
    said: list[list[Any]] = []
    shares: dict[str, list[bool]] = {}
    for name in names:
        frames = frames_of(name)
        by_chance = 100.0 * float(np.mean([chance(frames, boxes) for boxes in known[name]["present"].values()]))
        for spec in bench.options.encoders:
            told = judge(name, spec, frames)
            things = known[name]
            for way in (cases.BEST_GUESS, cases.SHIPPED):
                mine = [one for one in told if one.way == way]
                present = [one for one in mine if one.text in things["present"]]
                absent = [one for one in mine if one.text in things["absent"]]
                right = [one.text for one in present if one.right]
                false = [one.text for one in absent if one.hit is not None]
                rows.append([label(name), spec, way, f"{len(right)} of {len(present)}", ", ".join(right),
                             f"{by_chance:.0f} %", f"{len(false)} of {len(absent)}" if absent else "",
                             ", ".join(false)])  # fmt: skip
                shares.setdefault(f"{spec}, {way}", []).extend(bool(one.right) for one in present)
                if absent:
                    shares.setdefault(f"{spec}, absent", []).extend(one.hit is not None for one in absent)
            said += [
                [label(name), spec, one.way, one.text, "nothing" if one.right is None else one.right] for one in told
            ]
            if bench.options.pictures is not None and spec == bench.options.encoders[0]:
                bench.options.pictures.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(bench.options.pictures / f"real_{label(name)}.jpg"), sheet(told, frames))
            bench.progress(f"{label(name)}, {spec}")
    for what, values in shares.items():
        of = "absent things answered" if what.endswith("absent") else "first hit right"
        bench.claim(f"{of}: {what}", 100.0 * float(np.mean(values)), "%", Wanted(), f"of {len(values)}")
    columns = ["recording", "encoder", "way", "right", "these", "chance", "absent ones answered", "these"]
    bench.table("first hits", columns, rows)
    bench.detail("answers", said)
    bench.finish()


if __name__ == "__main__":
    main()
