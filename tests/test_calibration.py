"""Scores as probabilities: the logistic, the bank, the file, the fit, and how an encoder takes them."""

from __future__ import annotations

import dataclasses
import json

import calibration_cases as cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import minimize

from spatialmem.errors import InvalidValue
from spatialmem.perception import CalibratedEncoder, Encoder, check_encoder, load_bare, load_encoder
from spatialmem.perception.calibration import Calibration, background_phrases, bank_of, evidence, soft_maximum
from spatialmem.perception.calibration_file import calibration_text, read_calibration
from spatialmem.perception.calibration_fit import calibration_of, error_on, fit_curve, gathered, reached_cosine
from spatialmem.perception.logistic import fit_logistic, log_loss, sigmoid
from spatialmem.perception.reliability import expected_calibration_error, reliability
from spatialmem.question import ask

finite = st.floats(-3.0, 3.0, width=32)


# --- the logistic


def reference_fit(x: np.ndarray, y: np.ndarray, w: np.ndarray, ridge: float) -> np.ndarray:
    """The same minimum by a general method: bounded quasi-Newton on the loss as it is written down."""
    mean = (w @ x) / w.sum()
    spread = np.sqrt(w @ (x - mean) ** 2 / w.sum())

    def loss(theta):
        return log_loss(theta[0] + ((x - mean) / spread) @ theta[1:], y, w) + 0.5 * ridge * theta[1:] @ theta[1:]

    bounds = [(None, None), *[(0.0, None)] * x.shape[1]]
    start = np.zeros(1 + x.shape[1])
    done = minimize(loss, start, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-9})
    slopes = done.x[1:] / spread
    return np.array([done.x[0] - mean @ slopes, *slopes])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 3), st.floats(0.1, 10.0))
def test_the_fit_is_the_minimum(seed, inputs, ridge):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, inputs)) @ rng.normal(size=(inputs, inputs)) + rng.normal(size=inputs)
    y = rng.uniform(size=60) < sigmoid(x @ rng.normal(size=inputs))
    y[:2] = (True, False)
    w = rng.uniform(0.1, 2.0, 60)
    bias, slopes = fit_logistic(x, y, w, ridge)
    expected = reference_fit(x, y, w, ridge)
    np.testing.assert_allclose(bias + x @ slopes, expected[0] + x @ expected[1:], atol=2e-3)
    assert (slopes >= 0).all()


def test_what_falls_gets_no_slope():
    x = np.linspace(-1, 1, 200)[:, None]
    bias, slopes = fit_logistic(x, x[:, 0] < 0)
    assert slopes[0] == 0.0 and abs(bias) < 1e-6


def test_classes_that_a_threshold_separates_have_a_finite_fit():
    x = np.linspace(-1, 1, 200)[:, None]
    bias, slopes = fit_logistic(x, x[:, 0] > 0)
    assert np.isfinite([bias, *slopes]).all() and slopes[0] > 5


@pytest.mark.parametrize("fault", ["one class", "nan", "shape", "weights"])
def test_what_cannot_be_fitted_is_refused(fault):
    x, y, w = np.ones((4, 1)), np.array([True, False, True, False]), np.ones(4)
    if fault == "one class":
        y = np.ones(4, bool)
    elif fault == "nan":
        x[0] = np.nan
    elif fault == "shape":
        y = y[:3]
    else:
        w[0] = -1
    with pytest.raises(InvalidValue, match="a fit needs"):
        fit_logistic(x, y, w)


# --- reliability


def plain_error(scores, truth, bins: int) -> float:
    """For distinct scores whose number the bins divide."""
    order = np.argsort(scores)
    parts = zip(np.split(np.asarray(scores)[order], bins), np.split(np.asarray(truth)[order], bins), strict=True)
    return float(np.mean([abs(s.mean() - t.mean()) for s, t in parts]))


