"""What a comparison of decoders can say of mice: tests that know what the AUCs share.

The paper's rank-sum test takes the AUCs of 20 allocations for 20 independent values. They share
5 test mice, and their training mice overlap. Here each pair of decoders is compared over the same
allocations, by the difference of their AUCs, in ways that take the shared mice into account.
No way is free: with 5 mice an exact test cannot reach .05, and the others assume something or
miss their level. Each docstring says what. "Measured" are false-positive rates at .05 under the
null, for 20 allocations of 5 mice, where the ICC of the differences by test mouse is .50 (about
that of CNN against CNN-GRU as published) and .91; tests/scores/test_inference.py draws them again.
The rank-sum test has .23 and .32. No test sees what the training mice of allocations share.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from mesodecode.base.files import UserError
from mesodecode.scores import published_tests

LEVEL = 0.05
DRAWS = 10_000  # of the bootstrap
SEED = 1
MOST_FLIPPED = 20  # mice: 2 ** 20 sign flips take a second
TESTS = ("rank_sum", "signed_rank", "mouse_t", "sign_flip", "nadeau_bengio", "mixed")
COLUMNS = [
    *("family", "a", "b", "n_allocations", "n_mice", "mean_a", "mean_b", "mean_difference"),
    *("ci_low", "ci_high", "effect_size", "bootstrap_of", "bootstrap_low", "bootstrap_high"),
    *(f"p_{test}{holm}" for test in TESTS for holm in ("", "_holm")),
    *("smallest_p", "mixed_note", "icc_a", "icc_b", "icc", "design_effect", "n_effective"),
    "sentence",
]
WORDS = ("family", "a", "b", "bootstrap_of", "mixed_note", "sentence")
NUMBERS = [name for name in COLUMNS if name not in WORDS]
CHANCE_NUMBERS = ("mean_auc", "n_null", "null_mean", "null_max", "p", "smallest_p")
CHANCE_COLUMNS = ["decoder", "null", *CHANCE_NUMBERS, "sentence"]


def signed_rank(difference: np.ndarray) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test of differences (n,).

    Asymptotic, zeros left out, with tie and continuity correction: R's ``wilcox.test(a, b, paired
    = TRUE, exact = FALSE)`` (Wilcoxon 1945, Biometrics Bull 1: 80-83); 1 if all are zero. Over
    allocations it assumes that they are independent, which they are not. Measured: .22 and .31.
    """
    difference = np.asarray(difference, dtype=float)
    if not difference.any():
        return 1.0
    return float(stats.wilcoxon(difference, correction=True, method="asymptotic").pvalue)


def by_mouse(values: np.ndarray, mouse: np.ndarray) -> np.ndarray:
    """Return the mean of `values` (n,) of each mouse, in the order of first appearance."""
    return pd.Series(values).groupby(np.asarray(mouse), sort=False).mean().to_numpy()


def mean_interval(means: np.ndarray, level: float = 1 - LEVEL) -> tuple[float, float, float]:
    """Return lower and upper limit of the mean of n values and the two-sided p that it is 0.

    Student's t: mean ± t(n - 1) · SD / √n (Student 1908, Biometrika 6: 1-25). Assumes that the
    differences of the mice are independent and normal. NaN for one mouse. Measured: .05 and .05.
    Their training sets overlap: where training mice make a tenth of the variance of the
    differences, .08, and .11 where they make a fifth.
    """
    mean, n = float(np.mean(means)), len(means)
    if n < 2:
        return np.nan, np.nan, np.nan
    error = _sd(means) / np.sqrt(n)
    half = stats.t.ppf((1 + level) / 2, n - 1) * error
    return mean - half, mean + half, _t_test(mean, error, n - 1)


