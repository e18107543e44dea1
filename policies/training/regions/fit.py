"""Fits the numbers of the segmenter `regions`: `python -m policies.training.regions.fit`.

Joining is learnt from the states that it goes through: first it is led by the truth, then by what has been learnt so
far, and every pair that comes up is a sample. Choosing is learnt from all regions of the trees made at the end.
Houses of the train split alone; half of the frames with the noise of a depth camera and with colours changed.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from policies.training.encoder import held_out
from policies.training.regions.cases import Case, cases
from policies.training.regions.learning import learnt
from sim.house.sensors import DepthNoise
from spatialmem.perception import Encoding, load_encoder
from spatialmem.perception.regions import choosing, joining, pieces, segmenter
from spatialmem.perception.regions.grid import Grid, feature_sums, grid_of
from spatialmem.perception.regions.network import Network

_log = logging.getLogger(__name__)
PURE = 0.7
"""share of its main instance from which a region teaches whether it belongs to another"""
SHARE_LIT = 0.6
KEPT_OF = 3
"""of so many pairs that come up one is a sample"""
SHARE_WITHOUT_FEATURES = 0.5
HIDDEN_PAIR, HIDDEN_THING = 20, 24


@dataclass(frozen=True, eq=False)
class State:
    """A frame cut into pieces, and the truth of the pieces."""

    grid: Grid
    labels: NDArray[np.int32]
    regions: NDArray[np.float64]
    pairs: NDArray[np.int32]
    borders: NDArray[np.float64]
    features: NDArray[np.float32]
    counts: NDArray[np.float64]
    """(n, K) pixels of each piece on each instance"""
    size: NDArray[np.float64]
    """(K,) pixels of each instance"""
    building: NDArray[np.bool_]
    """(K,)"""
    thing: NDArray[np.bool_]
    """(K,)"""


def state_of(case: Case, encoding: Encoding | None) -> State | None:
    """None where nothing is read."""
    assert case.frame.depth_m is not None
    grid = grid_of(case.frame, case.frame.depth_m)
    labels, regions, pairs, borders = segmenter.labelled(grid)
    if len(regions) < 2 or len(pairs) == 0:
        return None
    ids, inverse = np.unique(case.ids, return_inverse=True)
    whole = pieces.filled(labels, grid.lab, grid.looked_at)
    known = whole >= 0
    cells = whole[known].astype(np.int64) * len(ids) + inverse.reshape(labels.shape)[known]
    counts = np.bincount(cells, minlength=len(regions) * len(ids)).reshape(len(regions), -1).astype(np.float64)
    size = np.bincount(inverse.ravel(), minlength=len(ids)).astype(np.float64)
    groups = [case.groups.get(int(i), "building") for i in ids]
    return State(
        grid, labels, regions, pairs, borders, feature_sums(labels, len(regions), encoding), counts, size,
        np.array([g == "building" for g in groups]), np.array([g in ("furniture", "object") for g in groups]),
    )  # fmt: skip


class Replay:
    """Joining as of `joining.grow`, which keeps every pair that comes up."""

    def __init__(self, state: State, network: Network | None) -> None:
        n = len(state.regions)
        self.state, self.network = state, network
        self.sums = np.zeros((2 * n, state.regions.shape[1]))
        self.seen = np.zeros((2 * n, state.features.shape[1]))
        self.counts = np.zeros((2 * n, state.counts.shape[1]))
        self.sums[:n], self.seen[:n], self.counts[:n] = state.regions, state.features, state.counts
        self.pairs, self.borders = state.pairs.copy(), state.borders.copy()
        self.chance, self.next = np.empty(len(self.pairs)), n
        self.place = np.full(2 * n, -1, np.int32)
        self.looks = 0
        self.inputs: list[NDArray[np.float32]] = []
        self.truth: list[float] = []

    def run(self) -> None:
        """To the end."""
        for e in range(len(self.pairs)):
            self.look_at(e)
        least = 0.5 if self.network is None else joining.LEAST
        while True:
            best = int(np.argmax(self.chance))
            if self.chance[best] < least:
                return
            a, b = self.pairs[best]
            new, self.next = self.next, self.next + 1
            for rows in (self.sums, self.seen, self.counts):
                rows[new] = rows[a] + rows[b]
            self.chance[best] = -1.0
            outline = np.zeros(self.borders.shape[1])
            joining.absorb(self.pairs, self.borders, self.chance, a, b, new, self.place, outline)
            for e in np.flatnonzero((self.chance >= 0.0) & (self.pairs[:, 1] == new)):
                self.look_at(int(e))

    def look_at(self, e: int) -> None:
        """A pair: what joining sees of it, whether it is right, and how likely it seems."""
        a, b = self.pairs[e]
        inputs = np.empty(joining.PAIR_INPUTS)
        joining.pair_inputs(self.borders[e], self.sums[a], self.sums[b], self.seen[a], self.seen[b], inputs)
        same = self.same(a, b)
        self.looks += 1
        if same is not None and self.looks % KEPT_OF == 0:
            self.inputs.append(inputs.astype(np.float32))
            self.truth.append(same)
        if self.network is not None:
            self.chance[e] = joining.probability(self.network.folded, inputs)
        else:  # the truth leads, and likeness of colour where it is silent
            self.chance[e] = (0.5 if same is None else same) * (0.6 + 0.4 / (1.0 + inputs[8]))

    def same(self, a: int, b: int) -> float | None:
        """1: of one instance, 0: of two, None: not to be said, or of no interest (two parts of the building)."""
        one, other = self.counts[a], self.counts[b]
        main, main2 = int(one.argmax()), int(other.argmax())
        if main != main2 and self.state.building[main] and self.state.building[main2]:
            return None
        if min(one[main] / one.sum(), other[main2] / other.sum()) < PURE:
            return None
        return float(main == main2)


def pair_samples(states: list[State], network: Network | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All pairs that come up while the frames are joined."""
    inputs, truth = [], []
    for state in states:
        replay = Replay(state, network)
        replay.run()
        inputs += replay.inputs
        truth += replay.truth
    return np.array(inputs), np.array(truth)


