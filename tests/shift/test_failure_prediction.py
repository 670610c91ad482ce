"""Published scores of a decoder without labels, worked out by hand or by slow code."""

from __future__ import annotations

import importlib
import importlib.util
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from make import ROOT
from mesodecode.base.roc_auc import roc_auc
from mesodecode.scores import calibration

found = ROOT / "benchmarks/published_scores.py"
spec = importlib.util.spec_from_file_location("published_scores", found)
published_scores = importlib.util.module_from_spec(spec)
spec.loader.exec_module(published_scores)

# Decided run, rest, rest, rest: the third is wrong. Confidences .9 .6 .7 .8.
LABEL = np.array([1, 0, 1, 0])
SOURCE = np.array([0.9, 0.4, 0.3, 0.2])


def test_average_confidence_by_hand():
    found = published_scores.average_confidence(np.array([0.9, 0.2, 0.5]))
    assert found == pytest.approx((0.9 + 0.8 + 0.5) / 3)


def test_difference_of_confidences_by_hand():
    target = np.array([0.6, 0.5])
    # three of four are right, with a mean confidence of .75; the target has .55
    found = published_scores.difference_of_confidences(LABEL, SOURCE, target)
    assert found == pytest.approx(0.75 - (0.75 - 0.55))
    assert published_scores.difference_of_confidences(LABEL, SOURCE, SOURCE) == 0.75


def test_atc_by_hand():
    atc = published_scores.average_thresholded_confidence
    # one of four is wrong: the threshold is the second lowest confidence, .7
    assert atc(LABEL, SOURCE, np.array([0.95, 0.31, 0.35, 0.5, 0.29])) == 2 / 5
    assert atc(LABEL, SOURCE, SOURCE) == 3 / 4
    assert atc(1 - LABEL, SOURCE, SOURCE) == 1 / 4
    assert atc(np.array([0, 1, 1, 1]), SOURCE, SOURCE) == 0  # none is right
    assert atc((SOURCE > 0.5).astype(int), SOURCE, np.array([0.6, 0.55])) == 1 / 2  # all are


def test_a_temperature_does_not_change_atc():
    rng = np.random.default_rng(0)
    label, source, target = rng.integers(0, 2, 200), rng.random(200), rng.random(300)
    scaled = calibration.scaled(source, 2.5), calibration.scaled(target, 2.5)
    atc = published_scores.average_thresholded_confidence
    assert atc(label, *scaled) == atc(label, source, target)


def test_nuclear_norm_of_what_has_a_known_one():
    norm = published_scores.nuclear_norm
    assert norm(np.array([1, 0, 0, 1])) == pytest.approx(1)  # sure, of both states
    assert norm(np.ones(6)) == pytest.approx(math.sqrt(0.5))  # sure, of one
    assert norm(np.full(6, 0.5)) == pytest.approx(0.5)
    # of a sure run and a .5: matrix [[0, 1], [.5, .5]], singular values s, t with s t = .5 and
    # s² + t² = 1.5, so that s + t = √2.5
    assert norm(np.array([1, 0.5])) == pytest.approx(math.sqrt(2.5) / 2)


def test_dispersion_by_hand():
    features = np.array([[0, 5], [0, 5], [0, 5], [4, 5.0]])
    # means 0 and 4 of three and one frames, 1 of all: 3/4 · 1 + 1/4 · 9
    found = published_scores.dispersion(features, np.array([0.1, 0.2, 0.3, 0.5]))
    assert found == pytest.approx(math.log(3))
    twice = published_scores.dispersion(np.tile(features, (2, 1)), np.tile([0, 0, 0, 1], 2))
    assert twice == pytest.approx(found)  # a longer session says no more
    assert math.isnan(published_scores.dispersion(features, np.full(4, 0.2)))


def test_agreement_of_seeds_by_hand():
    # decided 1 0 1, 1 0 0 and 1 1 0: alike in 2, 1 and 2 of 3 frames
    seeds = [np.array(one) for one in ([0.9, 0.1, 0.6], [0.8, 0.2, 0.4], [0.7, 0.6, 0.4])]
    assert published_scores.agreement(seeds) == pytest.approx(5 / 9)
    assert math.isnan(published_scores.agreement(seeds[:1]))


def test_expected_auc_by_hand():
    # run by .8 and .4, rest by .2 and .6: (.8 · .2 / 2 + .8 · .6 + .4 · .6 / 2) / (1.2 · .8)
    assert published_scores.expected_auc(np.array([0.8, 0.4])) == pytest.approx(0.68 / 0.96)
    assert published_scores.expected_auc(np.array([0, 1, 1])) == 1
    assert published_scores.expected_auc(np.full(5, 0.3)) == pytest.approx(0.5)
    assert math.isnan(published_scores.expected_auc(np.ones(3)))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=15))
def test_expected_auc_is_that_of_all_pairs(tenths):
    p = np.array(tenths) / 10
    run, rest = p[:, None], 1 - p[None]
    wins = (p[:, None] > p) + 0.5 * (p[:, None] == p)
    slow = (run * rest * wins).sum() / (p.sum() * (1 - p).sum())
    assert published_scores.expected_auc(p) == pytest.approx(slow)


def test_calibrated_frames_are_as_good_as_they_say():
    rng = np.random.default_rng(1)
    p = rng.beta(0.7, 0.7, 200_000)
    label = rng.random(len(p)) < p
    right = ((p >= 0.5) == label).mean()
    assert published_scores.average_confidence(p) == pytest.approx(right, abs=0.005)
    assert published_scores.expected_auc(p) == pytest.approx(roc_auc(label, p), abs=0.005)


@pytest.mark.parametrize(
    "score", ["average_confidence", "nuclear_norm", "agreement", "expected_auc"]
)
def test_nothing_is_said_of_no_frames(score):
    assert math.isnan(getattr(published_scores, score)(np.empty(0)))


# benchmarks/failure_prediction.py ------------------------------------------------------------


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("failure_prediction")


def test_a_cut_is_where_hits_less_false_alarms_are_most(bench):
    table = pd.DataFrame({"auc": [0.5, 0.7, 0.9, 0.95, 0.85], "s": [1, 3, 2, 5, 6.0]})
    assert bench.best_cut(table, "s") == 5  # both failed, one of three sound: the third by value
    assert bench.best_cut(table.assign(s=[1, 1, 4, 5, 6]), "s") == 4


def test_scores_are_judged_by_what_the_other_kind_decided(bench):
    """A score that is 10 × logit AUC in both kinds makes no error; ranks and warnings are right."""
    auc = np.array([0.6, 0.7, 0.85, 0.9])
    parts = [
        pd.DataFrame({"kind": kind, "decoder": "d", "auc": auc, "accuracy": auc - 0.1})
        for kind in bench.KINDS
    ]
    table = pd.concat(parts, ignore_index=True)
    for score, target in bench.ESTIMATES.items():
        table[score] = table[target] + 0.02 if target else 10 * logit(table["auc"])
    found = bench.judged(table)
    ranks = found[found["score"] == "nuclear norm"]
    np.testing.assert_allclose(ranks["line"], 0, atol=1e-12)
    assert found["rank"].eq(1).all() and found["hits"].eq(2).all() and found["false"].eq(0).all()
    estimates = found[found["score"].isin(["expected AUC", "DoC"])]
    np.testing.assert_allclose(estimates["own"], 0.02)
    np.testing.assert_allclose(found[found["score"] == "expected AUC"]["line"], 0.02)
