"""Scores of encoding models: explainable variance, R², correlation, chance and their summary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import r2_score

from mesodecode.base.files import UserError
from mesodecode.encoding import scores
from mesodecode.encoding.explainable import Explainable, explainable, screened
from mesodecode.encoding.predictions import Predictions, read_predictions


def test_explainable_variance_by_hand():
    # two images, three repeats each: means 2 and 6, grand mean 4
    response = np.array([[1.0], [2], [3], [5], [6], [7]])
    found = explainable(response, np.array([0, 0, 0, 1, 1, 1]))
    # MSB = 3 (2² + 2²) / 1 = 24, MSW = (2 + 2) / 4 = 1; signal = 23 / 3
    assert found.signal[0] == pytest.approx(23 / 3) and found.noise[0] == pytest.approx(1)
    assert found.single[0] == pytest.approx((23 / 3) / (23 / 3 + 1))
    assert found.average[0] == pytest.approx(1 - 1 / 24)  # 1 - 1/F


def test_p_is_that_of_a_one_way_anova_with_unequal_repeats():
    rng = np.random.default_rng(0)
    image = np.repeat([3, 5, 9], [4, 7, 2])
    response = rng.normal(size=(13, 6)) + 0.5 * image[:, None]
    groups = [response[image == i] for i in (3, 5, 9)]
    found, (f, p) = explainable(response, image), stats.f_oneway(*groups)
    np.testing.assert_allclose(found.p, p)
    repeats = (13 - (16 + 49 + 4) / 13) / 2  # less than the mean of 4, 7 and 2
    assert found.repeats == pytest.approx(repeats)
    np.testing.assert_allclose(found.signal, (f - 1) * found.noise / repeats)
    np.testing.assert_allclose(found.average, 1 - 1 / f)


def test_signal_and_noise_are_found_where_they_were_planted():
    rng = np.random.default_rng(1)
    signal = rng.normal(0, 1.5, (300, 40))
    image = np.repeat(np.arange(300), 5)
    found = explainable(signal[image] + rng.normal(0, 2, (1500, 40)), image)
    assert found.signal.mean() == pytest.approx(2.25, rel=0.05)
    assert found.noise.mean() == pytest.approx(4, rel=0.02)


def test_responsive_neurons_are_those_at_the_false_discovery_rate():
    # Benjamini & Hochberg 1995: the k-th smallest of ten is compared with .005 k
    p = np.array([0.216, 0.008, 0.039, np.nan, 0.042, 0.06, 0.074, 0.001, 0.212, 0.205])
    found = Explainable(np.ones(10), np.ones(10), p, 3.0)
    assert np.flatnonzero(found.responsive).tolist() == [1, 7]
    p[2] = 0.0149  # the third of ten, by .015
    assert np.flatnonzero(found.responsive).tolist() == [1, 2, 7]
    alone = Explainable(np.ones(3), np.ones(3), np.array([0.04, 0.045, 0.049]), 3.0)
    assert alone.responsive.all()  # the largest is compared with .05, and takes the others along
    assert not replace(alone, p=alone.p + 0.002).responsive.any()


def test_nothing_is_known_without_repeats():
    assert np.isnan(explainable(np.ones((3, 2)), np.arange(3)).single).all()


def part(fold, image, response, prediction, oracle=False, model="m", mean=0.0) -> Predictions:
    n = np.arange(response.shape[1])
    at = np.arange(len(image))
    return Predictions(
        *(model, fold, "s", "s", oracle, at, np.asarray(image), response, prediction, n),
        np.full(len(n), mean),
    )


@pytest.fixture
def parts():
    rng = np.random.default_rng(2)
    signal = rng.normal(size=(12, 5))
    signal[:, 4] = 0  # an unresponsive neuron
    made = []
    for i in range(3):
        image = np.repeat(np.arange(4 * i, 4 * i + 4), 10)
        response = signal[image] + rng.normal(size=(40, 5))
        guess = 0.8 * signal[image] + 0.3
        made.append(part(f"f{i}", image, response, guess))
    return made


def test_r2_is_that_of_sklearn_on_trials_and_averages(parts):
    rows, _, _ = scores.score_session(parts, permutations=19)
    response, guess = (
        np.concatenate([getattr(p, k) for p in parts]) for k in ("response", "prediction")
    )
    wanted = r2_score(response, guess, multioutput="raw_values")
    np.testing.assert_allclose(rows["r2_single"], wanted)
    image = np.concatenate([p.image for p in parts])
    means, expected = (
        np.array([x[image == i].mean(0) for i in range(12)]) for x in (response, guess)
    )
    np.testing.assert_allclose(
        rows["r2_average"], r2_score(means, expected, multioutput="raw_values")
    )
    assert rows["responsive"].tolist() == [True] * 4 + [False]
    assert rows["fraction"].isna().tolist() == [False] * 4 + [True]
    ceiling = 1 - 1 / stats.f_oneway(*(response[image == i] for i in range(12))).statistic
    np.testing.assert_allclose(rows["fraction"][:4], (rows["r2_average"] / ceiling)[:4])
    of_r = rows["r_average"] / np.sqrt(ceiling)  # CC_norm of Schoppe et al. 2016
    np.testing.assert_allclose(rows["r_normalised"][:4], of_r[:4])
    assert rows["r_normalised"].isna().tolist() == [False] * 4 + [True]


def test_scores_of_neurons_and_of_folds_by_hand():
    """Averages of three images a fold; six trials each, of 1 more or less than the average.

    Neuron 0: MSB = 24 / 5, MSW = 6 / 5, F = 4; neuron 1: four times that; neuron 2 answers none.
    """
    means = np.array([[0.0, 0, 0], [1, 2, 0], [2, 4, 0]])
    response = np.repeat(means, 6, axis=0) + np.tile([[1.0], [-1]], (9, 1))
    first, second = (
        np.repeat(np.array(one, float), 6, axis=0)
        for one in ([[0, 0, 5], [2, 2, 6], [1, 4, 7]], [[0, 2, 5], [0.5, 2, 6], [1, 2, 7]])
    )
    image = np.repeat([0, 1, 2], 6)
    made = [part("f0", image, response, first), part("f1", image + 3, response, second)]
    rows, folds, _ = scores.score_session(made, permutations=1)
    assert rows["responsive"].tolist() == [True, True, False]
    assert (rows["n_images"] == 6).all() and rows["neuron"].tolist() == [0, 1, 2]
    p = stats.f.sf([4, 16], 5, 30)
    assert rows["p_explainable"][:2].tolist() == pytest.approx(p.tolist())
    assert rows["explainable"][:2].tolist() == pytest.approx([1 / 3, 5 / 7])
    assert folds["n_images"].tolist() == [3, 3]
    assert rows["ceiling_average"][:2].tolist() == pytest.approx([3 / 4, 15 / 16])
    assert rows["ceiling_single"][:2].tolist() == pytest.approx([1 / 3, 5 / 7])
    expected = {
        "r2_average": ([0.75 / 4, 0.5], [0.5, 0.1875]),
        "fraction": ([0.25, 8 / 15], [8 / 15, 0.25]),
        "r_average": ([2 / 10**0.5, 0.5**0.5], [0.75, 1]),
        # R over the root of the ceiling; in the second fold of neuron 0 alone, as 1 has no R there
        "r_normalised": (
            [2 / 7.5**0.5, (8 / 15) ** 0.5],
            [(0.5 / 0.75**0.5 + 4 / 15**0.5) / 2, 1 / 0.75**0.5],
        ),
        "r2_single": ([4.5 / 60, 48 / 132], [24 / 66, 0.075]),
        "r_single": (
            [0.4, (48 / 132) ** 0.5],
            [(10**-0.5 + (48 / 66) ** 0.5) / 2, 2 / 10**0.5],
        ),
    }
    for score, (each, by_fold) in expected.items():
        assert rows[score][:2].tolist() == pytest.approx(each), score
        assert folds[score].tolist() == pytest.approx(by_fold), score


def test_r2_over_the_mean_is_0_for_who_knows_the_training_mean_only(parts):
    flat = [
        part(p.fold, p.image, p.response, np.full_like(p.response, 0.1 * i), mean=0.1 * i)
        for i, p in enumerate(parts)
    ]
    rows, _, _ = scores.score_session(flat, permutations=19)
    assert (rows["r2_over_mean"] == 0).all() and rows["r2_average"].abs().min() > 1e-3
    # averages 1 and 3 of two images, guesses 1.5 and 2, a training mean of 0
    response, guess = np.array([[0.0], [2], [2], [4]]), np.array([[1.5], [1.5], [2], [2]])
    rows, _, _ = scores.score_session([part("f", [0, 0, 1, 1], response, guess)], permutations=19)
    assert rows["r2_over_mean"][0] == pytest.approx(1 - (0.5**2 + 1**2) / (1**2 + 3**2))


def test_what_a_model_learned_of_neurons_that_answer_no_image_is_left_out():
    rng = np.random.default_rng(4)
    image = np.repeat(np.arange(20), 10)
    response = rng.normal(size=(200, 6))
    response[:, :2] += rng.normal(size=(20, 2))[image]
    predicted, mean = rng.normal(size=(7, 6)), response.mean(0)
    found = screened(predicted, response, image, mean)
    assert np.array_equal(found[:, :2], predicted[:, :2])
    assert np.array_equal(found[:, 2:], np.repeat(mean[None, 2:], 7, axis=0))
    once = screened(predicted, response[::10], image[::10], mean)
    assert np.array_equal(once, predicted)  # without repeats nothing is known


def test_correlation_takes_no_credit_or_blame_for_the_means_of_folds(parts):
    moved = [part(p.fold, p.image, p.response, p.prediction - 5 * i) for i, p in enumerate(parts)]
    before, after = (scores.score_session(p, permutations=19)[0] for p in (parts, moved))
    np.testing.assert_allclose(before["r_average"], after["r_average"])
    _, folds, _ = scores.score_session(parts, permutations=19)
    each = [
        np.mean([np.corrcoef(p.response[:, n], p.prediction[:, n])[0, 1] for n in range(4)])
        for p in parts
    ]
    np.testing.assert_allclose(folds["r_single"], each)


def test_a_constant_prediction_has_no_correlation(parts):
    flat = [
        part(p.fold, p.image, p.response, np.full_like(p.response, i)) for i, p in enumerate(parts)
    ]
    rows, _, _ = scores.score_session(flat, permutations=19)
    assert rows["r_average"].isna().all() and (rows["r2_average"] < 0).all()


def test_what_differs_by_rounding_alone_is_constant():
    """Below 1e-9 of the sum of squares of the response, here 4."""
    response = np.array([[1.0], [-1], [1], [-1]])
    for size, expected in ((0.9e-9, np.nan), (1.1e-9, 1)):
        found = scores.correlation(response, size * response, np.zeros(4))
        np.testing.assert_allclose(found, [expected], rtol=1e-12)


def test_scores_of_single_floats_are_those_of_doubles(parts):
    far = [
        replace(one, response=one.response + 1e4, prediction=one.prediction + 1e4) for one in parts
    ]
    single = [
        replace(one, response=np.float32(one.response), prediction=np.float32(one.prediction))
        for one in far
    ]
    double = [
        replace(one, response=np.float64(one.response), prediction=np.float64(one.prediction))
        for one in single
    ]
    for found, expected in zip(
        *(scores.score_session(one, permutations=3) for one in (single, double)), strict=True
    ):
        assert pd.DataFrame(found).equals(pd.DataFrame(expected))


def test_what_knows_the_images_beats_chance_and_what_guesses_does_not(parts):
    rng = np.random.default_rng(3)
    rows, _, chance = scores.score_session(parts, permutations=199)
    assert (chance.mean(0)[:4] < 0).all()
    reached = (chance >= rows["r2_average"].to_numpy()).sum(0)  # and the observed one
    np.testing.assert_allclose(rows["p_chance"], (1 + reached) / 200)
    assert (reached[:4] <= 3).all()
    guess = rng.normal(size=(12, 5))
    lost = [part(p.fold, p.image, p.response, guess[p.image]) for p in parts]
    rows, _, chance = scores.score_session(lost, permutations=199)
    assert rows["p_chance"].between(0.01, 1).all() and chance.shape == (199, 5)


def test_permutations_stay_within_folds():
    # predictions are right about folds and know nothing within: permuting changes nothing
    means = np.repeat([[0.0], [1.0]], 3, axis=0)
    chance = scores.permuted_r2(means, means, np.repeat([0, 1], 3), 20, 0)
    assert np.array_equal(chance, np.ones((20, 1)))


def test_permutations_are_those_of_their_seed(parts):
    first, again, other = (
        scores.score_session(parts, permutations=9, seed=seed)[2] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_averages_of_an_oracle_are_left_out(parts):
    oracle = [part(p.fold, p.image, p.response, p.prediction, oracle=True) for p in parts]
    rows, folds, _ = scores.score_session(oracle, permutations=19)
    averages = ["r2_average", "r2_over_mean", "fraction", "r_average", "r_normalised"]
    assert rows[[*averages, "p_chance"]].isna().all(axis=None)
    assert rows.loc[:3, ["r2_single", "r_single"]].notna().all(axis=None)
    assert folds[averages].isna().all(axis=None)
    assert folds[["r2_single", "r_single"]].notna().all(axis=None)


def test_summary_has_student_intervals_over_neurons_and_folds(parts):
    rows, folds, chance = scores.score_session(parts, permutations=19)
    table = scores.summarise(rows, folds, {"m": chance})
    row = table[(table["neurons"] == "responsive") & (table["score"] == "r2_average")].iloc[0]
    values = rows["r2_average"][:4]
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert (row["mean"], row["ci_low"], row["ci_high"]) == pytest.approx((values.mean(), low, high))
    low, high = stats.t.interval(
        0.95, 2, folds["r2_average"].mean(), stats.sem(folds["r2_average"])
    )
    assert (row["n_folds"], row["fold_low"], row["fold_high"]) == pytest.approx((3, low, high))
    assert row["p_chance"] == 1 / 20 and row["chance"] < row["mean"]
    # a fold's share of the ceiling: mean over responsive neurons of R² over the ceiling of them all
    share = table[(table["neurons"] == "responsive") & (table["score"] == "fraction")].iloc[0]
    ceiling = rows["ceiling_average"][:4].to_numpy()
    each = []
    for part_ in parts:
        means = [
            np.array([x[part_.image == i].mean(0) for i in np.unique(part_.image)])[:, :4]
            for x in (part_.response, part_.prediction)
        ]
        each.append(np.mean(r2_score(*means, multioutput="raw_values") / ceiling))
    assert (share["fold_low"] + share["fold_high"]) / 2 == pytest.approx(np.mean(each))


def test_chance_of_a_summary_is_the_mean_of_its_neurons_and_p_counts_the_observed():
    """Two models of three neurons, the last of which is not responsive; three permutations."""
    score = {"good": [0.5, 0.25, 0.125], "bad": [0.125, 0.0, 0.375]}
    chance = {
        "good": np.array([[0.125, 0.25, 0.875], [0.5, 0.25, 0.75], [0.0, 0.5, 0.625]]),
        "bad": np.array([[0.0, 0.0, 0.0], [0.125, 0.125, 0.125], [0.25, 0.125, 0.5]]),
    }
    columns = dict.fromkeys(scores.SCORES, np.nan) | {"session": "s"}
    neurons = pd.concat(
        pd.DataFrame({"model": name, "neuron": [5, 6, 7], "responsive": [True, True, False]})
        .assign(**columns)
        .assign(r2_average=values)
        for name, values in score.items()
    )
    folds = pd.DataFrame({"model": ["good", "good", "bad"], "r2_average": [0.5, np.nan, 0.6]})
    folds["fold"] = ["s.fold-1", "s.fold-2", "s.fold-1"]  # nothing is known of the second
    table = scores.summarise(neurons, folds, chance).set_index(["model", "neurons"])
    assert set(table["score"]) == {"r2_average"}
    expected = {
        ("good", "all"): (3, 0.875 / 3, 3.875 / 9, 1.0),
        ("good", "responsive"): (2, 0.375, 0.8125 / 3, 2 / 4),  # one of three is as good
        ("good", "unresponsive"): (1, 0.125, 0.75, 1.0),
        ("bad", "all"): (3, 0.5 / 3, 1.25 / 9, 2 / 4),
        ("bad", "responsive"): (2, 0.0625, 0.3125 / 3, 3 / 4),
        ("bad", "unresponsive"): (1, 0.375, 0.625 / 3, 2 / 4),
    }
    for key, values in expected.items():
        row = table.loc[key, ["n_neurons", "mean", "chance", "p_chance"]]
        assert row.tolist() == pytest.approx(values), key
    assert table["n_folds"].dropna().tolist() == [1, 1]  # of responsive neurons
    assert np.isnan(table.loc[("good", "unresponsive"), "ci_low"])  # of one neuron


def test_folds_of_other_neurons_are_no_session(parts):
    other = replace(parts[1], neurons=parts[1].neurons[::-1])
    with pytest.raises(UserError, match=r"^m: folds of session s have other neurons$"):
        scores.score_session([parts[0], other], permutations=1)


def test_neurons_of_sessions_held_out_in_turn_count_once(parts):
    several = [
        replace(one, fold=f"test-{name}", session=name)
        for one, name in zip(parts, "abc", strict=True)
    ]
    rows, by_fold, chance = zip(
        *(scores.score_session([one], permutations=19) for one in several), strict=True
    )
    rows, by_fold = pd.concat(rows), pd.concat(by_fold)
    table = scores.summarise(rows, by_fold, {"m": np.concatenate(chance, axis=1)})
    row = table[(table["neurons"] == "all") & (table["score"] == "r2_single")].iloc[0]
    each = rows.pivot(index="neuron", columns="session", values="r2_single").mean(axis=1)
    assert row["n_neurons"] == len(each) < len(rows)
    low, high = stats.t.interval(0.95, len(each) - 1, each.mean(), stats.sem(each))
    assert (row["mean"], row["ci_low"], row["ci_high"]) == pytest.approx((each.mean(), low, high))
    # folds of images of several sessions: other neurons, whatever their numbers
    images = scores.summarise(
        rows, by_fold.assign(fold="test-a.fold-1"), {"m": np.concatenate(chance, axis=1)}
    )
    assert images.query("neurons == 'all' and score == 'r2_single'")["n_neurons"].item() == len(
        rows
    )


def test_predictions_come_back_and_what_is_not_finite_is_refused(parts, tmp_path):
    parts[0].write(tmp_path / "p.h5")
    back = read_predictions(tmp_path / "p.h5")
    assert back.fold == "f0" and back.oracle is False
    np.testing.assert_allclose(back.prediction, parts[0].prediction, rtol=1e-6)
    bad = part("f", parts[0].image, parts[0].response, parts[0].prediction * np.nan)
    bad.write(tmp_path / "bad.h5")
    with pytest.raises(UserError, match=r"bad\.h5: predictions that are not finite"):
        read_predictions(tmp_path / "bad.h5")