def region_samples(states: list[State], network: Network) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All regions of all trees that are large enough, and how well each fits a thing, 0 to 1."""
    inputs, truth = [], []
    for state in states:
        tree = joining.join(state.pairs, state.borders, state.regions, state.features, network)
        counts = np.zeros((len(tree.regions), state.counts.shape[1]))
        counts[: tree.pieces] = state.counts
        for i, (a, b) in enumerate(tree.children):
            counts[tree.pieces + i] = counts[a] + counts[b]
        iou = counts / (counts.sum(axis=1, keepdims=True) + state.size - counts)
        best = iou[:, state.thing].max(axis=1, initial=0.0)
        rows = choosing.large_enough(tree, segmenter.LEAST_PIXELS)
        share = 1.0 / state.labels.size
        inputs.append(choosing.region_inputs(tree, rows, segmenter.sampled(state.grid), share))
        truth.append(np.clip((best[rows] - 0.4) / 0.2, 0.0, 1.0))
    return np.concatenate(inputs), np.concatenate(truth)


def states_of(seeds: range, views: tuple[int, int, int]) -> list[State]:
    """Frames of houses, every other house as a depth camera sees it, every other frame without features."""
    encoder, rng, found = load_encoder("tiny"), np.random.default_rng(3), []
    for seed in seeds:
        noise = DepthNoise(scale=float(rng.uniform(0.3, 1.2))) if seed % 2 else None
        for case in cases(seed, *views, noise=noise):
            changed = replace(case, frame=replace(case.frame, rgb=_recoloured(case.frame.rgb, rng, noise is not None)))
            with_features = rng.uniform() >= SHARE_WITHOUT_FEATURES
            state = state_of(changed, encoder.encode(changed.frame.rgb) if with_features else None)
            if state is not None:
                found.append(state)
        _log.info("house %d: %d frames", seed, len(found))
    return found


def _recoloured(rgb: NDArray[np.uint8], rng: np.random.Generator, noisy: bool) -> NDArray[np.uint8]:
    """Gain and tint of a camera, its noise, and light that falls on a part of the picture."""
    if not noisy:
        return rgb
    gain = rng.uniform(0.6, 1.2) * (1.0 + rng.normal(0.0, 0.04, 3))
    grain = rng.normal(0.0, rng.uniform(1.0, 5.0), rgb.shape)
    light = _light(rgb.shape[:2], rng)[..., None] if rng.uniform() < SHARE_LIT else 1.0
    return np.clip(np.rint(rgb * gain * light + grain), 0, 255).astype(np.uint8)


def _light(size_hw: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """(H, W) factors: two half planes overlap, with a sharp or soft edge, brighter or darker there."""
    y, x = np.indices(size_hw)
    inside = np.ones(size_hw)
    for _ in range(2):
        angle, soft = rng.uniform(-np.pi, np.pi), np.exp(rng.uniform(-1.0, 3.5))
        along = np.cos(angle) * (x - rng.uniform(0, size_hw[1])) + np.sin(angle) * (y - rng.uniform(0, size_hw[0]))
        inside *= 1.0 / (1.0 + np.exp(-np.clip(along / soft, -30.0, 30.0)))
    return 1.0 + (np.exp(rng.uniform(-0.8, 0.6)) - 1.0) * inside


def rounded(network: Network) -> dict[str, list]:
    """Its numbers with as many digits as matter."""
    return {
        name: np.vectorize(lambda v: float(f"{v:.5g}"))(getattr(network, name)).tolist()
        for name in Network.__dataclass_fields__
    }


def fit(states: list[State], rounds: int) -> dict[str, dict[str, list]]:
    """Both networks, as fit.json holds them."""
    inputs, truth = pair_samples(states, None)
    _log.info("led by the truth: %d pairs, %.1f %% of one thing", len(truth), 100.0 * truth.mean())
    network = Network.of(rounded(learnt(inputs, truth, HIDDEN_PAIR, seed=1)))
    for n in range(rounds):
        more, more_truth = pair_samples(states, network)
        inputs, truth = np.concatenate([inputs, more]), np.concatenate([truth, more_truth])
        network = Network.of(rounded(learnt(inputs, truth, HIDDEN_PAIR, seed=2 + n)))
        _log.info("round %d: %d pairs", n + 1, len(truth))
    thing = learnt(*region_samples(states, network), HIDDEN_THING, seed=9)
    return {"pair": rounded(network), "thing": rounded(thing)}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--houses", type=int, default=50)
    parser.add_argument("--views", type=int, nargs=3, default=(5, 3, 2), help="pairs of walks, looks and close-ups")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(segmenter.__file__).with_name("fit.json"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    states = states_of(held_out.houses("train")[: options.houses], tuple(options.views))
    numbers = fit(states, options.rounds)
    options.out.write_text(json.dumps(numbers, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
