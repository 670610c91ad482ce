"""Tests that know the mice: by hand, against R and slow twins, under the null, by the verbs."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from make import ROOT
from make_tables import PUBLISHED, published, run
from mesodecode.base.files import UserError
from mesodecode.base.roc_auc import roc_auc
from mesodecode.base.tables import read_table
from mesodecode.decoders import predictions
from mesodecode.scores import chance_tests, mouse_power, mouse_tests, paired_tests, published_tests
from mesodecode.study import mouse_allocations
from tabled import as_tabled
from texts import as_read

FAMILIES = {  # analysis -> column of the groups
    **{"image": "model", "roi_models": "model", "roi_window": "half_window_frames"},
    **{"roi_regions_limb": "model", "roi_regions_parts": "model"},
}
# the 20 allocations of 5 mice to 3:1:1, by validation and test mouse
VALID, TEST = np.array(list(itertools.permutations(range(5), 2))).T


def toy(**columns) -> pd.DataFrame:
    """Two decoders, 20 allocations each; b is .1 below a but for a mouse each way."""
    rows = [
        (name, f"m{v}", f"m{t}", 0.9 + 0.01 * t - (name == "b") * (0.02 * t + 0.001 * v))
        for name in "ab"
        for v, t in zip(VALID, TEST, strict=True)
    ]
    names = ["decoder", "valid_mouse", "test_mouse", "auc"]
    return pd.DataFrame(rows, columns=names).assign(**columns)


# By hand


def test_sign_flip_of_five_mice_is_two_of_32_at_best():
    assert mouse_tests.sign_flip(np.array([1.0, 2, 3, 4, 5])) == (2 / 32, 2 / 32)
    # of |±1 ±2 ±3|: 6 once each way, 4 once each way; observed |-1 + 2 + 3| = 4
    assert mouse_tests.sign_flip(np.array([-1.0, 2, 3])) == (4 / 8, 2 / 8)
    assert mouse_tests.sign_flip(np.zeros(5)) == (1.0, 2 / 32)
    single = np.array([0.1, 0.2, 0.3], np.float32)  # whose sum, as they are, is above that of signs
    assert mouse_tests.sign_flip(single) == (2 / 8, 2 / 8)


@given(st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=9))
def test_sign_flip_is_that_of_all_products(means):
    signs = np.array(list(itertools.product([-1, 1], repeat=len(means))))
    expected = np.mean(np.abs(signs @ means) >= abs(sum(means)))
    assert mouse_tests.sign_flip(means)[0] == pytest.approx(expected)


def test_sign_flip_of_many_mice_is_drawn():
    means = np.random.default_rng(0).normal(0.3, 1, 40)
    p, smallest = mouse_tests.sign_flip(means)
    assert smallest == 1 / 10_001
    assert p == pytest.approx(stats.ttest_1samp(means, 0).pvalue, abs=0.01)
    assert mouse_tests.sign_flip(np.ones(40))[0] == smallest


@pytest.mark.parametrize("n", [2, 3, 5, 6])
def test_max_t_is_that_of_all_products(n):
    rng = np.random.default_rng(n)
    means = rng.normal(0.5, 1, (n, 4)) + rng.normal(0, 1, (n, 1))
    t, p, smallest = mouse_tests.max_t(means)
    np.testing.assert_allclose(t, stats.ttest_1samp(means, 0).statistic)
    highest = [
        np.abs(stats.ttest_1samp(np.array(signs)[:, None] * means, 0).statistic).max()
        for signs in itertools.product([-1, 1], repeat=n)
    ]
    expected = [np.mean(np.array(highest) >= abs(one) - 1e-9) for one in t]
    np.testing.assert_allclose(p, expected)
    assert smallest == 2 / 2**n <= p.min()


def test_max_t_of_one_area_is_not_less_than_its_sign_flips_and_of_copies_it_is_the_same():
    one = np.array([[1.0], [2], [3], [-0.5], [4], [1.5]])
    p = mouse_tests.max_t(one)[1]
    np.testing.assert_array_equal(p, mouse_tests.sign_flip(one[:, 0])[0])
    np.testing.assert_array_equal(mouse_tests.max_t(np.repeat(one, 9, axis=1))[1], p[[0] * 9])


def test_max_t_where_nothing_varies_and_of_one_mouse():
    means = np.array([[0, 2, 1.0], [0, 2, -1], [0, 2, 3], [0, 2, 1], [0, 2, 2]])
    t, p, _ = mouse_tests.max_t(means)
    assert (t[0], p[0], t[1], p[1]) == (0, 1, np.inf, 0.0625)
    for n, value in ((5, 0.3), (6, 0.3), (7, 0.1)):  # also where rounding leaves some variance
        assert mouse_tests.max_t(np.full((n, 1), value))[0].tolist() == [np.inf]
    t, p, smallest = mouse_tests.max_t(means[:1])
    assert np.isnan([*t, *p, smallest]).all()


def test_max_t_of_many_mice_is_drawn():
    rng = np.random.default_rng(3)
    means = rng.normal([0, 2], 1, (20, 2))
    _, p, smallest = mouse_tests.max_t(means)
    assert smallest == p[1] == 1 / 10_001
    # two areas that are independent: 1 - (1 - p of one)²
    single = stats.ttest_1samp(means[:, 0], 0).pvalue
    assert p[0] == pytest.approx(1 - (1 - single) ** 2, abs=0.03)


@pytest.mark.parametrize(("mice", "expected"), [(5, 0), (8, 0.05)])
def test_max_t_keeps_its_level_over_all_areas(mice, expected):
    """20 areas that go together; of 5 mice no p is below .0625."""
    rng, draws = np.random.default_rng(8), 300
    shared = rng.normal(0, 1, (draws, mice, 1))
    maps = rng.normal(0, 1, (draws, mice, 20)) + shared
    wrong = np.mean([mouse_tests.max_t(one)[1].min() < 0.05 for one in maps])
    assert wrong == pytest.approx(expected, abs=0.03 if expected else 0)
    single = np.mean(stats.ttest_1samp(maps, 0, axis=1).pvalue.min(axis=1) < 0.05)
    assert single > 0.25  # each area by itself


def test_nadeau_bengio_by_hand():
    # mean 2.5, s² = 5/3; t = 2.5 / sqrt((1/4 + 1/3) 5/3) = 2.5354628; the plain t is 3.8729833
    difference = np.array([1.0, 2, 3, 4])
    assert mouse_tests.nadeau_bengio(difference, 1 / 3) == pytest.approx(
        2 * stats.t.sf(2.5354628, 3)
    )
    plain = stats.ttest_1samp(difference, 0).pvalue
    assert mouse_tests.nadeau_bengio(difference, 0) == pytest.approx(plain)


def test_ratio_counts_mice():
    assert paired_tests._test_train_ratio(toy()) == 1 / 3  # 5 mice, 1 tests, 1 validates
    assert paired_tests._test_train_ratio(toy(train_mice="x+y")) == 1 / 2
    uneven = toy(train_mice=["x+y+z"] * 20 + ["x+y"] * 20)
    found = paired_tests.infer(pd.concat([uneven[20:], uneven[:20]]), by="decoder").iloc[0]
    for table in (uneven, toy(train_mice="x+y")):  # whichever row is the first
        row = paired_tests.infer(table, by="decoder").iloc[0]
        assert row["p_nadeau_bengio"] == pytest.approx(found["p_nadeau_bengio"])
    third = pd.concat([toy()[:20].assign(decoder="c", train_mice="x"), toy(train_mice="x+y+z")])
    row = paired_tests.infer(third, by="decoder", only=["a", "b"]).iloc[0]
    expected = paired_tests.infer(toy(), by="decoder").iloc[0]
    assert row["p_nadeau_bengio"] == expected["p_nadeau_bengio"]
    other = toy(study="y")
    other[["valid_mouse", "test_mouse"]] = "n" + other[["valid_mouse", "test_mouse"]]
    assert paired_tests._test_train_ratio(pd.concat([toy(study="x"), other])) == 1 / 3
    with pytest.raises(UserError, match="20 rows have no value in column train_mice; fill them in"):
        paired_tests._test_train_ratio(toy(train_mice=["", None] * 10 + ["x+y"] * 20))
    valid = ["b+c", "c+d", "d+e", "e+a", "a+b"]
    several = pd.DataFrame({"test_mouse": [*"abcde"], "valid_mouse": valid})
    assert paired_tests._test_train_ratio(several) == 1 / 2  # two validate
    two = pd.DataFrame({"test_mouse": ["x"], "valid_mouse": ["y"]})
    with pytest.raises(UserError, match="no mouse of the table is left to train"):
        paired_tests._test_train_ratio(two)


def test_hedges_g_by_hand():
    # mean 4, SD sqrt(12.5); correction 1 - 3/15 = .8
    assert mouse_tests.hedges_g(np.array([1.0, 2, 3, 4, 10])) == pytest.approx(0.8 * 4 / 12.5**0.5)
    assert np.isnan(mouse_tests.hedges_g(np.ones(5))) and np.isnan(mouse_tests.hedges_g(np.ones(1)))
    # .1 always, of mice with two and three allocations, whose means differ in their last digit
    means = mouse_tests.by_mouse(np.full(5, 0.1), np.array(list("xxyyy")))
    assert np.ptp(means) > 0 and np.isnan(mouse_tests.hedges_g(means))


def test_icc_and_design_effect_by_hand():
    # means 1 and 5, MSB = 2 (4 + 4) / 1 = 16, MSW = (1+1+1+1) / 2 = 2: (16 - 2) / (16 + 2)
    assert mouse_tests.icc([0, 2, 4, 6], list("xxyy")) == pytest.approx(14 / 18)
    assert mouse_tests.design_effect(0.5, list("xxxxyyyy")) == pytest.approx(1 + 3 * 0.5)
    assert mouse_tests.design_effect(0.5, list("xxxy")) == pytest.approx(1 + 1.5 * 0.5)  # 10 / 4
    assert mouse_tests.design_effect(-0.2, list("xxyy")) == 1
    assert mouse_tests.design_effect(np.nan, list("xyz")) == 1
    assert np.isnan(mouse_tests.design_effect(np.nan, list("xxx")))  # nothing is known of mice
    # 3 and 2 values of means 2 and 8 about 4.4: MSB 3 · 2.4² + 2 · 3.6², MSW (8 + 2) / 3
    found = mouse_tests.mean_squares([0, 2, 4, 7, 9], list("xxxyy"))
    assert found == pytest.approx((43.2, 10 / 3, 5 - 13 / 5))
    expected = (43.2 - 10 / 3) / (43.2 + 1.4 * 10 / 3)
    assert mouse_tests.icc([0, 2, 4, 7, 9], list("xxxyy")) == pytest.approx(expected)
    for values, mouse in (([1, 2], "xy"), ([1, 2], "xx"), ([1, 1, 1, 1], "xxyy")):
        assert np.isnan(mouse_tests.icc(values, list(mouse)))


def test_empirical_p_by_hand():
    assert chance_tests.empirical_p(0.9, [0.5, 0.9, 0.95]) == (3 / 4, 1 / 4)
    assert chance_tests.empirical_p(0.9, [0.5] * 19) == (1 / 20, 1 / 20)
    assert chance_tests.empirical_p(0.3, [0.1 + 0.2, 0.3 - 1e-12, 0.3 - 1e-6]) == (3 / 4, 1 / 4)
    assert chance_tests.empirical_p(-1e6, [-1e6 - 1e-6]) == (1, 1 / 2)  # R² has no lower end


def test_nothing_that_varies():
    assert mouse_tests.mean_interval(np.zeros(5)) == (0, 0, 1)
    assert mouse_tests.mean_interval(np.full(5, 0.1)) == (pytest.approx(0.1), pytest.approx(0.1), 0)
    assert mouse_tests.signed_rank(np.zeros(5)) == 1
    left, right = np.array([[5, 4, 2, 7, 9, 3, 3], [3, 2, 4, 5, 7, 1, 3]])  # differ by 2, or by 0
    expected = stats.wilcoxon(left - right, correction=True, method="asymptotic").pvalue
    assert mouse_tests.signed_rank(left / 100 - right / 100) == pytest.approx(expected)
    assert mouse_tests.signed_rank(np.array([1, 2, 4]) * 1e-15) < 0.5  # of any size
    assert np.isnan(mouse_tests.mean_interval(np.ones(1))).all()
    p, note = mouse_tests.mixed_model(np.ones(20), TEST, VALID)
    assert np.isnan(p) and note == "the differences do not vary"


# Against the paper, R, and slow twins


def test_published_aucs_are_worth_five_or_six():
    found = paired_tests.infer(published("image"), by="model").iloc[0]
    assert (found["a"], found["b"]) == ("CNN", "CNN-GRU")
    assert found["icc_b"] == pytest.approx(0.91, abs=0.005)
    counts = [20 / mouse_tests.design_effect(found[f"icc_{x}"], TEST) for x in "ab"]
    np.testing.assert_allclose(counts, [6.18, 5.38], atol=0.01)


@pytest.mark.parametrize("family", FAMILIES)
def test_published_families_are_those_of_r(family):
    found = paired_tests.infer(published(family), by=FAMILIES[family], name=family)
    expected = pd.read_csv(ROOT / "tests/r/inference.tsv", sep="\t", dtype={"a": str})
    expected = expected[expected["family"] == family].astype({"b": str})
    assert found[["a", "b"]].to_numpy().tolist() == expected[["a", "b"]].to_numpy().tolist()
    columns = list(expected.columns[3:])
    np.testing.assert_allclose(found[columns], expected[columns], rtol=1e-6, atol=1e-9)
    plain = published_tests.compare(published(family), by=FAMILIES[family], name=family)
    np.testing.assert_array_equal(found["p_rank_sum_holm"], plain["p_holm"])
    np.testing.assert_allclose(found["mean_difference"], plain["mean_a"] - plain["mean_b"])


def slow_bootstrap(mice: list[list[float]], draws: int) -> list[float]:
    rng = np.random.default_rng(99)
    means = []
    for _ in range(draws):
        drawn = []
        for _ in mice:
            sessions = mice[rng.integers(len(mice))]
            drawn.append(np.mean([sessions[rng.integers(len(sessions))] for _ in sessions]))
        means.append(np.mean(drawn))
    return [np.percentile(means, 2.5), np.percentile(means, 97.5)]


def test_means_of_mice_stand_in_the_order_in_which_mice_appear():
    values, mice = np.array([1.0, 4, 3, 5]), np.array(["m10", "a", "m10", "b"])
    assert mouse_tests.by_mouse(values, mice).tolist() == [2, 4, 5]


def test_bootstrap_is_that_of_plain_loops():
    rng = np.random.default_rng(0)
    mice = [rng.normal(m, 1, n).tolist() for m, n in ((0, 3), (1, 8), (2, 5), (0, 12))]
    found = mouse_tests.hierarchical_bootstrap(mice)
    np.testing.assert_allclose(found, slow_bootstrap(mice, 4000), atol=0.08)
    assert found == mouse_tests.hierarchical_bootstrap(mice)  # the same seed
    assert mouse_tests.hierarchical_bootstrap([[0.1, 0.1], [0.1]]) == pytest.approx((0.1, 0.1))
    assert np.isnan(mouse_tests.hierarchical_bootstrap([[0.1, 0.2, 0.3]])).all()  # of one mouse


def slow_mixed(y: np.ndarray) -> float:
    """The p of the mean with REML's variances, by dense matrices and a general optimiser."""
    same_test, same_valid = TEST[:, None] == TEST, VALID[:, None] == VALID
    x = np.ones((20, 1))

    def solve(logs):
        test, valid, error = np.exp(logs)
        inverse = np.linalg.inv(test * same_test + valid * same_valid + error * np.eye(20))
        weight = (x.T @ inverse @ x).item()
        mean = (x.T @ inverse @ y).item() / weight
        loss = -np.linalg.slogdet(inverse)[1] + np.log(weight)
        return loss + (y - mean) @ inverse @ (y - mean), mean, weight

    fit = optimize.minimize(
        lambda logs: solve(logs)[0],
        np.log([1, 0.3, 1]),
        method="Nelder-Mead",
        options={"maxfev": 4000},
    )
    _, mean, weight = solve(fit.x)
    return 2 * stats.t.sf(abs(mean) * weight**0.5, 4)


