"""`spatialmem calibrate` on real walks through houses, with a small random model of open_clip and with `colours`."""

from __future__ import annotations

import json
from dataclasses import replace

import calibration_cases as cases
import encoder_cases
import numpy as np
import pytest

from spatialmem.cli import main
from spatialmem.cli.calibration_crops import crops_for, house_of
from spatialmem.cli.calibration_fitting import (
    Candidates,
    JudgedHit,
    Outcome,
    chosen_index,
    false_share,
    missed_share,
    outcomes,
    outcomes_of,
    tried,
    useful,
)  # fmt: skip
from spatialmem.cli.calibration_walks import Fitting, walks
from spatialmem.errors import EncoderMismatch, InvalidValue
from spatialmem.memory import SpatialMemory
from spatialmem.perception import CalibratedEncoder, load_bare, load_encoder
from spatialmem.perception.calibration import FittedOn
from spatialmem.perception.calibration_file import read_calibration
from spatialmem.perception.calibration_fit import Labelled
from spatialmem.perception.logistic import sigmoid

SCENE = "100100"


@pytest.fixture(scope="module")
def walk():
    """A short walk through one house, remembered with `colours`."""
    encoder = Fitting(load_bare("colours"))
    for found in walks([SCENE], encoder, frames=12):
        yield encoder, found


def test_places_of_a_walk_are_labelled_by_the_truth(walk):
    encoder, found = walk
    assert len(found.seen) == 12 and len(found.features) == len(found.thing_ids) > 2000
    assert set(np.unique(found.thing_ids)) <= {i for frame in found.seen for i in np.unique(frame.thing_ids)}
    labelled = found.labelled(encoder)
    understood = [named for named, _ in found.understood(encoder)]
    assert len(labelled) == sum(named.box_m is None for named in understood) < len(understood)
    assert all(named.kind == "colour" for named in understood) and len(found.named) > 2 * len(understood)
    right = wrong = 0.0
    for entry in labelled:
        cosine = entry.features @ entry.query / np.linalg.norm(entry.features, axis=1)
        right += cosine[entry.truth & entry.judged].sum()
        wrong += cosine[~entry.truth & entry.judged].mean()
    assert right > wrong > 0  # what has the colour is more like it


def test_hits_are_judged_where_they_are(walk):
    encoder, found = walk
    asked = {outcome.text: outcome for outcome in outcomes(found, encoder)}
    present = [o for o in asked.values() if o.present and o.hits]
    assert present
    assert sum(any(hit.right for hit in o.hits) for o in present) >= len(present) / 2
    assert all(0 < hit.score <= 1 and hit.voxels >= 10 for o in asked.values() for hit in o.hits)


def test_a_map_is_asked_with_one_calibration_after_the_other(walk):
    encoder, found = walk
    high = cases.calibration(
        fitted_for=encoder.bare.bare_fingerprint, count=0, margin_weight=0.0, bias=-60.0, cosine_weight=10.0,
        hit_score=0.99, min_similarity=0.99,
    )  # fmt: skip
    before = outcomes(found, encoder)
    encoder.take(high)
    assert encoder.calibrated and not any(outcome.hits for outcome in outcomes(found, encoder))
    encoder.take(None)
    assert outcomes(found, encoder) == before


def test_pictures_of_what_was_seen_and_of_what_was_not(walk):
    encoder, found = walk
    crops = list(crops_for(found))
    largest, house = found.largest_px(), house_of(found)
    seen = {house.thing(thing_id).category for thing_id in largest}
    present, absent = [c for c in crops if c.present], [c for c in crops if not c.present]
    assert len(present) >= 5 and len(absent) >= 5
    assert all(min(c.rgb.shape[:2]) >= 3 and c.rgb.shape[2] == 3 for c in crops)
    for crop in present:
        assert crop.category in seen and not crop.true_ids & crop.unclear_ids
        assert {house.thing(i).category for i in crop.true_ids | crop.unclear_ids} == {crop.category}
        assert len({house.thing(i).look for i in crop.true_ids}) == 1
    assert not {c.category for c in absent} & seen
    labelled = found.labelled_for(crops, encoder)
    assert not any(entry.truth.any() for entry, crop in zip(labelled, crops, strict=True) if not crop.present)
    assert any(entry.truth.any() for entry in labelled)
    told = outcomes_of(found, crops)
    assert [o.present for o in told] == [c.present for c in crops] and {o.kind for o in told} == {"crop"}
    assert any(o.hits for o in told)


