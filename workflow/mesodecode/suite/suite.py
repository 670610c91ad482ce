"""The ground-truth benchmark: studies of simulated mice, scored against what was planted in them.

What should be said of a study follows from the settings of its simulation (`expected`), what was
said stands in its tables (`said`): nobody writes either by hand. A statement is a stage and what it
speaks of, a mouse or, as "", the whole decoder:

- qc: quality control warns of, or fails, a session of the mouse;
- shift: half or more of the decoder's test sessions of the mouse are not "in distribution";
- confounds: a control without neurons reaches the decoder (verdict flag);
- chance: the decoder is not shown to be above chance, p >= .05 against circularly shifted labels;
- ceilings, where a study asks for them: a gap (the decoder is better after training on other
  sessions of its test mouse than on as many of other mice), and days (better after training on a
  mouse's own sessions near in days than far), both with a 95 % interval above 0;
- cohorts, where a study names some: a loss (mice of one cohort are decoded worse after training in
  another than in their own, with a 95 % interval above .01);
- first, of a decoder that knows its mouse's first minutes: they helped (`first_minutes`).

docs/benchmark-suite.md says what each cohort of the suite is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.base.natural_order import natural
from mesodecode.base.roc_auc import roc_auc
from mesodecode.base.tables import NUMBERS as TABLE_NUMBERS
from mesodecode.base.tables import read_table
from mesodecode.confounds import control_verdicts as confound_verdicts
from mesodecode.decoders import predictions
from mesodecode.explain import cutout_masks, map_measures
from mesodecode.recordings.recording import read_recording
from mesodecode.scores import calibration, ceiling_gaps, chance_tests, cohort_matrix
from mesodecode.scores.mouse_tests import LEVEL, by_mouse, mean_interval
from mesodecode.shift import columns as shift_columns
from mesodecode.shift.columns import VERDICTS
from mesodecode.simulation.truth import (
    planted_masks,
    planted_rois,
    planted_signs,
    planted_times,
    true_labels,
)
from mesodecode.study import study as studies
from mesodecode.study.targets import RUN
from mesodecode.suite import across_cohorts, first_minutes

STAGES = ("qc", "shift", "confounds", "chance")
CEILINGS = {"gap": ("own", "others_equal"), "days": ("own_near", "own_far")}
# Settings of tables/simulate.yaml that plant a fault; of a mouse alone, any other is a shift.
LEAKS = ("stray_light", "movement", "vessel_dilation")
ARTEFACTS = ("dropped_frames", "flashes", "flicker")
LABELS = ("flipped_bouts",)
PLACES = ("signal_rois", "signal_leads_s", "signal_gains")  # which only labels can tell

Statement = tuple[str, str]
COLUMNS = [
    *("study", "decoder", "protocol", "n_mice", "n_allocations"),
    *("auc", "auc_low", "auc_high", "auc_truth", "ece", "ece_temperature"),
    *("n_failed", "n_foreseen", "n_cried", "predicted_error", "others_error"),
    *("importance", "average_precision", "chance_precision", "relevance_mass", "relevance_rank"),
    *("time_precision", "time_chance", "time_mass", "time_rank", "signs_right"),
    *("should_say", "said", "not_made", "n_should", "n_hit", "n_silent", "n_false", "right"),
]
WORDS = (
    *("study", "decoder", "protocol", "importance", "should_say", "said", "not_made", "right"),
)
NUMBERS = [name for name in COLUMNS if name not in WORDS]


@dataclass(frozen=True)
class Expected:
    """What should be said of a study, what may be said too without being wrong, and all else."""

    should: frozenset[Statement]
    may: frozenset[Statement]

    def of_decoder(self, auc: Mapping[str, float], low: float, limit: float) -> Expected:
        """Return the same where a decoder that fails may be warned of, whatever it fails of.

        Shift may be said of mice with an AUC below `limit`, and chance if `low`, the lower end of
        its interval, is not above 0.5. `auc`: test mouse -> AUC by the true labels.
        """
        failing = {("shift", mouse) for mouse, value in auc.items() if value < limit}
        failing |= {("chance", "")} if low <= 0.5 else set()
        return replace(self, may=self.may | (failing - self.should))


def expected(settings: Mapping[str, Any], mice: Sequence[str]) -> Expected:
    """Return what should be said of mice that were simulated with `settings`.

    `settings` is the table `simulate` of a config, defaults filled in. Quality control should speak
    of a mouse whose movies or labels are at fault, the shift report of one that differs in any
    other setting; confounds of what runs along without neurons; chance where nothing was planted.
    Allowed besides: that a faulty movie, or a mouse whose signal moves from day to day, is shifted,
    that a moving brain drifts, and any shift where nothing can be decoded.
    """
    should, may = set(), set()
    for mouse in mice:
        own = settings["by_mouse"].get(mouse, {})
        has = {**settings, **own}
        differs = {key for key, value in own.items() if value != settings[key]}
        moved = differs.intersection(PLACES) or has["signal_drift"]
        if moved or any(has[key] for key in ARTEFACTS):
            may.add(("shift", mouse))
        if any(has[key] for key in ARTEFACTS + LABELS):
            should.add(("qc", mouse))
        if differs.difference(ARTEFACTS, LABELS, PLACES):
            should.add(("shift", mouse))
        if has["movement"]:
            may.add(("qc", mouse))
    if any(settings[key] for key in LEAKS):
        should.add(("confounds", ""))
    elif settings["run_signal"] == 0:
        should.add(("chance", ""))
        may |= {("shift", mouse) for mouse in mice}
    return Expected(frozenset(should), frozenset(may - should))


def expected_of(study: studies.Study, decoder: str) -> Expected:
    """Return what should be said of a study and decoder: `expected`, and of what it is asked for.

    First minutes: `first_minutes.expected`. There is a gap where mice carry the signal in different
    areas, and there may be one where they differ in anything else; days tell where the signal
    drifts.
    """
    settings = study.config["simulate"]
    found = expected(settings, list(study.mice))
    own = study.decoders[decoder].settings
    if first_minutes.asked(own):
        helped, others = first_minutes.expected(settings, own, list(study.mice))
        found = Expected(
            found.should | {(first_minutes.STAGE, mouse) for mouse in helped},
            found.may | {(first_minutes.STAGE, mouse) for mouse in others},
        )
    if study.config["cohorts"]:
        should, may = across_cohorts.expected(study, decoder)
        found = Expected(found.should | should, found.may | (may - found.should))
    if decoder not in study.config["ceilings"]["decoders"]:
        return found
    each = [settings | settings["by_mouse"].get(mouse, {}) for mouse in study.mice]
    should = {("ceilings", "days")} if any(one["signal_drift"] for one in each) else set()
    if len({tuple(sorted(one["signal_rois"])) for one in each}) > 1:
        should.add(("ceilings", "gap"))
    unlike = ("position_jitter", "rotation_sd", "brightness_sd", "signal_drift", "by_mouse")
    may = {("ceilings", "gap")} if any(settings[key] for key in unlike) else set()
    return Expected(found.should | should, found.may | (may - should))


def score(expects: Expected, spoken: Mapping[Statement, bool]) -> dict[str, Any]:
    """Return the columns of `COLUMNS` on what was said.

    `spoken`: every statement that could be made -> whether it was. What should have been said by a
    stage that was not made counts as missed. `n_silent` counts the statements that should not be
    made, and of those only such as may not be either; `n_false` those of them that were.
    """
    said = {statement for statement, made in spoken.items() if made}
    silent = set(spoken) - expects.should - expects.may
    hit, false = expects.should & said, silent & said
    stages = {stage for stage, _ in spoken}
    return {
        "should_say": words(expects.should),
        "said": words(said),
        "not_made": ", ".join(stage for stage in STAGES if stage not in stages) or "-",
        "n_should": len(expects.should),
        "n_hit": len(hit),
        "n_silent": len(silent),
        "n_false": len(false),
        "right": "yes" if hit == expects.should and not false else "no",
    }


def words(statements: set[Statement] | frozenset[Statement]) -> str:
    """Return statements as text, such as "qc m1, m2; confounds"; "-" if there are none."""
    parts = []
    for stage in (*STAGES, "ceilings", across_cohorts.STAGE, first_minutes.STAGE):
        about = sorted((what for s, what in statements if s == stage), key=natural)
        if about:
            parts.append(f"{stage} {', '.join(about)}".strip())
    return "; ".join(parts) or "-"


def said(tables: Mapping[str, pd.DataFrame], decoder: str) -> dict[Statement, bool]:
    """Return every statement that a study's tables could make on a decoder -> whether they do.

    `tables`: those of qc, shift, confounds, chance, ceilings_gaps and cohorts, as far as they are
    there.
    """
    found: dict[Statement, bool] = {}
    if "qc" in tables:
        of = tables["qc"].groupby("mouse", sort=False)["verdict"]
        found |= {("qc", m): bool(v.isin(["warn", "fail"]).any()) for m, v in of}
    mine = {
        name: table[table["decoder"] == decoder]
        for name, table in tables.items()
        if "decoder" in table
    }
    if "shift" in mine:
        of = mine["shift"].groupby("test_mouse", sort=False)["verdict"]
        found |= {("shift", m): bool((v != VERDICTS[0]).mean() >= 0.5) for m, v in of}
    if len(mine.get("confounds", ())):
        found["confounds", ""] = bool((mine["confounds"]["verdict"] == "flag").any())
    if "chance" in mine:
        shifted = mine["chance"]["null"] == "circularly shifted labels"
        if shifted.any():
            found["chance", ""] = bool((mine["chance"].loc[shifted, "p"] >= LEVEL).all())
    if len(mine.get("ceilings_gaps", ())):
        low = mine["ceilings_gaps"].set_index(["a", "b"])["ci_low"]
        found |= {("ceilings", name): bool(low[pair] > 0) for name, pair in CEILINGS.items()}
    if len(mine.get("cohorts", ())):
        found[across_cohorts.LOSS] = across_cohorts.said(mine["cohorts"])
    return found


def foreseen(
    shift: pd.DataFrame | None, decoder: str, auc: Mapping[str, float], limit: float
) -> dict[str, float]:
    """Return the columns of `COLUMNS` on the AUCs that were predicted of a decoder's test mice.

    `shift`: the study's table of shift, if there is one; `auc`: test mouse -> AUC by the true
    labels. A mouse is predicted by the mean of its rows. n_failed: mice with an AUC below `limit`;
    n_foreseen: of them those predicted below it; n_cried: others predicted below it.
    predicted_error and others_error: mean absolute error of that prediction, and of the mean AUC of
    the other mice. NaN where nothing was predicted.
    """
    names = ("n_failed", "n_foreseen", "n_cried", "predicted_error", "others_error")
    columns = ["predicted_auc", "others_auc"]
    mine = pd.DataFrame(columns=columns, dtype=float)
    if shift is not None:
        of_decoder = shift[shift["decoder"] == decoder]
        mine = of_decoder.groupby("test_mouse")[columns].mean().dropna()
    if mine.empty:
        return dict.fromkeys(names, np.nan)
    true = pd.Series(auc).reindex(mine.index)
    failed, warned = true < limit, mine["predicted_auc"] < limit
    errors = mine.sub(true, axis=0).abs().mean()
    counts = (failed.sum(), (failed & warned).sum(), (warned & ~failed).sum())
    return dict(zip(names, (*counts, *errors), strict=True))


# --- studies, as folders of results ------------------------------------------------------------


def table(folders: Sequence[str | Path]) -> pd.DataFrame:
    """Return `COLUMNS`, a row a decoder with labels of its own of each study (results/{study}).

    AUC (by the labels on record, pooled over the frames of an allocation), AUC by the true labels
    and expected calibration errors are means over test mice of the means of their allocations, with
    the 95 % interval of Student's t over mice. Raises UserError if a study is not of simulated mice
    or lacks a table.
    """
    found = pd.DataFrame([row for folder in folders for row in _rows(Path(folder))])
    twice = found.duplicated(["study", "decoder"])
    if twice.any():
        raise UserError(f"--studies: {found.loc[twice, 'study'].iloc[0]} is there twice")
    return found[COLUMNS]


def _rows(folder: Path) -> list[dict[str, Any]]:
    study = studies.load(folder / "config.json")
    if "simulate" not in study.config:
        raise UserError(f"{folder}: mice that were not simulated; nobody knows their truth")
    tables = {name: _read(folder, name) for name in ("auc", "calibration", "qc")}
    tables |= {name: _read(folder, name) for name in STAGES[1:] if _path(folder, name).exists()}
    if study.config["ceilings"]["decoders"]:
        tables["ceilings_gaps"] = _read(folder, "ceilings_gaps")
    if study.config["cohorts"]:
        tables["cohorts"] = _read(folder, "cohorts")
    rows = []
    for name, decoder in study.decoders.items():
        if decoder.settings.get("labels", "own") != "own":
            continue
        mine = tables["auc"][tables["auc"]["decoder"] == name]
        mice = mine["test_mouse"].to_numpy()
        means = by_mouse(mine["auc"].to_numpy(), mice)
        low, high, _ = mean_interval(means)
        files = [folder / f"predictions/{name}/{each}.h5" for each in mine["allocation"]]
        truth = [auc_of_truth(predictions.read(path), folder / "simulated") for path in files]
        of_mouse = pd.Series(truth, mice).groupby(level=0).mean()
        row = {"study": study.name, "decoder": name, "protocol": mine["protocol"].iloc[0]}
        row |= {"n_mice": len(means), "n_allocations": len(mine), "auc": means.mean()}
        row |= {
            "auc_low": max(low, 0.0),
            "auc_high": min(high, 1.0),
        }  # t knows no limits; NaN stays
        row |= {"auc_truth": of_mouse.mean()}
        row |= _calibration(tables["calibration"], name)
        row |= _importance(study, name, folder)
        limit = study.config["shift"]["predicted_auc"][0] or 0
        row |= foreseen(tables.get("shift"), name, of_mouse, limit)
        expects = expected_of(study, name)
        own = expects.of_decoder(of_mouse, mean_interval(of_mouse)[0], limit)
        spoken = said(tables, name)
        if first_minutes.asked(decoder.settings):
            before = decoder.settings["adapted_from"]
            found = first_minutes.read_gains(folder, name, before, list(mine["allocation"]))
            better = first_minutes.BETTER
            spoken |= {(first_minutes.STAGE, m): gain >= better for m, gain in found.items()}
        rows.append(row | score(own, spoken))
    return rows


def _path(folder: Path, name: str) -> Path:
    return folder / f"tables/{name}.tsv"


def _read(folder: Path, name: str) -> pd.DataFrame:
    numbers = {
        "calibration": calibration.NUMBERS,
        "confounds": confound_verdicts.NUMBERS,
        "shift": shift_columns.numbers_of(),
        "chance": chance_tests.NUMBERS,
        "ceilings_gaps": ceiling_gaps.gap_numbers_of(RUN.kind),
        "cohorts": cohort_matrix.NUMBERS,
    }
    if not _path(folder, name).exists():
        raise UserError(
            f"{_path(folder, name)}: no such table; make it: snakemake benchmark --configfile …"
        )
    return read_table(_path(folder, name), numbers=numbers.get(name, TABLE_NUMBERS))


def auc_of_truth(item: predictions.Predictions, folder: str | Path) -> float:
    """Return the AUC of predictions by the true labels, of {session}_truth.h5 in `folder`."""
    sessions = item.sessions.items()
    label = [true_labels(Path(folder) / f"{name}_truth.h5")[one.frame] for name, one in sessions]
    probability = [one.probability for _, one in sessions]
    return roc_auc(np.concatenate(label), np.concatenate(probability))


def _calibration(found: pd.DataFrame, decoder: str) -> dict[str, float]:
    mine = found[found["decoder"] == decoder]
    columns = {"ece": "none", "ece_temperature": "temperature"}
    rows = {column: mine[mine["method"] == method] for column, method in columns.items()}
    return {
        column: float(by_mouse(one["ece"].to_numpy(), one["test_mouse"]).mean())
        for column, one in rows.items()
    }


def _importance(study: studies.Study, decoder: str, folder: Path) -> dict[str, Any]:
    """Return how well the first importance analysis of a decoder finds what was planted."""
    lines = study.config["importance"].items()
    analyses = [(name, line) for name, line in lines if line["decoder"] == decoder]
    if not analyses:
        return {"importance": "-"} | _found(None) | _found(None, "time_") | {"signs_right": np.nan}
    name, line = analyses[0]
    units = _read(folder, f"importance_{name}")
    score = pd.to_numeric(units["mean"]).to_numpy()
    truth = [folder / f"simulated/{session}_truth.h5" for session in study.mouse_of]
    times, signs = None, np.nan
    if "masks" in line:
        recording = read_recording(folder / f"recordings/{next(iter(study.mouse_of))}.h5")
        planted = planted_masks(truth, cutout_masks.masks_of(line, recording).areas)
    else:
        planted = planted_rois(truth, [int(roi) for roi in units["roi"]])
        if _path(folder, f"importance_{name}_times").exists():  # none of an older version
            times, signs = _timed(folder, name, truth)
    found = map_measures.planted_truth(score, planted) if (planted == 1).any() else None
    row = {"importance": name} | _found(found) | _found(times, "time_")
    return row | {"signs_right": signs}


def _timed(
    folder: Path, name: str, truth: Sequence[Path]
) -> tuple[map_measures.Planted | None, float]:
    """Return how well a map finds when ROIs answer, and the share of planted ROIs of right sign."""
    cells = _read(folder, f"importance_{name}_times").apply(pd.to_numeric, errors="coerce")
    size, signed = (
        cells.pivot_table(index="frame", columns="roi", values=value, sort=False, dropna=False)
        for value in ("mean_abs", "signed")
    )
    rois = [int(roi) for roi in size.columns]
    planted = planted_times(truth, rois, size.index.to_numpy())
    signs = planted_signs(truth, rois)
    known = np.abs(signs) == 1
    right = np.sign(signed.sum().to_numpy()[known]) == signs[known]
    found = None
    if (planted == 1).any():
        found = map_measures.planted_truth(size.to_numpy().ravel(), planted.ravel())
    return found, float(right.mean()) if known.any() else np.nan


def _found(found: map_measures.Planted | None, what: str = "") -> dict[str, float]:
    """Return the columns of `COLUMNS` on what was planted, of units or ("time_") of cells."""
    names = ["average_precision", "chance_precision", "relevance_mass", "relevance_rank"]
    if what:
        names = [f"{what}{name}" for name in ("precision", "chance", "mass", "rank")]
    if found is None:
        return dict.fromkeys(names, np.nan)
    values = found.average_precision, found.chance, found.mass, found.rank
    return dict(zip(names, values, strict=True))
