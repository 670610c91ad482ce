"""The checks of an importance map, over all allocations, as a table: pass, flag or not made.

What each check is and what a failure means: `map_measures`. A flag is a reason to
look, not a proof that a map is wrong; a pass is none that it is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.explain import map_measures, steady_verdicts, timed_verdicts
from mesodecode.explain.check_files import MapCheck
from mesodecode.explain.shap_files import Map, by_output, units_of
from mesodecode.explain.verdict_rows import Row, judged, not_made
from mesodecode.study.targets import RUN, Target

COLUMNS = ("check", "verdict", "value", "limit", "n", "sentence")
NUMBERS = ("value", "limit", "n")
# Rank correlations. With a map that knows nothing of the behaviour, flagged from here on; between
# maps of one question, flagged below. (Unrelated maps of 50 units scatter about 0 with SD 0.14.)
SURVIVES = 0.5
AGREES = 0.3
# Of areas by SHAP: so many times as far from maps that know nothing as these are from each other;
# those of good decoders are 3 to 4 times as far (benchmarks/pixel_maps.py).
FARTHER = 2.0
MOVES = ("moved", "moved_random", "apart", "apart_random")
_ALONE = "Not made: with one allocation no two maps that know nothing can be compared."
FEWEST = 5  # units whose rank correlation says something


@dataclass(frozen=True)
class Evidence:
    """All that the checks of a map need, of A allocations and the U units that all of them read.

    kind ("ROI", "area" or "mask"); real, randomised and planted (A, U); null (A, U), of the decoder
    trained on permuted labels, or None; seeds, (A, U) of each further seed; mice (A,), the test
    mice; share (S,), auc (A, S) and auc_random (A, K, S) of the deletion curves, with S = 0 where
    none were made; auc_intact (A,). Of maps with frames, else with F = 0 and S = 0: size, signed
    and told (A, F, U), mean |SHAP|, with its sign, and in run less in rest; moved, apart (A, S),
    moved_random, apart_random (A, K, S), planted_times (A, F, U) and planted_signs (A, U), as of
    `MapCheck`. noisy (A, 1 + D, U), maps without and with noise, empty where they were not made.
    target: what is decoded, whose score stands for the AUC; of states no `signed`, as each has its
    own.
    """

    kind: str
    units: tuple[str, ...]
    mice: np.ndarray
    real: np.ndarray
    randomised: np.ndarray
    planted: np.ndarray
    null: np.ndarray | None
    seeds: tuple[np.ndarray, ...]
    share: np.ndarray
    auc_intact: np.ndarray
    auc: np.ndarray
    auc_random: np.ndarray
    size: np.ndarray
    signed: np.ndarray
    told: np.ndarray
    moved: np.ndarray
    moved_random: np.ndarray
    apart: np.ndarray
    apart_random: np.ndarray
    planted_times: np.ndarray
    planted_signs: np.ndarray
    noisy: np.ndarray
    target: Target = RUN

    @property
    def mean(self) -> np.ndarray:
        """The map that is shown: the mean over allocations (U,)."""
        return self.real.mean(axis=0)

    @property
    def truth(self) -> np.ndarray | None:
        """What is planted in all test mice (U,), NaN where they differ; None if nothing is."""
        truth = _same(self.planted)
        return truth if (truth == 1).any() and (truth == 0).any() else None

    @property
    def true_times(self) -> np.ndarray | None:
        """When what is planted answers the decoded frame (F, U); None if all do at one time.

        One time cannot be told from what a decoder prefers: the last frames that it reads, or those
        in which the state has lasted longest.
        """
        truth = _same(self.planted_times)
        times = truth[:, (truth == 1).any(axis=0)] == 1
        return truth if (times != times[:, :1]).any() and (truth == 0).any() else None

    @property
    def true_signs(self) -> np.ndarray:
        """Whether planted units rise with running, 1, or fall, -1 (U,), NaN where mice differ."""
        return _same(self.planted_signs)


def gather(
    scores: pd.DataFrame,
    made: Sequence[MapCheck],
    null: pd.DataFrame | None = None,
    seeds: Sequence[pd.DataFrame] = (),
    timed: Sequence[Map] = (),
) -> Evidence:
    """Put together maps and checks of the same allocations; `scores`, `timed`: `maps.read_whole`.

    Raises UserError if an allocation or a unit is missing somewhere.
    """
    allocations = scores.index.get_level_values("allocation")
    found = {one.allocation: one for one in made}
    _complete(allocations, found, "checks")
    ordered = [found[name] for name in allocations]
    units = [unit for unit in scores.columns if all(unit in one.unit for one in ordered)]

    def column(name: str) -> np.ndarray:
        rows = [pd.DataFrame(getattr(one, name).T, one.unit).loc[units] for one in ordered]
        return np.array([row.to_numpy(float).T for row in rows])

    def curve(name: str) -> np.ndarray:
        """Of an allocation its own (S,), of random ones (K, S); S = 0 where some were not made."""
        found = [getattr(one, name) for one in ordered]
        if not all(len(getattr(one, name.removesuffix("_random"))) for one in ordered):
            found = [np.empty((1, 0))] * len(ordered)
        return np.array(found if name.endswith("_random") else [one[0] for one in found])

    of_output = by_output(timed)
    one_output = of_output[0] if len(of_output) == 1 else ()

    def of(table: pd.DataFrame) -> np.ndarray:
        _complete(units, table.columns, "maps")
        table = table.droplevel("test_mouse")
        _complete(allocations, table.index, "maps")
        return table.loc[allocations, units].to_numpy(float)

    auc = curve("auc")
    return Evidence(
        kind=str(scores.columns.name),
        units=tuple(units),
        mice=scores.index.get_level_values("test_mouse").to_numpy(),
        real=of(scores),
        randomised=column("randomised")[:, 0],
        planted=column("planted")[:, 0],
        null=None if null is None else of(null),
        seeds=tuple(of(table) for table in seeds),
        share=ordered[0].share if auc.size else np.empty(0),
        auc_intact=np.array([one.auc_intact for one in ordered]),
        auc=auc,
        size=_cells(timed, "mean_abs", allocations, units),
        signed=_cells(one_output, "signed", allocations, units),
        told=np.subtract(
            *(_cells(one_output, name, allocations, units) for name in ("in_run", "in_rest"))
        ),
        planted_times=column("planted_times"),
        planted_signs=column("planted_signs")[:, 0],
        noisy=column("noisy") if all(len(one.noisy) for one in ordered) else np.empty(0),
        target=ordered[0].target,
        **{name: curve(name) for name in ("auc_random", *MOVES)},
    )


def _cells(
    timed: Sequence[Map], name: str, allocations: Sequence[str], units: list[str]
) -> np.ndarray:
    """Return what maps of allocations hold of units (A, F, U); with F = 0 if there are none."""
    if not timed:
        return np.empty((len(allocations), 0, len(units)))
    whole = {one.allocation: one for one in timed}
    _complete(allocations, whole, "maps")
    each = [whole[allocation] for allocation in allocations]
    tables = [pd.DataFrame(getattr(one, name), columns=units_of(one)) for one in each]
    return np.array([table[units].to_numpy() for table in tables])


def table(evidence: Evidence) -> pd.DataFrame:
    """Return a row a check: its verdict, the value, the limit that it is held to, and a sentence.

    n is the number of allocations. Limits: 1 for the planted truth (all planted units on top);
    `SURVIVES` for rank correlations with maps that know nothing (flagged from there on), of areas
    by SHAP `FARTHER` times what these differ by (flagged up to there, `elsewhere`); 0 for the
    gain over random orders (flagged also if one of these does as well); for stability, and of the
    mouse that is least like the others, `AGREES`, or the rank correlation with random weights if
    that is higher, which agreement must exceed; `steady_verdicts.CHANGES` for the change with noise
    (flagged from there on); for sparseness that of the maps of random weights, to be exceeded.
    """
    untaught = map_measures.rank_correlations(evidence.real, evidence.randomised).mean()
    rows = [
        _planted(evidence),
        _randomised(evidence),
        _permuted(evidence),
        _deletion(evidence),
        _allocations(evidence, untaught),
        _seeds(evidence, untaught),
        *steady_verdicts.rows(evidence, max(AGREES, untaught)),
        *timed_verdicts.rows(evidence),
    ]
    if len(evidence.units) < FEWEST:
        words = f"Not made: the ranks of {len(evidence.units)} {evidence.kind}s say too little."
        ranked = ("random weights", "permuted labels", "allocations", "seeds", "mice")
        rows = [not_made(row[0], words) if row[0] in ranked else row for row in rows]
    return pd.DataFrame(
        [(*row[:4], len(evidence.real), row[4]) for row in rows], columns=list(COLUMNS)
    )


def _planted(e: Evidence) -> Row:
    name = "planted truth"
    if e.truth is None:
        return not_made(name, "Not made: nothing is known to be planted in these recordings.")
    found = map_measures.planted_truth(e.mean, e.truth)
    single = [
        map_measures.planted_truth(scores, planted).average_precision
        for scores, planted in zip(e.real, e.planted, strict=True)
        if (planted == 1).any()
    ]
    numbers = (
        f"average precision {found.average_precision:.2f}, by chance {found.chance:.2f}; "
        f"{np.mean(single):.2f} in single allocations; relevance mass {found.mass:.2f}, rank "
        f"{found.rank:.2f}"
    )
    others = found.n_units - found.n_planted
    good = f"All {found.n_planted} planted {e.kind}s are above {others} others ({numbers})."
    bad = (
        f"{found.n_on_top} of {found.n_planted} planted {e.kind}s are among the "
        f"{found.n_planted} highest of {found.n_units} ({numbers}): the map misses areas that "
        f"carry the signal, or the decoder does without them.{_by_states(e)}"
    )
    return judged(name, found.n_on_top == found.n_planted, found.average_precision, 1.0, good, bad)


def _by_states(e: Evidence) -> str:
    """Return how many planted units are on top by what they say in run less in rest, in words."""
    if not e.told.size or e.truth is None:
        return ""
    told = np.ma.masked_invalid(e.told).mean(axis=0).filled(0).sum(axis=0)
    found = map_measures.planted_truth(np.abs(told), e.truth)
    run, rest = e.target.kind.sides
    return (
        f" By the size of in_{run} - in_{rest}, {found.n_on_top} of {found.n_planted} are (average "
        f"precision {found.average_precision:.2f}): mean |SHAP| also counts what moves the output "
        "in both states alike."
    )


def _against_unknowing(e: Evidence, name: str, others: np.ndarray, how: str, alike: str) -> Row:
    """Return the row on the likeness with maps that know nothing; `alike`: what it means, {} of it.

    `how` says in what the decoders of these maps differ.
    """
    if e.kind == "area" and len(e.real) < 2:
        return not_made(name, _ALONE)
    size = np.abs(others).sum() / max(np.abs(e.real).sum(), np.finfo(float).tiny)
    rank, n = map_measures.rank_correlations(e.real, others).mean(), len(e.real)
    if e.kind == "area":
        value, among = map_measures.elsewhere(e.real, others)
        limit = FARTHER * among
        numbers = (
            f"{value:.2f} of it lies elsewhere than in those, which differ from each other by "
            f"{among:.2f} (mean of {n} allocations; flagged up to {limit:.2f}); they have a rank "
            f"correlation of {rank:.2f} with it, {size:.2f} of its size"
        )
        passed = value > limit
    else:
        value, limit, passed = rank, SURVIVES, rank < SURVIVES
        numbers = (
            f"rank correlation {rank:.2f} (mean of {n} allocations; flagged from {SURVIVES} on), "
            f"{size:.2f} of its size"
        )
    good = f"{how} the decoder has another map: {numbers}."
    return judged(name, passed, value, limit, good, alike.format(numbers))


def _randomised(e: Evidence) -> Row:
    alike = (
        "With random weights the map stays much the same: {}. It shows the input rather than what "
        "the decoder has learned."
    )
    return _against_unknowing(e, "random weights", e.randomised, "With random weights", alike)


def _permuted(e: Evidence) -> Row:
    name, how = "permuted labels", "Trained on permuted labels"
    if e.null is None:
        return not_made(name, "Not made: no decoder trained on permuted labels is given.")
    alike = (
        f"{how} the decoder has much the same map: {{}}. The map does not depend on the behaviour "
        "that is decoded."
    )
    return _against_unknowing(e, name, e.null, how, alike)


def _deletion(e: Evidence) -> Row:
    if not e.auc.size:
        return not_made("deletion", "Not made: no map is of other mice than those tested.")
    gain, as_fast = map_measures.deletion_gain(e.auc, e.auc_random)
    draws, what = e.auc_random.shape[1], "ROIs" if e.kind == "ROI" else "areas"
    score = e.target.kind.axis
    numbers = f"by {gain:.2f} on average while {e.share[0]:.0%} to {e.share[-1]:.0%} are removed"
    good = (
        f"Without the {what} on top of the map of other mice the {score} falls faster than "
        f"without random {what}: {numbers}, in none of {draws} random orders as fast."
    )
    bad = (
        f"Without the {what} on top of the map of other mice the {score} falls no faster than "
        f"without random {what}: {numbers}, in {as_fast} of {draws} random orders as fast. "
        "What the map puts on top is not what the decoder needs, or not in every mouse."
    )
    return judged("deletion", as_fast == 0, gain, 0.0, good, bad)


def _allocations(e: Evidence, untaught: float) -> Row:
    name = "allocations"
    different, same = map_measures.stability(e.real, e.mice)
    if np.isnan(different):
        return not_made(name, "Not made: there is one test mouse only.")
    limit = max(AGREES, untaught)
    numbers = f"rank correlation {different:.2f} over pairs with different test mice"
    numbers += "" if np.isnan(same) else f", {same:.2f} over pairs with the same"
    numbers += f" ({untaught:.2f} with maps of random weights; flagged up to {limit:.2f})"
    good = f"Maps of different allocations are alike: {numbers}."
    bad = f"Maps of different allocations are little alike: {numbers}. Read only what they share."
    return judged(name, different > limit, different, limit, good, bad)


def _seeds(e: Evidence, untaught: float) -> Row:
    name = "seeds"
    if not e.seeds:
        return not_made(name, "Not made: no decoder trained with another seed is given.")
    value = np.mean([map_measures.rank_correlations(e.real, other).mean() for other in e.seeds])
    limit = max(AGREES, untaught)
    n = len(e.seeds)
    numbers = (
        f"rank correlation {value:.2f} in the same allocation ({untaught:.2f} with maps of random "
        f"weights; flagged up to {limit:.2f})"
    )
    seeds = f"{n} other seed{'s' * (n > 1)}"
    good = f"Trained with {seeds} the decoder has a like map: {numbers}."
    bad = (
        f"Trained with {seeds} the decoder has another map: {numbers}. The map is that of one "
        "training, not of the question."
    )
    return judged(name, value > limit, value, limit, good, bad)


def _same(truth: np.ndarray) -> np.ndarray:
    """Return what is the same in all allocations (A, …), NaN where they differ."""
    return np.where((truth == truth[0]).all(axis=0), truth[0], np.nan)


def _complete(wanted: Sequence[str], there: object, what: str) -> None:
    missing = [name for name in wanted if name not in there]
    if missing:
        raise UserError(f"{what}: nothing of {missing[0]}; give those of every allocation and unit")