@pytest.mark.parametrize("seed", range(5))
def test_mixed_model_is_that_of_dense_matrices(seed):
    rng = np.random.default_rng(seed)
    y = 0.7 + rng.normal(size=5)[TEST] + 0.5 * rng.normal(size=5)[VALID] + rng.normal(size=20)
    p, note = mouse_tests.mixed_model(y * 0.01, TEST, VALID)  # AUC differences are small
    assert p == pytest.approx(slow_mixed(y), rel=0.01)
    assert note == "converged" or note.startswith("no variance between")


def test_mixed_model_says_what_it_cannot_do():
    p, note = mouse_tests.mixed_model(np.arange(5.0), np.arange(5), np.arange(5))
    assert np.isnan(p) and "two allocations of each" in note
    p, note = mouse_tests.mixed_model(np.arange(4.0), np.zeros(4), np.arange(4))
    assert np.isnan(p) and "two test mice or more" in note


@pytest.mark.parametrize(("converged", "error"), [(False, 1.0), (True, np.nan)])
def test_a_mixed_model_that_does_not_converge_has_no_p(monkeypatch, converged, error):
    from statsmodels.regression.mixed_linear_model import MixedLM

    fit = SimpleNamespace(params=[1.0], bse=[error], converged=converged, vcomp=[1.0, 1.0])
    monkeypatch.setattr(MixedLM, "fit", lambda *_, **__: fit)
    p, note = mouse_tests.mixed_model(np.arange(20.0), TEST, VALID)
    assert np.isnan(p) and note == "the fit did not converge"

    def singular(*_, **__):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(MixedLM, "fit", singular)
    p, note = mouse_tests.mixed_model(np.arange(20.0), TEST, VALID)
    assert np.isnan(p) and note == "the fit failed (singular)"


