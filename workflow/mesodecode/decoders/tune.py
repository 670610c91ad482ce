"""The search for a decoder's settings on the mice that train and validate, never the test mouse.

Nested cross-validation (Varma & Simon 2006, BMC Bioinformatics 7:91; Cawley & Talbot 2010, JMLR
11:2079): a choice that saw the test mouse would make its AUC too good. Here each test mouse has a
search of its own, scored by the validation mice of its allocations.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import torch
from optuna.trial import TrialState

from mesodecode.base.files import UserError, say
from mesodecode.decoders import one_step
from mesodecode.decoders.objectives import SCORES
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.recordings.recording import Recording
from mesodecode.study import tuning
from mesodecode.study.allocation import Allocation
from mesodecode.study.targets import RUN, Kind, Target

# Fits a decoder to training recordings; returns its AUC on validation recordings, or what else
# scores their target.
Score = Callable[[Sequence[Recording], Sequence[Recording], dict[str, Any]], float]
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
STARTUP = 5  # trials before the worse half of those that follow may be stopped early


def search(
    score: Score,
    settings: Mapping[str, Any],
    line: Mapping[str, Any],
    splits: Sequence[tuple[Sequence[Recording], Sequence[Recording]]],
    storage: str | Path,
    identity: Sequence[str] = (),
    kind: Kind = RUN.kind,
) -> optuna.Study:
    """Try `line["trials"]` settings, each scored by its mean AUC over `splits`; return the study.

    (Or what else scores a target of `kind`, whose name is said.)
    Settings come from a tree-structured Parzen estimator (Bergstra et al. 2011, NeurIPS 24); the
    first trial is the decoder as the config has it, where the search holds that. A trial whose
    mean AUC after some split is below the median of the others' is stopped. Trials are kept in
    `storage`: the same call goes on with those that are missing, to the same trials as if it had
    never been stopped, since each draws from `seed` and how many came before it. Trials of other
    settings, or of another `identity` (what else a score depends on: data, code), are not counted,
    nor are those beyond `line["trials"]` of a search for more.
    Raises UserError if no trial could be scored.
    """
    about = json.dumps([settings, line["search"], line["seed"], identity], sort_keys=True)
    study = _kept(storage, "tune " + hashlib.sha256(about.encode()).hexdigest())
    if not ended(study):
        space = line["search"].items()
        study.enqueue_trial({k: settings[k] for k, v in space if tuning.holds(v, settings[k])})

    def objective(trial: optuna.Trial) -> float:
        chosen = dict(settings) | {k: suggest(trial, k, v) for k, v in line["search"].items()}
        aucs = []
        for training, validation in splits:
            try:
                aucs.append(score(training, validation, chosen))
            except UserError as error:
                trial.set_user_attr("error", str(error))
                raise
            trial.report(float(np.mean(aucs)), len(aucs))
            if len(aucs) < len(splits) and trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(aucs))

    while len(done := ended(study)) < line["trials"]:
        # One sampler for all would begin anew after a kill and try the same again; and a trial
        # that was killed is for ever "running", which as "constant liar" it would take for bad.
        drawn = np.random.SeedSequence([line["seed"], len(done)]).generate_state(1)
        study.sampler = optuna.samplers.TPESampler(seed=int(drawn[0]), constant_liar=False)
        study.optimize(objective, n_trials=1, catch=(UserError,))
        said = f"trial {len(done) + 1}/{line['trials']}: {_said(ended(study)[-1], kind)}"
        say(said)
    found = optuna.create_study(direction="maximize")
    found.add_trials(done[: line["trials"]])  # an earlier search may have tried more
    if not any(trial.state == TrialState.COMPLETE for trial in found.trials):
        raise UserError(f"{storage}: none of {line['trials']} settings could be scored; see above")
    return found


def _kept(storage: str | Path, name: str) -> optuna.Study:
    """Return the study `name` of a journal, with the trials that it has there."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    backend = optuna.storages.journal.JournalFileBackend(str(storage))
    trials = optuna.storages.JournalStorage(backend)
    kept = optuna.get_all_study_names(trials)
    if kept and name not in kept:
        say(f"{storage}: its trials are of other settings, data or code, and are not counted")
    return optuna.create_study(
        study_name=name,
        storage=trials,
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
    )


def _said(trial: optuna.trial.FrozenTrial, kind: Kind) -> str:
    score = "-" if trial.value is None else f"{trial.value:.4f}"
    return f"{trial.params} {trial.state.name.lower()}, {kind.axis} {score}"


def suggest(trial: optuna.Trial, key: str, values: Sequence[Any]) -> Any:
    """Return a value of a setting: of a range, as whole numbers where its ends are, or a choice."""
    if not tuning.is_range(values):
        return trial.suggest_categorical(key, values)
    whole = all(isinstance(v, int) for v in values)
    ask = trial.suggest_int if whole else trial.suggest_float
    return ask(key, *values, log=tuning.is_log(values))


def ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that came to an end; one that was killed or interrupted did not."""
    trials = study.get_trials(deepcopy=False, states=ENDED)
    return [t for t in trials if t.state != TrialState.FAIL or "error" in t.user_attrs]


def table(study: optuna.Study, kind: Kind = RUN.kind) -> pd.DataFrame:
    """Return a row a trial: its number, state, score (of the splits it came to) and settings.

    The score is in the column that a kind of target has for it.
    """
    rows = []
    for number, trial in enumerate(ended(study)):
        score = list(trial.intermediate_values.values())[-1:] or [np.nan]
        about = {"trial": number, "state": trial.state.name.lower(), kind.metric: score[0]}
        rows.append(about | {"n_splits": len(trial.intermediate_values)} | trial.params)
    return pd.DataFrame(rows)


def write_best(study: optuna.Study, mice: Sequence[str], path: Path, kind: Kind = RUN.kind) -> None:
    """Write the best settings, their score, and the mice that chose them (JSON)."""
    best = study.best_trial
    found = {"settings": best.params, f"valid_{kind.metric}": best.value, "mice": list(mice)}
    path.write_text(json.dumps(found | {"trials": len(ended(study))}, indent=1) + "\n")


def splits_of(
    allocations: Sequence[Allocation], recordings: Sequence[Recording]
) -> list[tuple[list[Recording], list[Recording]]]:
    """Return training and validation recordings of each allocation.

    Raises UserError if a mouse has no recording.
    """
    splits = []
    for allocation in allocations:
        sets = [
            [r for r in recordings if r.mouse in m] for m in (allocation.train, allocation.valid)
        ]
        missing = {*allocation.train, *allocation.valid} - {r.mouse for r in sets[0] + sets[1]}
        if missing:
            raise UserError(
                f"--recordings: none of mouse {', '.join(sorted(missing))}, which {allocation.id} "
                "has; give its recordings too"
            )
        splits.append(tuple(sets))
    return splits


def scorer(kind: str, device: torch.device) -> Score:
    """Return how decoders of a kind are fitted and scored (kinds that are `tunable`)."""

    def score(training, validation, settings):
        predict, history = one_step.fit(kind, settings, training, validation, device)
        if history:
            best = min(history, key=lambda epoch: epoch.valid_loss)  # whose weights are kept
            return best.valid_auc
        return pooled(predict(validation), validation[0].target)

    return score


def pooled(predictions: Mapping[str, SessionPredictions], target: Target = RUN) -> float:
    """Return the score of all frames of sessions together."""
    parts = predictions.values()
    return SCORES[target.kind.metric](
        *(np.concatenate([getattr(p, k) for p in parts]) for k in ("label", "probability"))
    )