def test_a_map_is_asked_with_pictures_by_the_part_for_images(walk):
    encoder, found = walk
    crops = list(crops_for(found))[:4]
    plain = {"fitted_for": encoder.bare.bare_fingerprint, "count": 0, "margin_weight": 0.0}
    low, high = (
        cases.calibration(**plain, bias=-60.0, cosine_weight=61.0, hit_score=p, min_similarity=p) for p in (0.1, 0.99)
    )
    encoder.take(replace(high, images=low))
    try:
        assert any(o.hits for o in outcomes_of(found, crops)) and not any(o.hits for o in outcomes(found, encoder))
        answered = tried(found, encoder, [replace(low, images=low), replace(low, images=high)], crops)
        assert any(o.hits for o in answered[0]) and not any(o.hits for o in answered[1])
    finally:
        encoder.take(None)


def outcome(present: bool, *rights: bool | None) -> Outcome:
    return Outcome("1", "red", "colour", present, tuple(JudgedHit(0.9, 50, right) for right in rights))


def test_shares_of_answers():
    asked = [outcome(False), outcome(False, False), outcome(True, False, True), outcome(True), outcome(True, None)]
    assert false_share(asked) == 0.5 and missed_share(asked) == pytest.approx(2 / 3)
    assert [o.first_wrong for o in asked] == [False, False, True, False, False]
    assert np.isnan(false_share([])) and np.isnan(missed_share([]))


def test_the_hit_score_that_errs_least_within_the_limit_is_taken():
    assert chosen_index([0.30, 0.05, 0.04, 0.0], [0.1, 0.2, 0.3, 0.5]) == 1
    assert chosen_index([0.30, 0.05, 0.01, 0.0], [0.1, 0.2, 0.3, 0.5]) == 2
    assert chosen_index([0.30, 0.20, 0.10, 0.1], [0.1, 0.2, 0.3, 0.4]) == 2
    assert chosen_index([float("nan")] * 3, [0.4, 0.4, 0.5]) == 0


def pictured(shares: tuple[float, ...], seed: int = 0) -> list[Labelled]:
    """Questions by image: the share of what has a cosine above 0.9 that is right, for each; nothing below is."""
    rng, found = np.random.default_rng(seed), []
    for share in shares:
        query = cases.unit(rng.normal(size=16))
        along = rng.uniform(0.0, 1.0, 4000)
        across = rng.normal(size=(4000, 16))
        across = cases.unit(across - (across @ query)[:, None] * query)
        features = along[:, None] * query + np.sqrt(1 - along**2)[:, None] * across
        truth = (along > 0.9) & (rng.uniform(size=4000) < share)
        found.append(Labelled(query, features.astype(np.float32), truth, np.ones(4000, bool)))
    return found


def test_candidates_for_images_rise_and_say_how_much_of_what_reaches_them_is_right():
    on = FittedOn("0" * 64, ("1", "2"), 0, 0, 0, 0, 0.0, 0.0, 0.0)
    found = Candidates.for_images(pictured((0.9, 0.5, 0.0, 0.0)), load_bare("colours"), on)
    levels = [c.min_similarity for c in found.rising]
    assert len(levels) > 20 and levels == sorted(levels) and levels[0] > 0.95
    for candidate, samples in zip(found.rising, found.samples, strict=True):
        assert candidate.margin_weight == 0.0 and candidate.phrases == () and candidate.fitted_on.questions == 4
        curve = candidate.bias + candidate.cosine_weight * samples.cosine + candidate.near_weight * samples.cosine**8
        assert sigmoid(curve).mean() == pytest.approx(samples.truth.mean(), abs=0.01)
        assert candidate.hit_score <= sigmoid(curve).min() + 1e-6
        assert samples.cosine.min() >= candidate.min_similarity
    asked = [[outcome(False, *[False] * (n < 5)), outcome(True, *[True] * (n < 20))] for n in range(len(levels))]
    found.note(asked)
    best = found.best()
    assert best.min_similarity == levels[5] and (best.fitted_on.false_answers, best.fitted_on.missed) == (0.0, 0.0)
    assert 0.0 <= best.fitted_on.ece < 0.3  # 71 voxels in bins of five