def hedges_g(means: np.ndarray) -> float:
    """Return the standardised mean of n paired differences: mean / SD · (1 - 3 / (4(n - 1) - 1)).

    Cohen's d of the differences with Hedges' correction for few values (Hedges 1981, J Educ Stat 6:
    107-128). NaN for one mouse and where the differences do not vary.
    """
    sd = _sd(means) if len(means) > 1 else 0.0
    if sd == 0:
        return np.nan
    return float(np.mean(means) / sd * (1 - 3 / (4 * (len(means) - 1) - 1)))


def sign_flip(means: np.ndarray) -> tuple[float, float]:
    """Return the two-sided p of the exact sign-flip test of n means, and the smallest it can be.

    p is the share of all 2ⁿ choices of signs whose |mean| is at least the observed one (Fisher
    1935, The Design of Experiments, §21); it cannot be less than 2 / 2ⁿ. Assumes only that a mouse
    is as likely to favour one decoder as the other. For more than 20 mice p is (r + 1) / (k + 1) of
    k = 10,000 random choices, r of them as extreme. Measured: 0 with 5 mice, whose
    smallest p is .0625.
    """
    means = np.asarray(means, dtype=float)
    n = len(means)
    limit = abs(means.sum()) - 1e-12
    if n > MOST_FLIPPED:
        rng = np.random.default_rng(SEED)
        draws = (abs((rng.choice([-1, 1], n) * means).sum()) >= limit for _ in range(DRAWS))
        return (sum(draws) + 1) / (DRAWS + 1), 1 / (DRAWS + 1)
    sums = np.zeros(1)
    for value in means:
        sums = np.concatenate([sums + value, sums - value])
    return float(np.mean(np.abs(sums) >= limit)), 2.0 / 2**n


def nadeau_bengio(difference: np.ndarray, ratio: float) -> float:
    """Return the two-sided p of the corrected resampled t test of differences over J splits.

    t = mean / √((1 / J + n_test / n_train) · s²) with J - 1 degrees of freedom (Nadeau & Bengio
    2003, Mach Learn 52: 239-281). The term n_test / n_train stands for the correlation of splits
    that share training data. It counts independent units, so `ratio` is in mice, not frames: 1/3
    with 3 training mice and 1 test mouse. (The validation mouse chooses the epoch only; counting
    it as training would give 1/4, a bolder test.) Derived for random splits of independent
    examples; here it is an approximation. Measured: .005 and .03.
    """
    j = len(difference)
    error = np.sqrt(1 / j + ratio) * _sd(difference)
    return _t_test(float(np.mean(difference)), error, j - 1)