@given(st.integers(0, 2**31), st.integers(1, 12))
def test_calibration_error_is_the_mean_gap_of_bins(seed, bins):
    rng = np.random.default_rng(seed)
    scores, truth = rng.uniform(size=12 * bins), rng.uniform(size=12 * bins) < 0.4
    found = expected_calibration_error(scores, truth, bins)
    assert found == pytest.approx(plain_error(scores, truth, bins))
    order = rng.permutation(len(scores))
    assert expected_calibration_error(scores[order], truth[order], bins) == pytest.approx(found)


@given(arrays.arrays(np.float64, 40, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])), st.integers(0, 2**31))
def test_equal_scores_share_a_bin(scores, seed):
    truth = np.random.default_rng(seed).uniform(size=40) < 0.5
    rows = reliability(scores, truth)
    assert sum(row.count for row in rows) == 40
    assert all(a.highest < b.lowest for a, b in zip(rows, rows[1:], strict=False))


def test_scores_that_are_probabilities_have_no_error():
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=50_000)
    assert expected_calibration_error(scores, rng.uniform(size=50_000) < scores) < 0.02
    assert expected_calibration_error(scores, rng.uniform(size=50_000) < scores**2) > 0.1
    assert np.isnan(expected_calibration_error(np.empty(0), np.empty(0, bool)))
    with pytest.raises(InvalidValue, match=r"\[0, 1\]"):
        reliability(np.array([1.5]), np.array([True]))


# --- probability


@given(st.integers(0, 2**31), st.floats(-0.6, 0.6), st.floats(-0.6, 0.6))
def test_a_probability_never_falls_towards_the_query_nor_rises_towards_the_bank(seed, low, high):
    low, high = min(low, high), max(low, high)
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(16, 16)))[0].astype(np.float32)
    query, background, other = axes[0], axes[1:4], axes[5]
    found = cases.calibration(bank=np.ascontiguousarray(background))

    def pointing(along_query: float, along_bank: float) -> np.ndarray:
        rest = np.sqrt(1 - along_query**2 - along_bank**2)
        return along_query * query + along_bank * background[0] + rest * other

    towards_query = found.probability(np.stack([pointing(low, 0.2), pointing(high, 0.2)]), query)
    towards_bank = found.probability(np.stack([pointing(0.3, low), pointing(0.3, high)]), query)
    assert towards_query[1] >= towards_query[0] - 1e-6
    assert towards_bank[1] <= towards_bank[0] + 1e-6


@given(arrays.arrays(np.float32, (5, 7), elements=finite), st.floats(1.0, 200.0))
def test_the_soft_maximum_lies_between_mean_and_maximum(values, sharpness):
    found = soft_maximum(values, sharpness)
    assert (found <= values.max(axis=1) + 1e-4).all() and (found >= values.mean(axis=1) - 1e-4).all()


def test_probability_is_the_logistic_of_cosine_and_margin():
    found, rng = cases.calibration(), np.random.default_rng(2)
    features, query = rng.normal(size=(9, 16)).astype(np.float32), cases.unit(rng.normal(size=16))
    cosine = cases.unit(features).astype(np.float64) @ query
    against = cases.unit(features).astype(np.float64) @ found.bank.T
    margin = cosine - np.log(np.exp(10.0 * against).mean(axis=1)) / 10.0
    expected = 1 / (1 + np.exp(4.0 - 5.0 * cosine - 3.0 * margin))
    np.testing.assert_allclose(found.probability(features, query), expected, atol=1e-5)
    np.testing.assert_allclose(found.probability(features * np.float32(0.2), query), expected, atol=1e-5)
    assert found.probability(np.zeros((1, 16), np.float32), query)[0] == 0.0
    assert found.probability(features[:0], query).shape == (0,)


def test_a_phrase_that_is_asked_for_is_not_held_against_it():
    found = cases.calibration()
    query = found.bank[0]
    without = cases.calibration(bank=found.bank[1:], phrases=found.phrases[1:])
    features = np.random.default_rng(3).normal(size=(6, 16)).astype(np.float32)
    np.testing.assert_array_equal(found.probability(features, query), without.probability(features, query))