# Under the null: how often each test finds what is not there

DRAWS = [(0.91, 125), *(pytest.param(icc, 500, marks=pytest.mark.e2e) for icc in (0.5, 0.91))]
# ICC of the differences by test mouse -> test -> expected rate at .05
RATES = {
    0.50: {
        **{"rank_sum": 0.23, "signed_rank": 0.22, "mouse_t": 0.05, "sign_flip": 0},
        **{"nadeau_bengio": 0.005, "bootstrap": 0.11, "mixed": 0.04},
    },
    0.91: {
        **{"rank_sum": 0.32, "signed_rank": 0.31, "mouse_t": 0.05, "sign_flip": 0},
        **{"nadeau_bengio": 0.03, "bootstrap": 0.145, "mixed": 0.04},
    },
}


def null_draw(rng: np.random.Generator, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """AUCs of two equal decoders (on a scale of their own); each is better on some mice by luck."""
    by_mouse = np.sqrt(correlation / (1 - correlation)) * rng.normal(size=(2, 5))
    return tuple(by_mouse[:, TEST] + rng.normal(size=(2, 20)))


@pytest.mark.slow
@pytest.mark.parametrize(("correlation", "draws"), DRAWS)
def test_false_positive_rates_under_mouse_level_correlation(correlation, draws, capsys):
    rng = np.random.default_rng(2024)
    found = []
    for seed in range(draws):
        a, b = null_draw(rng, correlation)
        means = mouse_tests.by_mouse(a - b, TEST)
        mice = [(a - b)[mouse == TEST] for mouse in range(5)]
        low, high = mouse_tests.hierarchical_bootstrap(mice, draws=1000, seed=seed)
        p = {
            "rank_sum": published_tests.rank_sum(a, b)[1],
            "signed_rank": mouse_tests.signed_rank(a - b),
            "mouse_t": mouse_tests.mean_interval(means)[2],
            "sign_flip": mouse_tests.sign_flip(means)[0],
            "nadeau_bengio": mouse_tests.nadeau_bengio(a - b, 1 / 3),
            "mixed": mouse_tests.mixed_model(a - b, TEST, VALID)[0],
        }
        found.append({test: value < 0.05 for test, value in p.items()})
        found[-1]["bootstrap"] = not low <= 0 <= high
    rates = pd.DataFrame(found).mean()
    with capsys.disabled():
        words = ", ".join(f"{test} {rate:.3f}" for test, rate in rates.items())
        print(f"\nfalse positives at .05, ICC {correlation}, {draws} draws: {words}")
    for test, expected in RATES[correlation].items():
        error = np.sqrt(expected * (1 - expected) / draws)
        assert abs(rates[test] - expected) <= 3 * error + 0.005, test
    for honest in ("mouse_t", "sign_flip", "nadeau_bengio", "mixed"):
        assert rates[honest] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


# Tables and words


def test_chance_by_shifts_reads_the_predictions(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for allocation in mouse_allocations.allocate("abcde", choose="each_test"):
        label = rng.integers(0, 2, 200)
        probability = np.clip(0.3 + 0.3 * label + 0.1 * rng.normal(size=200), 0, 1)
        mouse = allocation.test[0]
        session = predictions.SessionPredictions(mouse, np.arange(200), label, probability)
        bound = predictions.bind("gru", allocation, {f"{mouse}1": session})
        bound.write(tmp_path / f"gru/{allocation.id}.h5")
        rows.append(("gru", allocation.id, roc_auc(label, probability)))
    rows += [("null", one, 0.5) for _, one, _ in rows]
    table = pd.DataFrame(rows, columns=["decoder", "allocation", "auc"])
    table.to_csv(tmp_path / "auc.csv", index=False)
    words = ("--auc", tmp_path / "auc.csv", "--predictions", tmp_path, "--null", "null=gru")
    run("chance", *words, "--shifts", 99, "--out", tmp_path / "c.tsv")
    found = read_table(tmp_path / "c.tsv", chance_tests.COLUMNS, chance_tests.NUMBERS)
    assert list(found["null"]) == ["permuted labels", "circularly shifted labels"]
    assert found["mean_auc"][1] == pytest.approx(table["auc"][:5].mean(), rel=1e-5)
    assert list(found["p"]) == list(found["smallest_p"]) == [0.5, 0.01]
    assert "too small where signals drift or are autocorrelated" in as_read(found["sentence"][1])


def test_columns_signs_and_sessions():
    table = toy()
    sessions = pd.concat([table.assign(session=table["test_mouse"] + s) for s in ("s1", "s2")])
    second = sessions["session"].str.endswith("s2")
    sessions.loc[second & (sessions["decoder"] == "a"), "auc"] -= 0.03
    sessions.loc[sessions["session"] == "m1s2", "auc"] = np.nan  # of one state
    found = paired_tests.infer(table, by="decoder", name="x", sessions=sessions)
    assert list(found.columns) == paired_tests.COLUMNS
    as_tabled(found.loc[:, ~found.columns.str.contains("mixed")], "inference")  # fits may fail
    row = found.iloc[0]
    assert (row["family"], row["a"], row["b"], row["n_allocations"], row["n_mice"]) == (
        *("x", "a", "b"),
        *(20, 5),
    )
    assert row["mean_difference"] == pytest.approx(row["mean_a"] - row["mean_b"])
    assert row["ci_low"] < row["mean_difference"] < row["ci_high"]
    a, b = (rows["auc"].to_numpy() for _, rows in table.groupby("decoder"))
    test = table["test_mouse"][:20]
    means = zip(dict.fromkeys(test), mouse_tests.by_mouse(a - b, test), strict=True)
    mice = [[mean, mean - 0.03][: 2 - (mouse == "m1")] for mouse, mean in means]
    bounds = row["bootstrap_low"], row["bootstrap_high"]
    assert bounds == pytest.approx(mouse_tests.hierarchical_bootstrap(mice))
    assert row["bootstrap_of"] == "mice and sessions"
    assert paired_tests.infer(table, by="decoder")["bootstrap_of"][0] == "mice and allocations"
    assert row["n_effective"] == pytest.approx(20 / row["design_effect"])
    # of a mouse one of four allocations was made: it weighs as much as any other
    made = (test.to_numpy() != "m1") | (VALID == 0)
    fewer = table[np.tile(made, 2)]
    means = mouse_tests.by_mouse((a - b)[made], test[made])
    assert np.mean(means) != pytest.approx((a - b)[made].mean())
    row = paired_tests.infer(fewer, by="decoder").iloc[0]
    assert row["mean_difference"] == pytest.approx(np.mean(means))
    assert row["mean_difference"] == pytest.approx((row["ci_low"] + row["ci_high"]) / 2)


def test_a_test_that_could_not_be_made_counts_as_one_in_its_family():
    """b and c do not differ in any allocation, which leaves no mixed model of them.

    Differences of a and b have noise: without any, whether a fit converges hangs on the processor.
    """
    noise = np.random.default_rng(0).normal(0, 0.003, 40)
    table = toy().assign(auc=lambda rows: rows["auc"] + noise)
    third = table[table["decoder"] == "b"].assign(decoder="c")
    found = paired_tests.infer(pd.concat([table, third]), by="decoder").set_index(["a", "b"])
    p, adjusted = found["p_mixed"], found["p_mixed_holm"]
    assert np.isnan(p["b", "c"]) and np.isnan(adjusted["b", "c"])
    assert 0 < p["a", "b"] == p["a", "c"] < 1 / 3
    assert adjusted["a", "b"] == adjusted["a", "c"] == pytest.approx(3 * p["a", "b"])


def test_a_mouse_tested_once_has_no_icc_and_no_mixed_model():
    table = toy()
    next_mouse = {f"m{i}": f"m{(i + 1) % 5}" for i in range(5)}
    once = table[table["valid_mouse"] == table["test_mouse"].map(next_mouse)]
    row = paired_tests.infer(once, by="decoder").iloc[0]
    assert np.isnan(row["icc"]) and np.isnan(row["p_mixed"]) and np.isnan(row["p_mixed_holm"])
    assert row["n_effective"] == row["n_mice"] == row["n_allocations"] == 5


ROW = {
    **{"a": "gru", "b": "cnn", "mean_difference": 0.02, "p_rank_sum_holm": 0.001},
    **{"p_mouse_t_holm": 0.2, "p_sign_flip_holm": 0.25, "p_sign_flip": 0.125},
    **{"smallest_p": 0.0625, "n_mice": 5},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {},
            "gru above cnn by 0.020: significant as published; not with mice as the unit "
            "(exact p 0.125; 5 mice cannot go below 0.0625)",
        ),
        ({"n_mice": 1, "smallest_p": 1.0}, "(exact p 0.125; 1 mouse cannot go below 1)"),
        ({"mean_difference": -0.02}, "cnn above gru by 0.020: significant as published; not"),
        ({"p_rank_sum_holm": 0.05}, "not significant as published; nor with mice as the unit ("),
        ({"p_mouse_t_holm": np.nan}, "significant as published; not with mice as the unit ("),
        ({"p_mouse_t_holm": 0.01}, "with mice as the unit only by the t test, which assumes"),
        (
            {"p_mouse_t_holm": 0.01, "p_sign_flip_holm": 0.03, "smallest_p": 0.002},
            "significant as published; also with mice as the unit",
        ),
    ],
)
def test_sentence(change, words):
    found = as_read(paired_tests.sentence(ROW | change))
    assert words in found
    assert ("cannot go below" in found) == ((ROW | change)["smallest_p"] >= 0.05)