def hierarchical_bootstrap(
    mice: Sequence[np.ndarray], draws: int = DRAWS, seed: int = SEED
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean over mice of their mean over sessions.

    `mice`: for each mouse the differences of its sessions. Each draw takes mice with replacement,
    then as many sessions of each with replacement (Saravanan, Berman & Sober 2020, Neurons Behav
    Data Anal Theory 3(5)). With n mice its variance is too small by the factor (n - 1) / n and it
    has normal, not t, tails, so that few mice give narrow intervals. Measured: .11 and .15.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(mice), size=(draws, len(mice)))
    means = np.empty(chosen.shape)
    for index, sessions in enumerate(mice):
        slots = chosen == index
        picks = rng.integers(len(sessions), size=(int(slots.sum()), len(sessions)))
        means[slots] = np.asarray(sessions)[picks].mean(axis=1)
    low, high = np.quantile(means.mean(axis=1), [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def mixed_model(
    difference: np.ndarray, test_mouse: np.ndarray, valid_mouse: np.ndarray
) -> tuple[float, str]:
    """Return the two-sided p of the mean difference in a linear mixed model, and words on the fit.

    difference = mean + test mouse + validation mouse + error, both mice crossed random effects, by
    REML (statsmodels; Baayen, Davidson & Bates 2008, J Mem Lang 59: 390-412). The p is that of a t
    with one degree of freedom less than there are test mice, as statsmodels' normal one takes the
    variances for known. Assumes normal effects; what training mice share is left out. NaN, and why,
    where each test mouse has one allocation, where the differences do not vary, and where the fit
    does not converge. Measured: .04 and .04.
    """
    factors = [np.unique(mouse, return_inverse=True) for mouse in (test_mouse, valid_mouse)]
    n_mice = len(factors[0][0])
    if n_mice < 2 or n_mice == len(difference):
        return np.nan, "needs two test mice or more, and two allocations of each"
    scale = _sd(difference)
    if scale == 0:
        return np.nan, "the differences do not vary"
    # here, as its import takes a second that other verbs need not wait for
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    columns = [(codes[:, None] == np.arange(len(names))) * 1.0 for names, codes in factors]
    names = [[list(map(str, names))] for names, _ in factors]
    effects = VCSpec(["test", "valid"], names, [[c] for c in columns])
    ones = np.ones(len(difference))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # variances at 0 are said below; they are no failure
        model = MixedLM(np.asarray(difference) / scale, ones[:, None], ones, exog_vc=effects)
        try:  # Powell needs no gradient, which is what fails where a variance is 0
            fit = model.fit(method="powell")
        except np.linalg.LinAlgError:
            return np.nan, "the fit failed (singular)"
        mean, error = float(fit.params[0]), float(fit.bse[0])
    if not fit.converged or not np.isfinite(error):
        return np.nan, "the fit did not converge"
    zero = [n for n, v in zip(("test", "validation"), fit.vcomp, strict=True) if v < 1e-4]
    note = f"no variance between {' and '.join(zero)} mice" if zero else "converged"
    return _t_test(mean, error, n_mice - 1), note


def icc(values: np.ndarray, mouse: np.ndarray) -> float:
    """Return the intraclass correlation of values (n,) by mouse, ICC(1) of one-way ANOVA.

    (MSB - MSW) / (MSB + (k - 1) MSW), k values a mouse; with unequal numbers n_i, k is
    (N - Σ n_i² / N) / (mice - 1) (Shrout & Fleiss 1979, Psychol Bull 86: 420-428). NaN with fewer
    than two mice, one value a mouse, or values that do not vary.
    """
    groups = pd.Series(values, dtype=float).groupby(np.asarray(mouse), sort=False)
    sizes, means = groups.size().to_numpy(), groups.mean().to_numpy()
    total, count = sizes.sum(), len(sizes)
    if count < 2 or total == count or np.ptp(values) == 0:
        return np.nan
    between = np.sum(sizes * (means - np.mean(values)) ** 2) / (count - 1)
    within = np.sum((np.asarray(values) - groups.transform("mean")) ** 2) / (total - count)
    k = (total - np.sum(sizes**2) / total) / (count - 1)
    return float((between - within) / (between + (k - 1) * within))


def design_effect(correlation: float, mouse: np.ndarray) -> float:
    """Return by how much the mean of correlated values varies more than that of independent ones.

    1 + (k - 1) · ICC, k = Σ n_i² / N values a mouse (Kish 1965, Survey Sampling, §5.4); the
    effective n is N over it. A negative ICC counts as 0, as N values are worth no more than N; so
    does NaN where each mouse has one value. Sees what a test mouse shares, not what training mice
    do.
    """
    sizes = pd.Series(np.asarray(mouse)).value_counts().to_numpy()
    known = 0.0 if np.isnan(correlation) else max(correlation, 0.0)
    return float(1 + (np.sum(sizes**2) / sizes.sum() - 1) * known)


def empirical_p(observed: float, null: Sequence[float]) -> tuple[float, float]:
    """Return p = (r + 1) / (k + 1), r of k null values being `observed` or more, and its smallest.

    One-sided (Davison & Hinkley 1997, Bootstrap Methods, §4.2; Phipson & Smyth 2010, Stat Appl
    Genet Mol Biol 9: 39). Assumes that the observed value and those under permuted labels could
    change places if there were nothing to decode.
    """
    k = len(null)
    return (int(np.sum(np.asarray(null) >= observed)) + 1) / (k + 1), 1 / (k + 1)


def infer(
    table: pd.DataFrame,
    *,
    by: str,
    only: Sequence[str] | None = None,
    name: str = "all",
    sessions: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compare the AUCs of all pairs of values of column `by`; return a table with `COLUMNS`.

    `table` has a row an allocation: auc, test_mouse, valid_mouse and, if it is known, allocation
    and train_mice; `sessions` the same with session. A pair is compared over the allocations that
    both have; the difference is a - b. Its interval, effect and the tests mouse_t and sign_flip are
    of the means of the test mice. The bootstrap is over mice and sessions, without `sessions` over
    mice and allocations. Columns p_…_holm are Holm-corrected within the family; a test that could
    not be done counts there as p = 1.

    Raises UserError as `published_tests.compare` does, for a missing column, for allocations that
    two decoders do not share or have twice, and for allocations with several test mice.
    """
    _check_mice(table)
    published = published_tests.compare(table, by=by, only=only, name=name)
    paired = _paired(table, by, list(dict.fromkeys([*published["a"], *published["b"]])))
    if sessions is not None:
        try:
            published_tests.check_rows(sessions, by)
        except UserError as error:
            raise UserError(f"table of sessions: {error}") from None
    scored = None if sessions is None else _by_session(sessions, by)
    ratio = _test_train_ratio(table)
    rows = []
    for pair in published.to_dict("records"):
        row = _compare(paired, pair["a"], pair["b"], ratio)
        row |= _bootstrap(paired, scored, pair["a"], pair["b"])
        means = {key: pair[key] for key in ("family", "a", "b", "mean_a", "mean_b")}
        rows.append(means | row | {"p_rank_sum": pair["p"]})
    result = pd.DataFrame(rows)
    for test in TESTS:
        p = result[f"p_{test}"]
        result[f"p_{test}_holm"] = np.where(p.isna(), np.nan, published_tests.holm(p.fillna(1.0)))
    result["sentence"] = [sentence(row) for row in result.to_dict("records")]
    return result[COLUMNS]


def sentence(row: Mapping) -> str:
    """Return what a row of `infer` says, all tests Holm-corrected within its family."""
    difference = row["mean_difference"]
    high, low = (row["a"], row["b"]) if difference >= 0 else (row["b"], row["a"])
    published = row["p_rank_sum_holm"] < LEVEL
    words = f"{high} above {low} by {abs(difference):.3f}: "
    words += "significant as published; " if published else "not significant as published; "
    if not row["p_mouse_t_holm"] < LEVEL:
        words += "not with mice as the unit" if published else "nor with mice as the unit"
    elif row["p_sign_flip_holm"] < LEVEL:
        words += "also with mice as the unit" if published else "but with mice as the unit"
    else:
        words += "with mice as the unit only by the t test, which assumes normal differences"
    if row["smallest_p"] >= LEVEL:
        words += f" (exact p {row['p_sign_flip']:.3g}; {row['n_mice']} mice cannot go below "
        words += f"{row['smallest_p']:.3g})"
    return words


def chance(table: pd.DataFrame, nulls: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Compare decoders with chance; return a table with `CHANCE_COLUMNS`.

    `nulls`: decoder -> the same decoder with permuted labels, once for each permutation (seed).
    A permutation gives one value of the null, its mean AUC: its allocations share its labels and
    are no further draws. Sessions keep none of their own labels, so the true order is not among
    the permutations; the p is that of them all but for this.
    Raises UserError for a decoder that the table lacks.
    """
    means = table.groupby("decoder", sort=False)["auc"].mean()
    rows = []
    for decoder, others in nulls.items():
        missing = [name for name in (decoder, *others) if name not in means]
        if missing:
            raise UserError(f"no decoder {missing[0]}; in the table: {', '.join(means.index)}")
        few = "; 19 reach .05: add decoders like it with other seeds"
        note = few if len(others) < 19 else ""
        rows.append(chance_row(decoder, "permuted labels", means[decoder], means[others], note))
    return pd.concat(rows, ignore_index=True)


def circular_shift(
    allocations: Iterable[Mapping[str, tuple[np.ndarray, np.ndarray]]], draws: int, seed: int = SEED
) -> tuple[float, np.ndarray]:
    """Return a decoder's mean AUC over allocations, and those with circularly shifted labels.

    `allocations`: for each, session -> (labels 0/1, probabilities), both (frames,). A draw shifts
    the labels of each session by 1 … frames - 1, all equally likely, the same in every allocation
    (draws,). All shifts of a session cost one FFT, as AUC is a sum of the ranks of run frames.
    Takes the trained decoder as it is. Known to fail: labels that wrap around are exchangeable with
    the true ones only if the signals are stationary, so that slow drifts that both share give
    small p; and shifts within the autocorrelation of behaviour are no draws of their own (Harris
    2020, Nonsense correlations in neuroscience, bioRxiv 2020.11.29.402719). Measured: .05 for white
    noise, .14 for random walks that have nothing to do with each other.
    """
    observed, null, shifts = [], [], {}
    for sessions in allocations:
        ranks = stats.rankdata(np.concatenate([p for _, p in sessions.values()]))
        total, sums, start, n_run = len(ranks), np.zeros(draws), 0, 0
        true = 0.0
        for name, (labels, _) in sessions.items():
            n = len(labels)
            if n == 0:  # too short to decode
                continue
            if name not in shifts:
                stream = np.random.default_rng([seed, zlib.crc32(name.encode())])
                shifts[name] = stream.integers(1, n, draws) if n > 1 else np.zeros(draws, int)
            mine = ranks[start : start + n]
            spectrum = np.fft.rfft(mine) * np.conj(np.fft.rfft(labels))
            sums += np.fft.irfft(spectrum, n)[shifts[name]]  # of ranks where shifted labels are 1
            true += mine[np.asarray(labels) == 1].sum()
            n_run, start = n_run + int(np.sum(labels)), start + n
        least, pairs = n_run * (n_run + 1) / 2, n_run * (total - n_run)
        observed.append((true - least) / pairs)
        null.append((sums - least) / pairs)
    return float(np.mean(observed)), np.mean(null, axis=0)


def chance_row(
    decoder: str, kind: str, observed: float, null: Sequence[float], note: str
) -> pd.DataFrame:
    """Return a row of `chance`; `kind` says what the null values are of, `note` what to mind."""
    p, smallest = empirical_p(observed, null)
    words = f"{decoder}: mean AUC {observed:.3f}, {np.mean(null):.3f} with {kind}; p = {p:.3g}, "
    words += f"which cannot go below {smallest:.3g} (draws: {len(null)}{note})"
    row = (decoder, kind, observed, len(null), np.mean(null), np.max(null), p, smallest, words)
    return pd.DataFrame([row], columns=CHANCE_COLUMNS)


def _sd(values: np.ndarray) -> float:
    return 0.0 if np.ptp(values) == 0 else float(np.std(values, ddof=1))


def _t_test(mean: float, error: float, freedom: int) -> float:
    """Return a two-sided p; where nothing varies, 0 is certain if it is the mean, else excluded."""
    if error == 0:
        return float(mean == 0)
    return float(2 * stats.t.sf(abs(mean / error), freedom))


def _keys(table: pd.DataFrame) -> list[str]:
    return ["allocation"] if "allocation" in table else ["valid_mouse", "test_mouse"]


def _check_mice(table: pd.DataFrame) -> None:
    """Raise UserError unless each row has a validation mouse and one test mouse."""
    for column in ("test_mouse", "valid_mouse"):
        if column not in table:
            raise UserError(f"no column {column}; tests that know the mice need it")
    several = table["test_mouse"].astype(str).str.contains("+", regex=False)
    if several.any():
        raise UserError(
            f"test_mouse {table['test_mouse'][several].iloc[0]}: allocations with several test "
            "mice share mice in part, for which there is no test here; use allocation.test: 1"
        )


def _paired(table: pd.DataFrame, by: str, groups: list[str]) -> pd.DataFrame:
    """Return valid_mouse, test_mouse and the AUC of each group, a row an allocation."""
    rows = table[table[by].astype(str).isin(groups)]
    keys = _keys(table)
    twice = rows[rows.duplicated([by, *keys])]
    if len(twice):
        first = twice.iloc[0]
        raise UserError(
            f"{by} {first[by]} has the allocation {', '.join(map(str, first[keys]))} twice; "
            "choose rows with --where"
        )
    index = list(dict.fromkeys([*keys, "valid_mouse", "test_mouse"]))
    paired = rows.assign(**{by: rows[by].astype(str)}).pivot(index=index, columns=by, values="auc")
    missing = paired[groups].isna().any(axis=1)
    if missing.any():
        raise UserError(
            f"{int(missing.sum())} of {len(paired)} allocations are not there for every {by} "
            f"compared ({', '.join(groups)}); complete them"
        )
    return paired.reset_index()


def _by_session(sessions: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the AUC of each group, a row a test session, mean over its allocations."""
    means = sessions.groupby(["test_mouse", "session", by], sort=False)["auc"].mean()
    return means.unstack(by).reset_index()


def _test_train_ratio(table: pd.DataFrame) -> float:
    """Return test mice over training mice; where those are not named, all other mice train."""
    if "train_mice" in table:
        return 1 / len(str(table["train_mice"].iloc[0]).split("+"))
    valid = len(str(table["valid_mouse"].iloc[0]).split("+"))
    mice = set(table["test_mouse"]) | set("+".join(table["valid_mouse"].astype(str)).split("+"))
    if len(mice) < valid + 2:
        raise UserError("no column train_mice, and no mouse of the table is left to train")
    return 1 / (len(mice) - valid - 1)


def _compare(paired: pd.DataFrame, a: str, b: str, ratio: float) -> dict:
    # rounded, or differences that are equal would differ by their last bit and not tie
    difference = (paired[a] - paired[b]).round(9).to_numpy()
    test, valid = paired["test_mouse"].to_numpy(), paired["valid_mouse"].to_numpy()
    means = by_mouse(difference, test)
    low, high, p_mouse = mean_interval(means)
    p_flip, smallest = sign_flip(means)
    p_mixed, note = mixed_model(difference, test, valid)
    correlation = icc(difference, test)
    effect = design_effect(correlation, test)
    return {
        "n_allocations": len(difference),
        "n_mice": len(means),
        "mean_difference": means.mean(),
        "ci_low": low,
        "ci_high": high,
        "effect_size": hedges_g(means),
        "smallest_p": smallest,
        "p_mouse_t": p_mouse,
        "p_sign_flip": p_flip,
        "p_mixed": p_mixed,
        "mixed_note": note,
        "p_signed_rank": signed_rank(difference),
        "p_nadeau_bengio": nadeau_bengio(difference, ratio),
        "icc": correlation,
        "icc_a": icc(paired[a], test),
        "icc_b": icc(paired[b], test),
        "design_effect": effect,
        "n_effective": len(difference) / effect,
    }


def _bootstrap(paired: pd.DataFrame, scored: pd.DataFrame | None, a: str, b: str) -> dict:
    source = paired if scored is None else scored
    difference = (source[a] - source[b]).dropna()  # a session of one state has no AUC
    groups = difference.groupby(source["test_mouse"], sort=False)
    low, high = hierarchical_bootstrap([rows.to_numpy() for _, rows in groups])
    unit = "mice and allocations" if scored is None else "mice and sessions"
    return {"bootstrap_of": unit, "bootstrap_low": low, "bootstrap_high": high}