def test_without_a_bank_the_cosine_decides():
    found = cases.calibration(count=0, margin_weight=0.0)
    features = np.random.default_rng(4).normal(size=(6, 16)).astype(np.float32)
    query = cases.unit(features[0])
    cosine, margin = evidence(features, query, found.bank, 10.0)
    np.testing.assert_array_equal(cosine, margin)
    assert found.probability(features, query).argmax() == 0


@pytest.mark.parametrize(
    "changed",
    [{"bias": float("nan")}, {"sharpness": 0.0}, {"cosine_weight": -1.0}, {"hit_score": 0.0}, {"hit_score": 1.5},
     {"min_similarity": 2.0}, {"phrases": ("one",)}, {"bank": np.zeros((3, 16), np.float32)}],
)  # fmt: skip
def test_calibrations_that_cannot_be_are_refused(changed):
    with pytest.raises(InvalidValue):
        cases.calibration(**changed)


# --- the bank


def test_an_encoder_keeps_the_phrases_it_knows():
    assert len(background_phrases()) == len(set(background_phrases())) >= 30
    assert {"wall", "floor", "ceiling", "thing", "wood"} <= set(background_phrases())
    colours = load_encoder("colours")
    assert bank_of(colours)[1].shape == (0, 16)
    phrases, vectors = bank_of(colours, ["red", "wall", "red wall", "light blue"])
    assert phrases == ("red", "light blue") and vectors.shape == (2, 16)


# --- the file


def assert_same(one: Calibration, other: Calibration) -> None:
    for field in dataclasses.fields(one):
        before, after = getattr(one, field.name), getattr(other, field.name)
        if field.name == "images" and before is not None:
            assert_same(before, after)
        else:
            assert np.array_equal(before, after) if field.name == "bank" else before == after, field.name


def test_a_file_holds_everything(tmp_path):
    images = cases.calibration(count=0, margin_weight=0.0, hit_score=0.3)
    for given_one in (cases.calibration(), images, cases.calibration(images=images)):
        path = tmp_path / "calibration.json"
        path.write_text(calibration_text(given_one))
        assert_same(given_one, read_calibration(path, given_one.fitted_for, 16))