def test_chance_counts_permutations_not_allocations():
    means = {"gru": 0.9, "n1": 0.5, "n2": 0.6, "n3": 0.85}
    rows = [(name, auc + off) for name, auc in means.items() for off in (-0.04, -0.02, 0.06)]
    table = pd.DataFrame(rows, columns=["decoder", "auc"])
    found = chance_tests.permuted_labels(table, {"gru": ["n1", "n2", "n3"], "n2": ["n1"]})
    row = as_tabled(found, "permuted_labels").iloc[0]
    assert (row["n_null"], row["p"], row["smallest_p"]) == (3, 1 / 4, 1 / 4)
    assert (row["null_mean"], row["null_max"]) == (pytest.approx(0.65), pytest.approx(0.85))
    assert "which cannot go below 0.25 (draws: 3; 19 reach .05" in as_read(row["sentence"])


@pytest.mark.parametrize(
    ("nulls", "rows", "words"),
    [
        (["n1", "n1"], [], "decoder n1 is given twice for gru; give each null once"),
        (["gru"], [], "decoder gru is given twice for gru"),
        (["n2"], [("n2", "x", np.nan), ("n2", "y", 0.5)], "decoder n2: 1 of 2 AUCs are missing"),
        (["n2"], [("n2", "x", 0.5)], "decoders gru and n2 were not tested in the same allocations"),
        (["n2"], [("n2", one, 0.5) for one in "xyy"], "in the same allocations, each once; leave"),
    ],
)
def test_what_is_no_draw_of_chance_is_refused(nulls, rows, words):
    both = [(name, one, 0.5) for name in ("gru", "n1") for one in "xy"]
    table = pd.DataFrame(both + rows, columns=["decoder", "allocation", "auc"])
    with pytest.raises(UserError, match=words):
        chance_tests.permuted_labels(table, {"gru": nulls})


