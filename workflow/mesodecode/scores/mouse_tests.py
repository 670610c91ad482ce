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

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.05
DRAWS = 10_000  # of the bootstrap
SEED = 1
MOST_FLIPPED = 20  # mice: 2 ** 20 sign flips take a second
MOST_FLIPPED_TOGETHER = 14  # mice: so few of many areas at once


def signed_rank(difference: np.ndarray) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test of differences (n,).

    Asymptotic, zeros left out, with tie and continuity correction: R's ``wilcox.test(a, b, paired
    = TRUE, exact = FALSE)`` (Wilcoxon 1945, Biometrics Bull 1: 80-83); 1 if all are zero. Those
    that differ by their last digits tie. Over allocations it assumes that they are independent,
    which they are not. Measured: .22 and .31.
    """
    difference = np.asarray(difference, dtype=float)
    if not difference.any():
        return 1.0
    difference = (difference / np.abs(difference).max()).round(9)
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
    sd = _sd(means)
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


def max_t(means: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return t (U,) of U areas, p (U,) corrected over them, and the smallest p there can be.

    means (n, U), a value a mouse and area. t = mean / (SD / √n); p is the share of all 2ⁿ choices
    of signs, of a mouse the same in all areas, whose largest |t| of any area is at least that of
    this area (single-step max-T: Westfall & Young 1993, Resampling-Based Multiple Testing; Nichols
    & Holmes 2002, Hum Brain Mapp 15: 1-25). Areas that go together cost less than by Holm. Assumes
    only that a mouse is as likely to have the opposite differences, all of them, and then holds its
    level over all areas, exactly. p cannot be less than 2 / 2ⁿ. For more than 14 mice it is
    (r + 1) / (k + 1) of k = 10,000 random choices. t is infinite where mice do not differ, 0 where
    an area is 0 in all of them; of one mouse t and p are NaN. What training mice share is not seen:
    benchmarks/map_power.py has the levels.
    """
    means = np.asarray(means, dtype=float)
    n, n_areas = means.shape
    if n < 2:
        return np.full(n_areas, np.nan), np.full(n_areas, np.nan), np.nan
    exact = n <= MOST_FLIPPED_TOGETHER
    if exact:  # the first sign stays: the other half has the same |t|
        signs = 1 - 2 * (np.arange(2 ** (n - 1))[:, None] >> np.arange(n) & 1)
    else:
        signs = np.random.default_rng(SEED).choice([-1, 1], (DRAWS, n))
    # |sum| over the largest that flips can make, √(n Σ x²): of an area |t| rises with it, by the
    # same function in all areas
    largest = np.sqrt(n * np.square(means).sum(axis=0))
    scaled = np.divide(means, largest, out=np.zeros_like(means), where=largest > 0)
    ratio = scaled.sum(axis=0)
    highest = np.abs(signs @ scaled).max(axis=1)
    reached = highest[:, None] >= np.abs(ratio) - 1e-12
    p = reached.mean(axis=0) if exact else (reached.sum(axis=0) + 1) / (DRAWS + 1)
    left = 1 - ratio**2
    with np.errstate(divide="ignore"):
        t = ratio * np.sqrt((n - 1) / np.where(left < 1e-12, 0, left))
    return t, p, 2.0 / 2**n if exact else 1 / (DRAWS + 1)


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
    has normal, not t, tails, so that few mice give narrow intervals. NaN for one mouse, whose
    sessions say nothing of others. Measured: .11 and .15.
    """
    if len(mice) < 2:
        return np.nan, np.nan
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

    (MSB - MSW) / (MSB + (k - 1) MSW), k values a mouse (Shrout & Fleiss 1979, Psychol Bull 86:
    420-428; `mean_squares`). NaN with fewer than two mice, one value a mouse, or values that do not
    vary.
    """
    if np.ptp(values) == 0:
        return np.nan
    between, within, k = mean_squares(values, mouse)
    return float((between - within) / (between + (k - 1) * within))


def mean_squares(values: np.ndarray, mouse: np.ndarray) -> tuple[float, float, float]:
    """Return MSB, MSW and k of the one-way ANOVA of values (n,) by mouse.

    Between mice, within them, and how many values a mouse has: with unequal numbers n_i, k is
    (N - Σ n_i² / N) / (mice - 1). Of one mouse MSB and k are NaN, of one value a mouse MSW.
    """
    values = np.asarray(values, dtype=float)
    values = values - values[0]  # of values that do not vary the mean may differ in its last digit
    groups = pd.Series(values).groupby(np.asarray(mouse), sort=False)
    sizes, means = groups.size().to_numpy(), groups.mean().to_numpy()
    total, count = sizes.sum(), len(sizes)
    if count < 2:
        return np.nan, np.nan, np.nan
    between = np.sum(sizes * (means - np.mean(values)) ** 2) / (count - 1)
    k = (total - np.sum(sizes**2) / total) / (count - 1)
    if total == count:
        return float(between), np.nan, float(k)
    within = np.sum((values - groups.transform("mean")) ** 2) / (total - count)
    return float(between), float(within), float(k)


def design_effect(correlation: float, mouse: np.ndarray) -> float:
    """Return by how much the mean of correlated values varies more than that of independent ones.

    1 + (k - 1) · ICC, k = Σ n_i² / N values a mouse (Kish 1965, Survey Sampling, §5.4); the
    effective n is N over it. A negative ICC counts as 0, as N values are worth no more than N; so
    does NaN where each mouse has one value. NaN for one mouse, of which no ICC is known. Sees what
    a test mouse shares, not what training mice do.
    """
    sizes = pd.Series(np.asarray(mouse)).value_counts().to_numpy()
    if len(sizes) < 2:
        return np.nan
    known = 0.0 if np.isnan(correlation) else max(correlation, 0.0)
    return float(1 + (np.sum(sizes**2) / sizes.sum() - 1) * known)


def _sd(values: np.ndarray) -> float:
    # means of equal values, over other numbers of them, may differ in their last digit
    alike = np.ptp(values) <= 1e-12 * np.max(np.abs(values))
    return 0.0 if alike else float(np.std(values, ddof=1))


def _t_test(mean: float, error: float, freedom: int) -> float:
    """Return a two-sided p; where nothing varies, 0 is certain if it is the mean, else excluded."""
    if error == 0:
        return float(mean == 0)
    return float(2 * stats.t.sf(abs(mean / error), freedom))
