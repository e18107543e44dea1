"""The segmenter `regions`: its kernels against plain numpy, and what it finds where the truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import segmenter_cases
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialmem.perception import Encoding, load_segmenter
from spatialmem.perception.regions import choosing, graph, joining, pieces, segmenter, surface
from spatialmem.perception.regions.grid import feature_sums, grid_of, on_frame
from spatialmem.perception.regions.network import Network
from spatialmem.types import Camera, Frame


@pytest.fixture(scope="module")
def regions():
    return load_segmenter("regions")


def random_network(inputs: int, seed: int, hidden: int = 6) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        rng.normal(size=inputs), rng.uniform(0.1, 0.5, inputs), rng.normal(size=(hidden, inputs)),
        rng.normal(size=hidden), rng.normal(size=hidden), rng.normal(size=1),
    )  # fmt: skip


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


# what is found


@pytest.mark.parametrize("size", [(64, 64), (160, 120), (256, 256), (640, 480)])
@pytest.mark.parametrize("noise_m", [0.0, 0.0015])
def test_a_box_on_the_floor_is_found(regions, size, noise_m):
    camera = Camera.from_hfov(70.0, *size)
    frame = segmenter_cases.room(camera, noise_m=noise_m)
    found = regions.segment(frame, None)
    truth = segmenter_cases.box_mask(camera)
    assert max((iou(d.mask, truth) for d in found), default=0.0) > (0.8 if size[0] > 64 else 0.6)
    for detection in found:  # neither floor nor wall is a thing
        assert detection.mask.mean() < 0.5


def test_an_empty_room_holds_nothing(regions):
    frame = segmenter_cases.room()
    wall = sloped(frame.camera, np.array([0.3, 0.1, -0.95]), 2.0)
    flat = replace(frame, rgb=np.full_like(frame.rgb, 120), depth_m=wall)
    assert regions.segment(flat, None) == []


def test_things_hold_the_pixels_that_the_camera_did_not_read(regions):
    frame = segmenter_cases.room()
    truth = segmenter_cases.box_mask()
    holes = np.random.default_rng(1).uniform(size=truth.shape) < 0.05
    found = regions.segment(replace(frame, depth_m=np.where(holes, np.float32(np.nan), frame.depth_m)), None)
    best = max(found, key=lambda d: iou(d.mask, truth))
    assert (best.mask & holes & truth).sum() > 0.9 * (holes & truth).sum()


def test_the_score_and_masks_do_not_overlap(regions):
    found = regions.segment(segmenter_cases.room(noise_m=0.002), None)
    assert np.sum([d.mask for d in found], axis=0).max() == 1
    assert all(segmenter.PRICE < d.score <= 1.0 for d in found)


def test_features_have_a_say(regions):
    frame = segmenter_cases.room()
    one = np.zeros((15, 20, 16), np.float32)
    one[..., 0] = 1.0
    split = one.copy()
    split[:, 10:] = np.eye(1, 16, 5, dtype=np.float32)
    chances = [regions.segment(frame, Encoding(dense, dense[0, 0])) for dense in (one, split)]
    assert [d.score for d in chances[0]] != [d.score for d in chances[1]]


# the surface


def sloped(camera: Camera, normal: np.ndarray, distance_m: float) -> np.ndarray:
    """Depth of a plane, float32."""
    y, x = np.indices((camera.height, camera.width))
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(x.shape)], axis=-1)
    return (-distance_m / (rays @ normal)).astype(np.float32)


@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.floats(0.3, 5.0))
@settings(max_examples=25)
def test_planes_have_exactly_their_normal(a, b, distance_m):
    camera = Camera(90.0, 95.0, 31.0, 22.5, 64, 48)
    normal = np.array([a, b, -1.0]) / math.sqrt(a * a + b * b + 1.0)
    depth = sloped(camera, normal, distance_m)
    points, normals, across, down = surface.fitted(depth, camera)
    assert not across[:, :-1].any()
    assert not down[:-1].any()
    middle = (slice(3, -3), slice(3, -3))
    np.testing.assert_allclose(normals[middle] @ normal, 1.0, atol=2e-3)
    np.testing.assert_allclose(points[middle][..., 2], depth[middle], rtol=2e-3)


def test_a_step_is_a_break_and_a_crease_is_none():
    camera = Camera.from_hfov(70.0, 64, 48)
    depth = np.full((48, 64), 2.0, np.float32)
    depth[:, 30:] = 1.9
    across = surface.fitted(depth, camera)[2]
    assert across[:, 29].all()
    assert across[:, :-1].sum() == 48
    x = np.arange(64)
    creased = np.broadcast_to(1.0 / (0.5 + 0.01 * np.abs(x - 30)), (48, 64)).astype(np.float32)
    assert not surface.fitted(creased, camera)[2][:, :-1].any()


def test_noise_is_measured():
    rng = np.random.default_rng(0)
    inverse = (0.5 + 0.003 * np.arange(200) + rng.normal(0.0, 2e-3, (150, 200))).astype(np.float32)
    inverse[:, 100:] += 0.3
    inverse[rng.uniform(size=inverse.shape) < 0.1] = np.nan
    assert surface.inverse_noise(inverse) == pytest.approx(2e-3, rel=0.1)
    assert surface.inverse_noise(np.full((3, 4), np.nan, np.float32)) == 0.0


def breaks_of(values: np.ndarray, step: float, share: float, steepest: float) -> np.ndarray:
    """`find_breaks` from its description, pixel by pixel."""
    h, w = values.shape
    found = np.ones((h, w), bool)
    for y in range(h):
        for x in range(w - 1):
            here, there = float(values[y, x]), float(values[y, x + 1])
            gap = there - here
            if math.isnan(gap):
                continue
            limit = step + share * min(here, there)
            beside = [float(values[y, k + 1]) - float(values[y, k]) for k in (x - 1, x + 1) if k >= 0 and k + 1 < w]
            jumps = [abs(gap - other) if not math.isnan(other) else abs(gap) for other in beside]
            jumps += [abs(gap)] * (2 - len(beside))
            steep = abs(gap) > step + steepest * min(here, there)
            found[y, x] = abs(gap) > limit and (min(jumps) > limit or steep)
    return found


@given(st.integers(0, 10**6))
@settings(max_examples=30)
def test_breaks_are_those_of_the_description(seed):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.choice([0.0, 0.0, 0.02, -0.02, 0.3, -0.1], size=(7, 17)), axis=1) + 3.0
    values = values.astype(np.float32)
    values[rng.uniform(size=values.shape) < 0.15] = np.nan
    out = np.empty(values.shape, bool)
    surface.find_breaks(values, 0.01, 0.006, 0.05, out)
    np.testing.assert_array_equal(out, breaks_of(values, 0.01, 0.006, 0.05))


# pieces


def test_pieces_are_whole_and_end_at_breaks():
    frame = segmenter_cases.room(noise_m=0.002)
    grid = grid_of(frame, frame.depth_m)
    points, normals, across, down = surface.fitted(grid.depth_m, grid.camera)
    labels, count = pieces.pieces(points, normals, grid.lab, across, down)
    assert set(np.unique(labels)) == set(range(count))
    first = [int(np.flatnonzero(labels.ravel() == i)[0]) for i in range(count)]
    assert first == sorted(first)  # numbered as they come
    reached = np.zeros(labels.shape, bool)
    reached.ravel()[first] = True
    while True:  # flood, never across a break
        grown = reached.copy()
        inside = (labels[:, 1:] == labels[:, :-1]) & ~across[:, :-1]
        grown[:, 1:] |= reached[:, :-1] & inside
        grown[:, :-1] |= reached[:, 1:] & inside
        below = (labels[1:] == labels[:-1]) & ~down[:-1]
        grown[1:] |= reached[:-1] & below
        grown[:-1] |= reached[1:] & below
        if (grown == reached).all():
            break
        reached = grown
    assert reached.all()


def cut_of(weights: np.ndarray, known: np.ndarray, scale: float, least: int) -> np.ndarray:
    """The algorithm of Felzenszwalb and Huttenlocher with sets; edges of equal weight in their order."""
    _, h, w = weights.shape
    piece = {i: {i} for i in range(h * w)}
    passes = dict.fromkeys(range(h * w), np.float32(scale))
    edges = sorted((int(v), e) for e, v in enumerate(weights.ravel()) if v >= 0)
    for small in (False, True):
        for weight, e in edges:
            i = e % (h * w)
            a, b = piece[i], piece[i + (1 if e < h * w else w)]
            if a is b or (not small and weight > min(passes[min(a)], passes[min(b)])):
                continue
            if small and min(len(a), len(b)) >= least:
                continue
            both = a | b
            passes[min(both)] = np.float32(weight + scale / len(both))
            for k in both:
                piece[k] = both
    kept = [min(piece[i]) if known.ravel()[i] else -1 for i in range(h * w)]
    return np.array(kept).reshape(h, w)


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_the_cut_is_that_of_the_paper(seed):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-1, 60, (2, 9, 11)).astype(np.int16)
    weights[0, :, -1] = weights[1, -1] = -1
    labels = np.empty((9, 11), np.int32)
    known = rng.uniform(size=(9, 11)) < 0.9
    count = pieces.cut(weights, known, 40.0, 4, labels)
    expected = cut_of(weights, known, 40.0, 4)
    assert count == len(np.unique(expected[expected >= 0]))
    ones, others = np.unique(np.stack([labels.ravel(), expected.ravel()]), axis=1)
    assert len(ones) == len(set(ones)) == len(set(others))  # the same parts, by other numbers


def test_only_the_largest_pieces_are_kept():
    labels = np.array([[0, 0, 1, -1], [2, 2, 2, 3], [4, 4, 4, 3]], np.int32)
    kept, count = pieces.largest(labels, 5, 3)
    assert count == 3
    np.testing.assert_array_equal(kept, [[0, 0, -1, -1], [1, 1, 1, -1], [2, 2, 2, -1]])
    assert pieces.largest(labels, 5, 5) == (labels, 5)


def test_depth_of_pure_noise_neither_ends_it_nor_fills_the_memory(regions):
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    depth = rng.uniform(0.4, 6.0, (480, 640)).astype(np.float32)
    frame = Frame(rgb, depth, Camera.from_hfov(70.0, 640, 480), None, 1)
    assert len(regions.segment(frame, None)) < 200


def test_growth_takes_the_likest_neighbour():
    lab = np.zeros((3, 7, 3), np.float32)
    lab[:, 4:] = 50.0
    labels = np.full((3, 7), -1, np.int32)
    labels[:, 0], labels[:, 6] = 0, 1
    grown = pieces.filled(labels, lab, np.ones((3, 7), bool), reach=5)
    np.testing.assert_array_equal(grown, np.broadcast_to([0, 0, 0, 0, 1, 1, 1], (3, 7)))
    shut = np.ones((3, 7), bool)
    shut[:, 1] = False
    assert (pieces.filled(labels, lab, shut, reach=5)[:, 1] == -1).all()
    assert (pieces.filled(labels, lab, np.ones((3, 7), bool), reach=1)[:, 2:5] == -1).all()


# what is known of regions


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_sums_of_regions(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 4, (8, 9)).astype(np.int32)
    points, normals, lab = rng.normal(size=(3, 8, 9, 3)).astype(np.float32)
    sums = np.zeros((4, graph.REGION_SUMS))
    graph.region_sums(labels, points, normals, lab, sums)
    edge = np.ones((8, 9), bool)
    edge[1:-1, 1:-1] = False
    for i in range(4):
        inside = labels == i
        p, c = points[inside].astype(float), lab[inside].astype(float)
        products = [p[:, 0] ** 2, p[:, 0] * p[:, 1], p[:, 0] * p[:, 2], p[:, 1] ** 2, p[:, 1] * p[:, 2], p[:, 2] ** 2]
        expected = [
            inside.sum(), *p.sum(0), *np.sum(products, axis=1), *c.sum(0), *(c**2).sum(0),
            *normals[inside].astype(float).sum(0), (inside & edge).sum(),
        ]  # fmt: skip
        np.testing.assert_allclose(sums[i], expected, rtol=1e-4, atol=1e-4)


@given(st.integers(0, 10**6), st.sampled_from([(3, 4), (8, 8), (1, 1)]))
@settings(max_examples=10)
def test_sums_of_features(seed, patches):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 3, (11, 13)).astype(np.int32)
    dense = rng.normal(size=(*patches, 5)).astype(np.float32)
    y, x = np.indices(labels.shape)
    at = dense[y * patches[0] // 11, x * patches[1] // 13]
    expected = np.stack([at[labels == i].sum(axis=0) for i in range(3)])
    np.testing.assert_allclose(feature_sums(labels, 3, Encoding(dense, dense[0, 0])), expected, rtol=1e-4, atol=1e-4)
    assert feature_sums(labels, 3, None).shape == (3, 0)


def test_borders_say_who_is_nearer_and_how_they_bend():
    camera = Camera.from_hfov(70.0, 40, 30)
    depth = np.full((30, 40), 2.0, np.float32)
    depth[:, 20:] = 1.5
    points, normals, across, down = surface.fitted(depth, camera)
    labels = np.zeros((30, 40), np.int32)
    labels[:, 20:] = 1
    labels[20:, :20] = 2
    lab = np.zeros((30, 40, 3), np.float32)
    lab[:20, :20, 0], lab[20:, :20, 1] = 30.0, 12.0
    pairs, sums = graph.borders(labels, 3, points, normals, lab, across, down)
    assert pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert sums[:, graph.LENGTH].tolist() == [20, 20, 10]
    assert sums[:, graph.BROKEN].tolist() == [20, 0, 10]
    assert sums[:, graph.FIRST_NEARER].tolist() == [0, 0, 10]
    assert sums[:, graph.SECOND_NEARER].tolist() == [20, 0, 0]
    np.testing.assert_allclose(sums[:, graph.STEP], [20 * 0.3, 0.0, 10 * 0.3])  # STEP_MAX_M
    np.testing.assert_allclose(sums[1, [graph.LIGHTNESS, graph.TINT]], [20 * 30.0, 20 * 12.0])


@pytest.mark.parametrize(("bend", "column"), [(0.01, graph.HOLLOW), (-0.004, graph.BULGE)])
def test_creases_are_hollow_or_bulge(bend, column):
    """1 / z that falls towards the middle is a room's corner; that rises, the corner of a box."""
    camera = Camera.from_hfov(70.0, 40, 30)
    inverse = np.broadcast_to(0.6 + bend * np.abs(np.arange(40) - 19.5), (30, 40))
    points, normals, across, down = surface.fitted((1.0 / inverse).astype(np.float32), camera)
    labels = np.zeros((30, 40), np.int32)
    labels[:, 20:] = 1
    _, sums = graph.borders(labels, 2, points, normals, np.zeros((30, 40, 3), np.float32), across, down)
    other = graph.BULGE if column == graph.HOLLOW else graph.HOLLOW
    assert sums[0, column] > 30 * 0.2
    assert sums[0, other] == 0.0