@pytest.mark.parametrize(
    "fault", ["cut", "no json", "version", "key", "bank", "base64", "number", "missing", "list", "images"]
)
def test_broken_files_are_refused(tmp_path, fault):
    path = tmp_path / "calibration.json"
    text = calibration_text(cases.calibration())
    values = json.loads(text)
    if fault == "version":
        values["version"] = 99
    elif fault == "key":
        del values["bias"]
    elif fault == "bank":
        values["dim"] = 24
    elif fault == "base64":
        values["bank"] = "?" + values["bank"][1:]
    elif fault == "images":
        values["images"] = {"dim": 16}
    elif fault == "number":
        values["sharpness"] = -1
    broken = {"cut": text[: len(text) // 2], "no json": "{", "list": "[]"}.get(fault, json.dumps(values))
    if fault != "missing":
        path.write_text(broken)
    with pytest.raises(InvalidValue, match="calibration.*spatialmem calibrate|positive sharpness"):
        read_calibration(path)


def test_a_calibration_of_another_encoder_is_refused(tmp_path):
    path = tmp_path / "calibration.json"
    path.write_text(calibration_text(cases.calibration()))
    with pytest.raises(InvalidValue, match="fitted for an encoder of fingerprint abababababab"):
        read_calibration(path, "cd" * 32, 16)
    with pytest.raises(InvalidValue, match="width"):
        read_calibration(path, "ab" * 32, 64)


# --- the fit


def test_a_fit_finds_the_curve_again():
    truth = (-6.0, 9.0)
    samples = gathered(cases.questions(40, *truth, seed=1), np.empty((0, 16), np.float32), seed=0)
    curve = fit_curve(samples, with_bank=False)
    assert curve.bias == pytest.approx(truth[0], abs=0.5) and curve.cosine_weight == pytest.approx(truth[1], abs=0.6)
    bank = np.empty((0, 16), np.float32)
    found = calibration_of(curve, samples, 0.7, fitted_for="ab" * 32, phrases=(), bank=bank, fitted_on=cases.FITTED_ON)
    fresh = gathered(cases.questions(40, *truth, seed=2), bank, seed=0, least=samples.least)
    assert error_on(found, fresh) < 0.03
    at_cut = np.eye(16, dtype=np.float32)[0] * found.min_similarity
    at_cut[1] = np.sqrt(1 - found.min_similarity**2)
    assert found.probability(at_cut[None], np.eye(16, dtype=np.float32)[0])[0] == pytest.approx(0.7, abs=1e-3)


def test_a_bank_that_explains_gets_weight():
    """Features that hold much of the background are false, however like the query they are."""
    rng, labelled = np.random.default_rng(5), []
    bank = np.eye(16, dtype=np.float32)[:4]
    for entry in cases.questions(20, -3.0, 5.0, seed=3):
        query = entry.query.copy()
        query[:4] = 0.0
        features = entry.features.copy()
        features[: len(features) // 2, :4] += rng.uniform(0.5, 1.0, (len(features) // 2, 1)).astype(np.float32)
        truth = np.arange(len(features)) >= len(features) // 2
        labelled.append(dataclasses.replace(entry, query=cases.unit(query), features=features, truth=truth))
    samples = gathered(labelled, bank, seed=0, least=0.0)
    curve = fit_curve(samples, with_bank=True)
    assert curve.margin_weight > 1.0
    least = reached_cosine(curve, samples, 0.6)
    assert -0.5 < least < 0.9


def test_what_nobody_can_judge_has_no_say():
    labelled = cases.questions(10, -6.0, 9.0)
    spoilt = [dataclasses.replace(e, truth=e.truth | (np.arange(2000) < 1000)) for e in labelled]
    judged = [dataclasses.replace(e, judged=np.arange(2000) >= 1000) for e in spoilt]
    bank = np.empty((0, 16), np.float32)
    right = fit_curve(gathered(judged, bank, seed=0, least=0.0), with_bank=False)
    wrong = fit_curve(gathered(spoilt, bank, seed=0, least=0.0), with_bank=False)
    assert right.cosine_weight == pytest.approx(9.0, abs=1.2) and wrong.cosine_weight < 6.0


def test_no_candidates_are_refused():
    with pytest.raises(InvalidValue, match="take more houses"):
        gathered(cases.questions(2, -6.0, 9.0), np.empty((0, 16), np.float32), seed=0, least=1.5)


# --- encoders


@pytest.fixture(scope="module")
def bare() -> CalibratedEncoder:
    return load_bare("colours")


def fitted_for(encoder: CalibratedEncoder, **changed):
    return cases.calibration(fitted_for=encoder.bare_fingerprint, count=0, margin_weight=0.0, **changed)


def test_an_encoder_takes_a_calibration_and_stays_sound(bare):
    encoder = bare.with_calibration(fitted_for(bare))
    assert check_encoder(bare) == [] and check_encoder(encoder) == []
    assert not bare.calibrated and encoder.calibrated
    assert (encoder.hit_score, encoder.min_similarity) == (0.6, 0.4) != (bare.hit_score, bare.min_similarity)
    assert encoder.with_calibration(None).fingerprint == bare.fingerprint
    query = bare.encode_text("red").vector
    assert query is not None
    np.testing.assert_array_equal(encoder.score(query[None], query), fitted_for(bare).probability(query[None], query))


def test_the_fingerprint_covers_the_calibration(bare):
    changes = [{}, {"bias": -3.0}, {"cosine_weight": 6.0}, {"hit_score": 0.7}, {"min_similarity": 0.5}]
    digests = {bare.with_calibration(fitted_for(bare, **changed)).fingerprint for changed in changes}
    assert len(digests | {bare.fingerprint}) == len(changes) + 1


def test_queries_by_image_have_numbers_of_their_own(bare):
    rgb = np.full((40, 40, 3), (200, 30, 30), np.uint8)
    encoder = bare.with_calibration(fitted_for(bare, images=fitted_for(bare, hit_score=0.9, min_similarity=0.7)))
    texts = ask(lambda: encoder, "red", None, None, None, None, None, None, 1)
    images = ask(lambda: encoder, None, rgb, None, None, None, None, None, 1)
    assert (texts.calibrated, texts.hit_score, texts.least) == (True, 0.6, 0.4)
    assert (images.calibrated, images.hit_score, images.least) == (False, 0.9, 0.7)
    for_texts_alone = bare.with_calibration(fitted_for(bare))
    images = ask(lambda: for_texts_alone, None, rgb, None, None, None, None, None, 1)
    assert (images.calibrated, images.hit_score) == (False, bare.hit_score)
    assert bare.for_images is bare and encoder.fingerprint != for_texts_alone.fingerprint


def test_a_foreign_or_nested_part_for_images_is_refused():
    plain = {"count": 0, "margin_weight": 0.0}
    for images in (
        cases.calibration(**plain, fitted_for="cd" * 32), cases.calibration(24, **plain),
        cases.calibration(**plain, images=cases.calibration(**plain)),
    ):  # fmt: skip
        with pytest.raises(InvalidValue, match="part for images"):
            cases.calibration(images=images)


def test_a_foreign_calibration_is_refused(bare):
    with pytest.raises(InvalidValue, match="spatialmem calibrate colours"):
        bare.with_calibration(cases.calibration(count=0, margin_weight=0.0))


def test_encoders_that_take_none_say_so(monkeypatch):
    from spatialmem.perception import calibrated

    class Plain(Encoder):
        pass

    monkeypatch.setattr(calibrated, "find_encoder", lambda name: Plain)
    with pytest.raises(InvalidValue, match="takes no calibration"):
        load_bare("plain")


def test_colours_ship_with_their_calibration(bare):
    from sim.tasks.naming import SPLIT_SHA256, houses

    encoder = load_encoder("colours")
    assert isinstance(encoder, CalibratedEncoder) and encoder.calibration is not None
    on = encoder.calibration.fitted_on
    assert encoder.calibration.fitted_for == bare.bare_fingerprint
    assert on.split_sha256 == SPLIT_SHA256 and on.scenes == houses("fit", len(on.scenes))
    assert on.ece < 0.1 and on.false_answers <= 0.05
    assert encoder.calibration.images is None  # by colour alone nothing tells a thing that is not there


# --- hits


@given(st.floats(0.5, 1.0), st.integers(10, 10**6))
def test_the_score_of_a_region_lies_between_a_bare_hit_and_its_mean(mean, voxels):
    from spatialmem.retrieval.hits import region_score

    score = region_score(mean, voxels, 0.5, calibrated=True)
    assert 0.5 <= score <= mean + 1e-9 and region_score(mean, 2 * voxels, 0.5, calibrated=True) >= score - 1e-12
    assert region_score(mean, voxels, 0.5, calibrated=False) == pytest.approx(mean * voxels / (voxels + 24))


def test_what_is_not_alike_is_no_answer_however_it_scores(bare):
    flat = fitted_for(bare, bias=2.0, cosine_weight=0.0, hit_score=0.5, min_similarity=0.9)
    question = ask(lambda: bare.with_calibration(flat), "red", None, None, None, None, None, None, 1)
    assert question.vector is not None
    other = np.zeros(16, np.float32)
    other[int(np.argmin(question.vector))] = 1.0
    features = np.stack([question.vector, 0.3 * question.vector, other])
    found = question.score_of_alike(features)
    assert found[0] == found[1] > 0.5 and found[2] == 0.0