def test_frames_of_one_state_have_no_chance():
    with pytest.raises(UserError, match="gru: all test frames of an allocation are run, or all re"):
        chance_tests.chance_row("gru", "shifts", np.nan, [0.5, 0.5], "")


@pytest.mark.parametrize(("nulls", "few"), [(18, True), (19, False)])
def test_nineteen_permutations_can_reach_a_twentieth(nulls, few):
    names = [f"n{i}" for i in range(nulls)]
    rows = [("gru", 0.9), *((name, 0.5) for name in names)]
    table = pd.DataFrame(rows, columns=["decoder", "auc"])
    row = chance_tests.permuted_labels(table, {"gru": names}).iloc[0]
    assert row["p"] == row["smallest_p"] == 1 / (nulls + 1)
    assert ("add decoders like it with other seeds" in as_read(row["sentence"])) == few


def test_circular_shift_is_that_of_plain_loops():
    rng = np.random.default_rng(0)
    labels = {"x": rng.integers(0, 2, 30), "y": rng.integers(0, 2, 41)}
    allocations = [
        {s: (y, np.round(rng.random(len(y)) + 0.3 * y, 1)) for s, y in labels.items()}  # ties
        for _ in range(3)  # whose mean is not their median
    ]
    observed, null = chance_tests.circular_shift(allocations, 4000)
    scores = [np.concatenate([p for _, p in sessions.values()]) for sessions in allocations]
    expected = {
        round(
            np.mean(
                [
                    roc_auc(np.r_[np.roll(labels["x"], i), np.roll(labels["y"], j)], p)
                    for p in scores
                ]
            ),
            9,
        )
        for i in range(1, 30)
        for j in range(1, 41)
    }
    assert set(np.round(null, 9)) <= expected and len(set(np.round(null, 9))) > len(expected) / 2
    true = np.concatenate([*labels.values()])
    assert observed == pytest.approx(np.mean([roc_auc(true, p) for p in scores]))


