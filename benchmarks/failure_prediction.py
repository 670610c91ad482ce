"""Which score foresees a mouse in which a decoder fails? Published ones beside the report's own.

python benchmarks/failure_prediction.py     two minutes on one core

Simulated: five mice, of which m1 is recorded again and again, each time shifted (as in
benchmarks/shift.py). Natural: five real mice (JEDI-1P; voltage, not calcium, 15 whisker deflections
each), whole and in thirds of five deflections. Decoders: logistic regression of pixels, and a GRU
of ROI signals with three seeds (of real mice, of 5 x 5 px squares). Every score sees what a lab has
of a new mouse: probabilities, and those of the validation mouse with labels, by which all are
calibrated. What a score needs to become an AUC or a warning is set on one kind of data and judged
on the other.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import published_scores
import torch
from scipy.special import expit, logit
from scipy.stats import spearmanr

from mesodecode.base.roc_auc import roc_auc
from mesodecode.decoders import roi_networks
from mesodecode.decoders.applied import read_by_last_layer
from mesodecode.decoders.fitted import linear
from mesodecode.decoders.networks import rnn_decoder
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.recording import Recording, read_recording
from mesodecode.recordings.roi_signals import signals_of
from mesodecode.scores import calibration
from mesodecode.shift import measures, predicted_auc
from mesodecode.study import mouse_allocations, schema
from mesodecode.study.allocation import Allocation
from shift import COHORT, SHIFTED, conditions

DATA = Path(__file__).parents[2] / "shared/data/jedi1p_whisker"
GRADES = {
    **{"rotation": [16, 45], "scale": [0.8], "gain": [0.05], "tau_decay_s": [0.8, 1.6]},
    **{"photons": [30], "missing_left": [0.9], "run_signal": [0.02, 0.01, 0.0]},
}
SQUARE, PARTS, SEEDS = 5, 3, (1, 2, 3)
FAILED = 0.8  # AUC
KINDS = ("simulated", "real", "real, thirds")
OTHER = {"simulated": "real, thirds", "real": "simulated", "real, thirds": "simulated"}
# score -> column of what it estimates as it is; None: it only ranks
ESTIMATES = {
    **{"predicted AUC (report)": "auc", "mean of the other mice": "auc"},
    **{"AUC of the validation mouse": "auc", "expected AUC": "auc", "DoC of expected AUC": "auc"},
    **{"average confidence": "accuracy", "DoC": "accuracy", "ATC": "accuracy"},
    **{"agreement of seeds": "accuracy", "nuclear norm": None, "dispersion": None},
}


@dataclass(frozen=True)
class Output:
    """What a decoder gave of a session: probabilities, of all seeds too, and features (N, F)."""

    session: SessionPredictions
    seeds: Sequence[np.ndarray]
    features: np.ndarray

    def part(self, at: np.ndarray) -> Output:
        """Return the same of the frames at positions `at` (M,)."""
        one = self.session
        arrays = (getattr(one, key)[at] for key in ("frame", "label", "probability"))
        seeds = [seed[at] for seed in self.seeds]
        return Output(SessionPredictions(one.mouse, *arrays), seeds, self.features[at])


Applied = Callable[[Sequence[Recording]], dict[str, Output]]


def real(folder: Path, data: Path) -> list[Recording]:
    """Return the five real mice, with signals of squares that lie in the brains of all."""
    found = []
    for movie in sorted(data.glob("*.tif")):
        name = movie.stem
        files = {"movie": str(movie), "behavior": str(data / f"{name}_behavior.mat")}
        preprocess(folder / f"{name}.h5", session=name, mouse=name, frame_rate=200, **files)
        found.append(read_recording(folder / f"{name}.h5"))
    signals = []
    for recording in found:
        t, h, w = recording.shape
        squares = recording.read_frames().reshape(t, h // SQUARE, SQUARE, w // SQUARE, SQUARE)
        signals.append(squares.mean(axis=(2, 4)).reshape(t, -1).astype(np.float32))
    seen = np.all([rois.std(axis=0) > 0 for rois in signals], axis=0)
    return [replace(r, rois=rois[:, seen]) for r, rois in zip(found, signals, strict=True)]


def fit_linear(allocation: Allocation, recordings: Sequence[Recording], pixels: int) -> Applied:
    mine = [recording for recording in recordings if recording.mouse in allocation.train]
    model = linear.fit_linear(mine, pixels=pixels, C=1.0, frame_step=1)

    def applied(asked: Sequence[Recording]) -> dict[str, Output]:
        made = linear.predict_linear(model, asked, pixels=pixels)
        rows = {r.session: model[0].transform(linear.pixel_features(r, pixels)[1]) for r in asked}
        return {n: Output(one, [one.probability], rows[n]) for n, one in made.items()}

    return applied


def fit_gru(
    allocation: Allocation, recordings: Sequence[Recording], settings: Mapping[str, Any]
) -> Applied:
    networks = []
    roles = {
        role: signals_of([r for r in recordings if r.mouse in getattr(allocation, role)], settings)
        for role in ("train", "valid")
    }
    for seed in SEEDS:
        fitted = roi_networks.fit(roles["train"], roles["valid"], {**settings, "seed": seed})
        network = rnn_decoder(roles["train"][0].features.shape[1], settings)
        network.load_state_dict(fitted.state)
        networks.append(network.eval())

    def applied(asked: Sequence[Recording]) -> dict[str, Output]:
        sessions, found = signals_of(asked, settings), {}
        made = [roi_networks.predict(network, sessions, settings) for network in networks]
        for one in sessions:
            source = roi_networks.windows([one], settings)
            rows = read_by_last_layer(networks[0], source, source.centres)
            seeds = [predicted[one.session].probability for predicted in made]
            found[one.session] = Output(made[0][one.session], seeds, rows)
        return found

    return applied


def gru(half_window: int, epochs: int, frame_step: int) -> dict[str, Any]:
    """Return the settings of a small GRU of ROI signals."""
    return schema.defaults(
        "roi_rnn",
        **{"input": "rois", "rnn": "gru", "baseline": None, "normalise": "zscore", "dropped": []},
        **{"half_window": half_window, "epochs": epochs, "frame_step": frame_step},
        **{"max_lr": 0.005, "batch_size": 64},
    )


def scores(output: Output, label: np.ndarray, source: np.ndarray) -> dict[str, float]:
    """Return every published score, and the AUC and accuracy that it should foresee.

    `source` and `label`: probabilities and labels of the validation mouse.
    """
    own = output.session
    heat = calibration.temperature(label, source)
    known, new = (calibration.scaled(p, heat) for p in (source, own.probability))
    of_known = roc_auc(label, source)
    expected = {name: published_scores.expected_auc(p) for name, p in (("k", known), ("n", new))}
    return {
        "auc": roc_auc(own.label, own.probability),
        "accuracy": float(((own.probability >= 0.5) == own.label).mean()),
        "AUC of the validation mouse": of_known,
        "expected AUC": expected["n"],
        "DoC of expected AUC": float(np.clip(of_known - expected["k"] + expected["n"], 0.5, 1)),
        "average confidence": published_scores.average_confidence(new),
        "DoC": published_scores.difference_of_confidences(label, known, new),
        "ATC": published_scores.average_thresholded_confidence(label, known, new),
        "agreement of seeds": published_scores.agreement(output.seeds),
        "nuclear norm": published_scores.nuclear_norm(new),
        "dispersion": published_scores.dispersion(output.features, own.probability),
    }


def outputs(
    cohorts: Mapping[tuple, Sequence[Recording]], choose: str, fit: Callable[..., Applied]
) -> Iterator[tuple[dict[str, Any], Output, Recording, np.ndarray, np.ndarray]]:
    """Yield what a row is about, the output, its recording, and label, source of validation.

    Mice other than the shifted one are tested in the first cohort only.
    """
    first = next(iter(cohorts.values()))
    for allocation in mouse_allocations.allocate(sorted({r.mouse for r in first}), choose=choose):
        applied = fit(allocation, first)
        of_valid = applied([r for r in first if r.mouse in allocation.valid]).values()
        label, source = (
            np.concatenate([getattr(one.session, key) for one in of_valid])
            for key in ("label", "probability")
        )
        bout = measures.median_bout([r for r in first if r.mouse not in allocation.test])
        for at, (condition, recordings) in enumerate(cohorts.items()):
            tested = {r.session: r for r in recordings if r.mouse in allocation.test}
            if at and SHIFTED not in allocation.test:
                continue
            for name, output in applied(list(tested.values())).items():
                about = {"condition": condition, "allocation": allocation.id, "bout": bout}
                about |= {"session": name, "test_mouse": output.session.mouse}
                yield about, output, tested[name], label, source


def rows(kind: str, decoder: str, found: Iterator[tuple]) -> list[dict[str, Any]]:
    """Return a row a session (of real mice, also a third) of measures and scores."""
    made = []
    for about, output, recording, label, source in found:
        parts = {kind: [np.arange(len(output.session.frame))]}
        if kind == "real":
            trial = recording.segment[output.session.frame]
            third = trial * PARTS // (recording.segment.max() + 1)
            parts["real, thirds"] = [np.flatnonzero(third == at) for at in range(PARTS)]
        for name, places in parts.items():
            for number, at in enumerate(places):
                own = output.part(at)
                row = {**about, "kind": name, "decoder": decoder, "part": number}
                row |= measures.of_probabilities(own.session, recording, about["bout"])
                made.append(row | scores(own, label, source))
    return made


def with_report(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows to judge, with the AUC that the report predicts from each cohort."""
    parts = []
    for _, mine in table.groupby(["kind", "decoder"], sort=False):
        for at, condition in enumerate(mine["condition"].unique()):
            others = mine["test_mouse"] != SHIFTED
            cohort = mine[others | (mine["condition"] == condition)].reset_index(drop=True)
            cohort = cohort.join(predicted_auc.predict(cohort))
            # the unshifted mice are the same in every cohort
            parts.append(cohort[(cohort["test_mouse"] == SHIFTED) | (at == 0)])
    names = {"predicted_auc": "predicted AUC (report)", "others_auc": "mean of the other mice"}
    return pd.concat(parts, ignore_index=True).rename(columns=names)


