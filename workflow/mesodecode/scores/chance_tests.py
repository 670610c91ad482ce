"""Is a decoder better than chance? Labels permuted, and labels shifted in a circle."""

import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from mesodecode.base.files import UserError
from mesodecode.scores.mouse_tests import SEED

NUMBERS = ("mean_auc", "n_null", "null_mean", "null_max", "p", "smallest_p")
COLUMNS = ["decoder", "null", *NUMBERS, "sentence"]


def empirical_p(observed: float, null: Sequence[float]) -> tuple[float, float]:
    """Return p = (r + 1) / (k + 1), r of k null values being `observed` or more, and its smallest.

    One-sided (Davison & Hinkley 1997, Bootstrap Methods, §4.2; Phipson & Smyth 2010, Stat Appl
    Genet Mol Biol 9: 39). Assumes that the observed value and those under permuted labels could
    change places if there were nothing to decode. Values that differ by their last digits tie, as
    those of labels that are periodic do: where shifted ones are the true ones, the sums differ.
    """
    k, limit = len(null), observed - 1e-9 * max(1.0, abs(observed))
    return (int(np.sum(np.asarray(null) >= limit)) + 1) / (k + 1), 1 / (k + 1)


def permuted_labels(table: pd.DataFrame, nulls: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Compare decoders with chance; return a table with `COLUMNS`.

    `nulls`: decoder -> the same decoder with permuted labels, once for each permutation (seed).
    A permutation gives one value of the null, its mean AUC: its allocations share its labels and
    are no further draws. Sessions keep none of their own labels, so the true order is not among
    the permutations; the p is that of them all but for this.
    Raises UserError for a decoder that the table lacks, one that is given twice, a missing AUC, and
    decoders that were not tested in the same allocations.
    """
    means = table.groupby("decoder", sort=False)["auc"].mean()
    rows = []
    for decoder, others in nulls.items():
        missing = [name for name in (decoder, *others) if name not in means]
        if missing:
            raise UserError(f"no decoder {missing[0]}; in the table: {', '.join(means.index)}")
        _check_draws(table, decoder, others)
        few = "; 19 reach .05: add decoders like it with other seeds"
        note = few if len(others) < 19 else ""
        rows.append(chance_row(decoder, "permuted labels", means[decoder], means[others], note))
    return pd.concat(rows, ignore_index=True)


def _check_draws(table: pd.DataFrame, decoder: str, others: Sequence[str]) -> None:
    """Raise UserError unless each of `others` is one draw of what `decoder` is compared with."""
    names = [decoder, *others]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"decoder {twice[0]} is given twice for {decoder}; give each null once")
    found = {name: table[table["decoder"] == name] for name in names}
    for name, rows in found.items():
        if missing := int(rows["auc"].isna().sum()):
            raise UserError(f"decoder {name}: {missing} of {len(rows)} AUCs are missing")
        tested = (sorted(one.get("allocation", [])) for one in (rows, found[decoder]))
        if len({*map(tuple, tested)}) > 1:
            raise UserError(
                f"decoders {decoder} and {name} were not tested in the same allocations, each "
                "once; leave rows that both have"
            )


def shifts_of(session: str, n: int, draws: int) -> np.ndarray:
    """Return by how many of its n frames a session is shifted in each draw (draws,)."""
    stream = np.random.default_rng([SEED, zlib.crc32(session.encode())])
    return stream.integers(1, n, draws) if n > 1 else np.zeros(draws, int)


def circular_shift(
    allocations: Iterable[Mapping[str, tuple[np.ndarray, np.ndarray]]], draws: int
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
                shifts[name] = shifts_of(name, n, draws)
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
    """Return a row of `COLUMNS`; `kind` says what the null values are of, `note` what to mind.

    Raises UserError if there is no AUC, as of frames of one state.
    """
    if np.isnan([observed, *null]).any():
        raise UserError(
            f"{decoder}: all test frames of an allocation are run, or all rest, so that it has no "
            "AUC; leave it out of the table"
        )
    p, smallest = empirical_p(observed, null)
    words = f"{decoder}: mean AUC {observed:.3f}, {np.mean(null):.3f} with {kind}; p = {p:.3g}, "
    words += f"which cannot go below {smallest:.3g} (draws: {len(null)}{note})"
    row = (decoder, kind, observed, len(null), np.mean(null), np.max(null), p, smallest, words)
    return pd.DataFrame([row], columns=COLUMNS)