def test_labels_shifted_by_their_period_tie_with_the_true_ones():
    labels = np.arange(600) // 30 % 2
    noisy = 3 * labels + np.random.default_rng(0).normal(size=600)
    observed, null = chance_tests.circular_shift([{"s": (labels, noisy)}], 1000)
    ties = int((chance_tests.shifts_of("s", 600, 1000) % 60 == 0).sum())
    assert ties == 16 and chance_tests.empirical_p(observed, null)[0] == (ties + 1) / 1001


def test_sessions_of_no_frame_or_one_do_not_shift():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 30), rng.random(30)
    expected = chance_tests.circular_shift([{"x": (y, p)}], 50)
    none = np.empty(0, int), np.empty(0)
    observed, null = chance_tests.circular_shift([{"n": none, "x": (y, p)}], 50)
    assert observed == expected[0]
    np.testing.assert_array_equal(null, expected[1])
    one = np.array([1]), np.array([2.0])  # above all others
    observed, null = chance_tests.circular_shift([{"x": (y, p), "o": one}], 50)
    assert observed == pytest.approx(roc_auc(np.r_[y, 1], np.r_[p, 2.0])) and len(null) == 50


@pytest.mark.slow
def test_circular_shift_fails_as_its_docstring_says():
    # a drift that labels and predictions share by chance: independent random walks
    rng = np.random.default_rng(0)
    found = {"walk": 0, "white": 0}
    for _ in range(300):
        for kind in found:
            x, y = (rng.normal(size=500) for _ in "xy")
            if kind == "walk":
                x, y = np.cumsum(x), np.cumsum(y)
            observed, null = chance_tests.circular_shift([{"s": (y > np.median(y), x)}], 199)
            found[kind] += chance_tests.empirical_p(observed, null)[0] <= 0.05
    assert found["white"] / 300 == pytest.approx(0.05, abs=0.04)
    assert found["walk"] / 300 > 0.08


