"""How the numbers of `regions` are fitted, and how detections are scored against the truth of a house."""

from __future__ import annotations

import numpy as np
import pytest

from policies.training.regions import fit
from policies.training.regions.cases import BUILDING, Case, cases, score
from policies.training.regions.learning import learnt
from sim.house.sensors import DepthNoise
from spatialmem.perception import load_segmenter
from spatialmem.perception.ids import detections_of_ids
from spatialmem.perception.regions import joining
from spatialmem.perception.regions.segmenter import shipped_fit
from spatialmem.things import Detection


@pytest.fixture(scope="module")
def house() -> list[Case]:
    return list(cases(7, walks=2, looks=1, closes=0))


def test_things_and_the_building_are_told_apart(house):
    names = {i: name for case in house for i, name in case.names.items()}
    for i, group in house[0].groups.items():
        assert (group == "building") == (names[i] in BUILDING)
        assert (group == "fixture") == (names[i] in ("door", "front door", "door frame", "window", "stairs", "railing"))


def test_the_truth_scores_everything_right(house):
    for case in house:
        things = {i: case.names[i] for i in case.names if case.groups[i] in ("furniture", "object")}
        found = score(case, detections_of_ids(case.ids, things, min_pixels=1))
        assert set(found.best) == set(case.visible())
        assert all(iou == 1.0 for iou in found.best.values())
        assert found.wrong == 0


def test_a_wall_is_wrong_a_door_neither_and_half_a_thing_right(house):
    case = house[0]
    ids = np.zeros((20, 40), np.int32)
    ids[:, :10], ids[:, 10:20], ids[:, 20:] = 1, 2, 3
    made = Case(case.frame, ids, {1: "building", 2: "fixture", 3: "object"}, {}, "walk")
    half = np.zeros((20, 40), bool)
    half[:, 20:30] = True
    found = score(made, [Detection(ids == 1), Detection(ids == 2), Detection(half)])
    assert (found.right, found.wrong, found.best) == (1, 1, {3: 0.5})


def test_regions_finds_things_of_a_house(house):
    """Far below what the benchmark measures: this only tells a segmenter from a broken one."""
    segmenter = load_segmenter("regions")
    best = [iou for case in house for iou in score(case, segmenter.segment(case.frame, None)).best.values()]
    assert np.mean(np.array(best) >= 0.5) > 0.4


def test_a_replay_joins_as_the_kernel_does(house):
    network = shipped_fit().pair
    state = fit.state_of(house[0], None)
    assert state is not None
    replay = fit.Replay(state, network)
    replay.run()
    tree = joining.join(state.pairs, state.borders, state.regions, state.features, network)
    assert replay.next - tree.pieces == len(tree.children)
    np.testing.assert_allclose(replay.sums[: replay.next], tree.regions, rtol=1e-9)


def test_led_by_the_truth_pieces_of_a_thing_are_joined(house):
    state = fit.state_of(house[0], None)
    assert state is not None
    replay = fit.Replay(state, None)
    replay.run()
    assert len(replay.truth) == len(replay.inputs) > 0
    assert set(replay.truth) <= {0.0, 1.0}
    final = replay.counts[len(state.regions) : replay.next]
    assert (final.max(axis=1) / final.sum(axis=1)).mean() > 0.8


def test_noise_is_in_the_depth_alone():
    plain, noisy = (next(cases(7, 1, 0, 0, noise=noise)) for noise in (None, DepthNoise()))
    np.testing.assert_array_equal(plain.frame.rgb, noisy.frame.rgb)
    assert plain.frame.depth_m is not None
    assert noisy.frame.depth_m is not None
    assert np.isnan(noisy.frame.depth_m).mean() > np.isnan(plain.frame.depth_m).mean()


def test_a_network_learns(monkeypatch):
    from policies.training.regions import learning

    monkeypatch.setattr(learning, "STEPS", 300)
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3000, 3)) * (1.0, 10.0, 0.1) + (0.0, 50.0, 0.0)
    truth = (inputs[:, 0] * (inputs[:, 1] - 50.0) > 0.0).astype(float)
    network = learnt(inputs, truth, 8, seed=0)
    assert ((network(inputs) > 0.5) == truth).mean() > 0.85
    assert fit.Network.of(fit.rounded(network))(inputs) == pytest.approx(network(inputs), abs=1e-3)