def as_auc(fitted: pd.DataFrame, judged: pd.DataFrame, score: str) -> np.ndarray:
    """Return AUCs by a line from the score to the logit of the AUC that other rows decided."""
    known = fitted[[score, "auc"]].replace([np.inf, -np.inf], np.nan).dropna()
    line = np.polyfit(known[score], logit(known["auc"].clip(0.002, 0.998)), 1)
    return expit(np.polyval(line, judged[score]))


def best_cut(table: pd.DataFrame, score: str) -> float:
    """Return the value below which a warning has most hits less false alarms, as shares."""
    failed, values = table["auc"] < FAILED, table[score]
    cuts = [*np.unique(values.dropna()), np.inf]
    gains = [(values < c)[failed].mean() - (values < c)[~failed].mean() for c in cuts]
    return cuts[int(np.argmax(gains))]


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a score and kind: errors and rank, means over decoders; counts of warnings.

    own: mean absolute error of what it estimates as it is; line: that of an AUC by a line that the
    other kind decided, where it is no AUC as it is; rank: Spearman's correlation with the AUC; hits
    of failed and false of sound sessions, of warnings below a cut that the other kind decided.
    """
    found = []
    for score, target in ESTIMATES.items():
        for kind in KINDS:
            each, counts = [], np.zeros(4, int)
            for decoder in table["decoder"].unique():
                mine, other = (
                    table[(table["decoder"] == decoder) & (table["kind"] == k)].dropna(
                        subset=[score, "auc"]
                    )
                    for k in (kind, OTHER[kind])
                )
                if mine.empty:
                    continue
                own = (mine[score] - mine[target]).abs().mean() if target else np.nan
                auc = mine[score] if target == "auc" else as_auc(other, mine, score)
                missed = np.abs(auc - mine["auc"]).mean()
                each.append((own, missed, spearmanr(mine[score], mine["auc"])[0]))
                warned, failed = mine[score] < best_cut(other, score), mine["auc"] < FAILED
                counts += [sum(warned & failed), sum(failed), sum(warned & ~failed), sum(~failed)]
            means = dict(zip(("own", "line", "rank"), np.mean(each, axis=0), strict=True))
            words = dict(zip(("hits", "failed", "false", "sound"), counts, strict=True))
            found.append({"score": score, "kind": kind} | means | words)
    return pd.DataFrame(found)


def print_tables(table: pd.DataFrame) -> None:
    found = judged(table)
    print(
        "Error of the AUC (by a line of the other kind, if it is none) / rank correlation with it,"
    )
    print("and of scores that estimate accuracy: error of that")
    print("| score | " + " | ".join(KINDS) + " |\n|---|" + "---|" * len(KINDS))
    for score, lines in found.groupby("score", sort=False):
        each = [f"{x.line:.3f} / {x.rank:.2f}" for x in lines.itertuples()]
        if ESTIMATES[score] == "accuracy":
            each = [
                f"{words}, {x.own:.3f}" for words, x in zip(each, lines.itertuples(), strict=True)
            ]
        print(f"| {score} | " + " | ".join(each) + " |")
    print(f"\nWarnings of an AUC below {FAILED}, cut set on the other kind: hits, false alarms")
    print("| score | " + " | ".join(KINDS) + " |\n|---|" + "---|" * len(KINDS))
    for score, lines in found.groupby("score", sort=False):
        each = [f"{x.hits} of {x.failed}, {x.false} of {x.sound}" for x in lines.itertuples()]
        print(f"| {score} | " + " | ".join(each) + " |")
    print("\nThe report's own, below 0.8 as it is set:")
    for kind, mine in table.groupby("kind", sort=False):
        predicted, failed = mine["predicted AUC (report)"], mine["auc"] < FAILED
        warned, missed = predicted < 0.8, (predicted - mine["auc"]).abs()
        within = [(missed <= mine["predicted_error"])[which].mean() for which in (failed, ~failed)]
        worst = mine.loc[(predicted - mine["auc"]).idxmax()]
        print(
            f"{kind}: {sum(warned & failed)} of {sum(failed)}, {sum(warned & ~failed)} of "
            f"{sum(~failed)}; within the error said: "
            f"{within[0]:.2f} of failed, {within[1]:.2f} of sound; worst: {worst['decoder']}, "
            f"{worst['test_mouse']} predicted {worst['predicted AUC (report)']:.2f}, had "
            f"{worst['auc']:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the five real mice")
    parser.add_argument("--seed", type=int, default=7, help="of the simulation (default: 7)")
    parser.add_argument("--table", type=Path, help="write all scores of all sessions (.tsv)")
    args = parser.parse_args()
    if not any(args.data.glob("*.tif")):
        sys.exit(f"{args.data}: no .tif of the real mice; name their folder with --data")
    torch.set_num_threads(1)
    made = []
    with tempfile.TemporaryDirectory() as folder:
        shifted = conditions(Path(folder), GRADES, **COHORT, seed=args.seed)
        natural = {("none", 0.0): real(Path(folder), args.data)}
        plans = {
            ("simulated", "linear"): (shifted, "all", partial(fit_linear, pixels=16)),
            ("simulated", "gru"): (shifted, "each_test", partial(fit_gru, settings=gru(7, 5, 4))),
            ("real", "linear"): (natural, "all", partial(fit_linear, pixels=50)),
            ("real", "gru"): (natural, "all", partial(fit_gru, settings=gru(1, 15, 1))),
        }
        for (kind, decoder), (cohorts, choose, fit) in plans.items():
            made += rows(kind, decoder, outputs(cohorts, choose, fit))
    table = with_report(pd.DataFrame(made))
    if args.table:
        table.to_csv(args.table, sep="\t", index=False)
    print_tables(table)


if __name__ == "__main__":
    main()