# Bad input


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            toy().drop(columns="test_mouse"),
            "no column test_mouse, a mouse of the allocation that each AUC is of; add it",
        ),
        (toy().drop(columns="valid_mouse"), "no column valid_mouse"),
        (toy()[1:], "1 of 20 allocations are not there for every decoder compared (a, b)"),
        (
            pd.concat([toy(), toy()[:1]]),
            "decoder a, valid_mouse m0, test_mouse m1 (auc 0.91); leave",
        ),
        (toy(test_mouse="m1+m2"), "test_mouse m1+m2: allocations with several test mice"),
        (
            toy(test_mouse=["m1", "m3+m2", *toy()["test_mouse"][2:]]),
            "test_mouse m3+m2: allocations with several test mice",
        ),
        (toy(decoder="a"), "decoder has 1 value (a)"),
    ],
)
def test_bad_tables_are_refused_in_one_line(table, words):
    with pytest.raises(UserError) as caught:
        paired_tests.infer(table, by="decoder")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_mice_of_two_studies_are_others_though_they_have_one_name(capsys):
    two = pd.concat([toy(study="x"), toy(study="y")])
    sessions = pd.concat([two.assign(session=s) for s in ("s1", "s2")])
    other = toy(study="y")  # the same with names of its own
    other[["valid_mouse", "test_mouse"]] = "n" + other[["valid_mouse", "test_mouse"]]
    named = pd.concat([toy(study="x"), other])
    for name in ("test_mouse", "valid_mouse", "session"):
        called = paired_tests.of_studies(sessions, "decoder")[name]
        assert called.tolist() == (sessions["study"] + "/" + sessions[name]).tolist()
    (found,) = paired_tests.infer(two, by="decoder", sessions=sessions).to_dict("records")
    assert (found["n_mice"], found["n_allocations"], found["smallest_p"]) == (10, 40, 2 / 2**10)
    expected = paired_tests.infer(named.drop(columns="study"), by="decoder").iloc[0]
    same = ["ci_low", "ci_high", "p_mouse_t", "p_sign_flip", "p_mixed", "icc", "n_effective"]
    assert [found[key] for key in same] == pytest.approx(expected[same].tolist(), nan_ok=True)
    assert "mice of studies x, y are different animals" in capsys.readouterr().err
    one = paired_tests.infer(two[two["study"] == "y"], by="decoder")
    pd.testing.assert_frame_equal(one, paired_tests.infer(toy(), by="decoder"))
    with pytest.raises(UserError, match="by study: pairs are over the same mice"):
        paired_tests.infer(two[two["decoder"] == "a"], by="study")
    power = mouse_power.smallest_differences(two, by="decoder", mice=[10])
    assert set(power["n_measured"]) == {10}


def test_what_never_varies_excludes_0_on_either_side_of_it():
    for value, p in ((0.1, 0.0), (-0.1, 0.0), (0.0, 1.0)):
        assert mouse_tests.mean_interval(np.full(3, value))[2] == p