# joining and choosing


def random_graph(seed: int):
    """Pieces on a line and some more pairs, with sums that could be."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 14))
    pairs = {(i, i + 1) for i in range(n - 1) if rng.uniform() < 0.8}
    pairs |= {tuple(sorted(rng.choice(n, 2, replace=False).tolist())) for _ in range(n)}
    ends = np.array(sorted(pairs), np.int32)
    length = rng.integers(1, 30, len(ends)).astype(float)
    broken = np.floor(length * rng.uniform(size=len(ends)))
    nearer = np.floor(broken * rng.uniform(size=len(ends)))
    borders = np.column_stack(
        [length, broken, nearer, broken - nearer, rng.uniform(size=(len(ends), 5)) * length[:, None]]
    )
    pixels = rng.integers(16, 400, n)
    regions = np.zeros((n, graph.REGION_SUMS))
    for i, count in enumerate(pixels):
        p, c = rng.normal(size=(count, 3)) * 0.2 + rng.uniform(2, 4, 3), rng.normal(size=(count, 3)) * 9 + 50
        square = np.einsum("ij,ik->jk", p, p)[np.triu_indices(3)]
        regions[i, :19] = [count, *p.sum(0), *square, *c.sum(0), *(c**2).sum(0), *rng.normal(size=3) * count * 0.5]
    return ends, borders, regions, rng.normal(size=(n, 4)).astype(np.float32)


def swapped(border: np.ndarray) -> np.ndarray:
    out = border.copy()
    out[[graph.FIRST_NEARER, graph.SECOND_NEARER]] = border[[graph.SECOND_NEARER, graph.FIRST_NEARER]]
    return out


def joined_of(ends, borders, regions, features, network, least):
    """Agglomeration with dictionaries."""
    sums, seen = list(regions), [f.astype(float) for f in features]
    beside = {(int(a), int(b)): border.copy() for (a, b), border in zip(ends, borders, strict=True)}
    children, chances = [], []

    def chance(a, b):
        out = np.empty(joining.PAIR_INPUTS)
        joining.pair_inputs(beside[a, b], sums[a], sums[b], seen[a], seen[b], out)
        return float(network(out[None])[0])

    known = {pair: chance(*pair) for pair in beside}
    while known:
        a, b = max(known, key=lambda pair: known[pair])
        if known[a, b] < least:
            break
        new = len(sums)
        children.append((a, b))
        chances.append(known.pop((a, b)))
        del beside[a, b]
        sums.append(sums[a] + sums[b])
        seen.append(seen[a] + seen[b])
        for pair in [p for p in beside if a in p or b in p]:
            border = beside.pop(pair)
            del known[pair]
            first = pair[0] in (a, b)
            other = pair[1] if first else pair[0]
            turned = swapped(border) if first else border
            beside[other, new] = beside.get((other, new), np.zeros_like(border)) + turned
        for pair in [p for p in beside if p[1] == new]:
            known[pair] = chance(*pair)
    return children, chances, np.array(sums)


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_joining_is_agglomeration(seed):
    ends, borders, regions, features = random_graph(seed)
    network = random_network(joining.PAIR_INPUTS, seed)
    kept = [a.copy() for a in (ends, borders, regions, features)]
    tree = joining.join(ends, borders, regions, features, network, least=0.3)
    children, chances, sums = joined_of(ends, borders, regions, features, network, 0.3)
    assert [tuple(pair) for pair in tree.children.tolist()] == children
    np.testing.assert_allclose(tree.joined, chances, rtol=1e-6)
    np.testing.assert_allclose(tree.regions, sums, rtol=1e-9)
    for before, now in zip(kept, (ends, borders, regions, features), strict=True):
        np.testing.assert_array_equal(before, now)
    for i, (a, b) in enumerate(tree.children):
        assert tree.beside[a] == tree.beside[b] == tree.joined[i]


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_a_pair_is_the_same_either_way(seed):
    _, borders, regions, features = random_graph(seed)
    one, other = np.empty(joining.PAIR_INPUTS), np.empty(joining.PAIR_INPUTS)
    joining.pair_inputs(borders[0], regions[0], regions[1], features[0], features[1], one)
    joining.pair_inputs(swapped(borders[0]), regions[1], regions[0], features[1], features[0], other)
    if regions[0, 0] != regions[1, 0]:
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def best_cut(tree: joining.Tree, chance: np.ndarray, price: float, region: int) -> float:
    below = 0.0
    if region >= tree.pieces:
        below = sum(best_cut(tree, chance, price, int(c)) for c in tree.children[region - tree.pieces])
    return max(chance[region] - price, below, 0.0)


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_the_choice_is_the_best_there_is(seed):
    ends, borders, regions, features = random_graph(seed)
    tree = joining.join(ends, borders, regions, features, random_network(joining.PAIR_INPUTS, seed + 1), least=0.05)
    chance = np.random.default_rng(seed).uniform(size=len(tree.regions))
    chosen = choosing.choose(tree, chance, 0.3)
    roots = set(range(len(tree.regions))) - set(tree.children.ravel().tolist())
    best = sum(best_cut(tree, chance, 0.3, root) for root in roots)
    assert sum(chance[r] - 0.3 for r in chosen) == pytest.approx(best, abs=1e-9)
    owner = choosing.members(tree, chosen)
    sizes = np.bincount(owner[owner >= 0], weights=regions[owner >= 0, 0], minlength=len(chosen))
    np.testing.assert_array_equal(sizes, tree.regions[chosen, 0])  # each is whole, and none overlaps another


def test_planes_against_points():
    points = np.array([[0, 0, 1], [0, 0, 2], [0, 0, 2.02], [0, 0, 3], [5, 5, 4]], np.float32)
    mean, normal = np.array([[0, 0, 2.0], [0, 0, 2.0]]), np.array([[0, 0, 1.0], [0, 0, -1.0]])
    behind, on = choosing.planes_against(mean, normal, points)
    np.testing.assert_allclose(behind, [0.4, 0.4])
    np.testing.assert_allclose(on, [0.4, 0.4])


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_a_network_folded_is_the_network(seed):
    rng, network = np.random.default_rng(seed), random_network(7, seed)
    inputs = rng.normal(size=(5, 7))
    hidden = network.inner @ ((inputs - network.shift) * network.scale).T + network.bias[:, None]
    expected = 1.0 / (1.0 + np.exp(-(network.outer @ (hidden / (1.0 + np.abs(hidden))) + network.last)))
    np.testing.assert_allclose(network(inputs), expected, rtol=1e-9)
    np.testing.assert_allclose([joining.probability(network.folded, row) for row in inputs], expected, rtol=1e-9)


# the grid


@pytest.mark.parametrize("size", [(64, 64), (360, 200), (361, 241), (640, 480), (1280, 720)])
def test_the_grid_shows_what_the_frame_does(size):
    w, h = size
    rng = np.random.default_rng(2)
    depth = rng.uniform(1.0, 4.0, (h, w)).astype(np.float32)
    depth[rng.uniform(size=(h, w)) < 0.1] = 0.0
    rgb = np.full((h, w, 3), (200, 30, 40), np.uint8)
    frame = Frame(rgb, depth, Camera.from_hfov(80.0, w, h), None, 1, valid=rng.uniform(size=(h, w)) < 0.9)
    grid = grid_of(frame, depth)
    assert max(grid.depth_m.shape) <= 360
    rows, columns = np.nonzero(np.isfinite(grid.depth_m))
    y, x = rows * grid.step + grid.step // 2, columns * grid.step + grid.step // 2
    np.testing.assert_array_equal(grid.depth_m[rows, columns], depth[y, x])
    assert frame.valid is not None and frame.valid[y, x].all()
    ray = (columns - grid.camera.cx) / grid.camera.fx
    np.testing.assert_allclose(ray, (x - frame.camera.cx) / frame.camera.fx, atol=1e-9)
    assert np.ptp(grid.lab.reshape(-1, 3), axis=0).max() < 1e-3
    labels = np.arange(grid.depth_m.size, dtype=np.int32).reshape(grid.depth_m.shape)
    large = on_frame(labels, grid, frame)
    assert large.shape == (h, w)
    np.testing.assert_array_equal(large[y, x], labels[rows, columns])
    assert (large[~frame.valid] == -1).all()