@pytest.mark.parametrize(
    ("false", "missed", "kept"),
    [(0, 0, True), (1, 0, False), (0, 20, False), (0, 18, True), (20, 20, False)],
)
def test_a_calibration_for_images_is_kept_where_it_keeps_its_limits(false, missed, kept):
    """Of 20 absent and 20 present things; at most 5 % and 90 %."""
    on = FittedOn("0" * 64, ("1", "2"), 0, 0, 0, 0, 0.0, 0.0, 0.0)
    found = Candidates.for_images(pictured((0.9, 0.5)), load_bare("colours"), on)
    absent = [outcome(False, *[False] * (n < 2 * false)) for n in range(20)]
    present = [outcome(True, *[True] * (n >= missed)) for n in range(20)]
    found.note([[*absent, *present] for _ in found.rising])
    assert (useful(found) is not None) == kept
    assert useful(Candidates.for_images([], load_bare("colours"), on)) is None


def run(capsys, *arguments: str) -> dict:
    code = main(["calibrate", *arguments, "--json", "--quiet"])
    out = json.loads(capsys.readouterr().out)
    assert code == 0, out
    return out


def test_a_model_of_open_clip_is_calibrated_and_asked(capsys, tmp_path):
    """Fit, find the file beside the weights, ask a memory; a memory of before is refused."""
    encoder_cases.open_clip_or_skip()
    spec = f"open_clip:{encoder_cases.MODEL}/{encoder_cases.saved_model(tmp_path)}"
    before = load_encoder(spec)
    with SpatialMemory.create(tmp_path / "old.mem", encoder=before):
        pass
    told = run(capsys, spec, "--houses", "2", "--frames", "5")
    path = tmp_path / "calibration.json"
    assert told["calibration"] == str(path) and told["questions"] > 50 and told["samples"] > 1000
    encoder = load_encoder(spec)
    assert isinstance(encoder, CalibratedEncoder) and encoder.calibrated and not before.calibrated
    assert encoder.fingerprint == told["fingerprint"] != before.fingerprint
    found = read_calibration(path, encoder.bare_fingerprint, encoder.dim)
    assert len(found.phrases) >= 30 and found.fitted_on.scenes == ("100100", "100101")
    rng = np.random.default_rng(0)
    scores = encoder.score(rng.normal(size=(50, 64)).astype(np.float32), encoder.encode_text("red mug").vector)
    assert 0 < scores.min() <= scores.max() < 0.5  # random weights know nothing, and now say so
    with SpatialMemory.create(None, encoder=encoder) as memory:
        assert memory.query("red mug").calibrated
        assert not memory.query(image=np.full((20, 20, 3), 90, np.uint8)).calibrated  # texts alone have probabilities
    with SpatialMemory.open(tmp_path / "old.mem") as memory, pytest.raises(EncoderMismatch):
        memory.query("red mug")
    with pytest.raises(InvalidValue, match="spatialmem calibrate"):
        path.write_text("{")
        load_encoder(spec)
    assert load_bare(spec).fingerprint == before.fingerprint  # a broken one is not in the way of a new one


def test_colours_are_calibrated_into_another_file(capsys, tmp_path):
    told = run(capsys, "colours", "--houses", "2", "--frames", "12", "--out", str(tmp_path / "new" / "c.json"))
    found = read_calibration(tmp_path / "new" / "c.json")
    assert found.phrases == () and found.margin_weight == 0 and found.cosine_weight > 0
    assert told["hit_score"] >= 0.5 and told["background_phrases"] == 0
    assert (found.images is None) == (told["images"] is None)
    if found.images is not None:  # of two houses by chance
        assert found.images.phrases == () and told["images"]["hit_score"] == found.images.hit_score


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["colours", "--houses", "1"], "--houses must be at least 2"), (["colurs"], "did you mean 'colours'"),
     (["colours", "--frames", "1"], "--frames"), (["colours", "--houses", "900"], "200 houses")],
)  # fmt: skip
def test_wrong_usage(capsys, tmp_path, arguments, message):
    assert main(["calibrate", *arguments, "--quiet", "--out", str(tmp_path / "c.json")]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "c.json").exists()