def test_three_mice_are_enough_to_train_one_and_mice_keep_their_roles(monkeypatch):
    few = toy()[lambda rows: ~rows[["test_mouse", "valid_mouse"]].isin(["m3", "m4"]).any(axis=1)]

    def said(difference, test, valid):
        return 0.5, f"{test[0]} after {valid[0]}"

    monkeypatch.setattr(mouse_tests, "mixed_model", said)
    row = paired_tests.infer(few, by="decoder").iloc[0]
    assert (row["n_mice"], row["mixed_note"]) == (3, "m1 after m0")


def test_a_table_of_sessions_with_rows_twice_is_refused():
    sessions = toy().assign(allocation=list(range(20)) * 2, session="s")
    assert len(paired_tests.infer(toy(), by="decoder", sessions=sessions)) == 1
    with pytest.raises(UserError, match=r"^table of sessions: 2 rows are there twice or more"):
        paired_tests.infer(toy(), by="decoder", sessions=pd.concat([sessions, sessions[:1]]))


def test_verbs_write_tables_that_the_report_reads(tmp_path):
    words = ("--auc", PUBLISHED, "--by", "model", "--where", "analysis=roi_models")
    run("inference", *words, "--only", "GRU", "RNN", "--name", "x", "--out", tmp_path / "x.tsv")
    found = read_table(tmp_path / "x.tsv", paired_tests.COLUMNS, paired_tests.NUMBERS)
    assert found["p_rank_sum"][0] == pytest.approx(0.00279860219091, rel=1e-9)
    assert found["p_sign_flip"][0] == found["smallest_p"][0] == 0.0625
    rows = [("gru", "x", 0.9), ("null", "x", 0.5)]
    pd.DataFrame(rows, columns=["decoder", "allocation", "auc"]).to_csv(
        tmp_path / "auc.csv", index=False
    )
    run("chance", "--auc", tmp_path / "auc.csv", "--null", "null=gru", "--out", tmp_path / "c.tsv")
    found = read_table(tmp_path / "c.tsv", chance_tests.COLUMNS, chance_tests.NUMBERS)
    assert (found["p"][0], found["n_null"][0]) == (0.5, 1)


@pytest.mark.parametrize(
    ("verb", "words", "error"),
    [
        ("inference", ("--where", "analysis"), "--where analysis: write COLUMN=VALUE"),
        ("inference", ("--where", "set=1"), "no column set"),
        ("inference", ("--where", "analysis=x"), "no row where analysis is x; there: roi_models"),
        ("compare", ("--where", "analysis=x"), "no row where analysis is x; there: roi_models"),
        ("inference", ("--only", "GRU", "RNN"), "model GRU has the allocation 2, 1 twice"),
    ],
)
def test_verbs_refuse_bad_flags(tmp_path, verb, words, error):
    out = tmp_path / "out/x.tsv"
    with pytest.raises(UserError) as caught:
        run(verb, "--auc", PUBLISHED, "--by", "model", *words, "--out", out)
    assert error in str(caught.value) and "\n" not in str(caught.value)
    assert not out.parent.exists()


def test_chance_refuses_what_it_does_not_know(tmp_path):
    rows = [("net", "x", 0.8), ("gru", "x", 0.9)]
    pd.DataFrame(rows, columns=["decoder", "allocation", "auc"]).to_csv(
        tmp_path / "a.csv", index=False
    )
    words = ("--auc", tmp_path / "a.csv", "--out", tmp_path / "c.tsv", "--null")
    with pytest.raises(UserError, match="no decoder null; in the table: net, gru"):
        run("chance", *words, "null=gru")
    with pytest.raises(UserError, match="--null null: write NULL=DECODER"):
        run("chance", *words, "null")
    for more in (("--shifts", 9), ("--predictions", "x"), ("--shifts", -1, "--predictions", "x")):
        with pytest.raises(UserError, match="give --null, or --shifts with --predictions"):
            run("chance", *words, "null=gru", *more)


OF_NAMES = {
    "compare": lambda table: published_tests.compare(table, by="decoder", only=["2", "1"]),
    "keep": lambda table: published_tests.keep(table, "decoder", ["2"]),
    "select": lambda table: published_tests.select(table, {"decoder": "2"}),
    "infer": lambda table: paired_tests.infer(table, by="decoder", only=["2", "1"]),
    "infer, sessions": lambda table: paired_tests.infer(table, by="decoder", sessions=table),
    "power": lambda table: mouse_power.smallest_differences(table, by="decoder", mice=[5]),
}


@pytest.mark.parametrize("made", OF_NAMES)
def test_names_that_are_numbers_are_names(made):
    """Mice 0 to 4, decoders 1 and 2, studies 8 and 9."""
    text = toy(session="7", study="8").replace({"decoder": {"a": "1", "b": "2"}})
    text = text.apply(lambda column: column.str[1:] if "mouse" in column.name else column)
    text["allocation"] = "1" + text["valid_mouse"] + text["test_mouse"]
    if made != "infer, sessions":
        text = pd.concat([text, text.assign(study="9")])
    numbers = text.astype({name: int for name in text if name != "auc"})
    found, expected = OF_NAMES[made](numbers), OF_NAMES[made](text)
    assert len(found) and found.astype(str).equals(expected.astype(str))
