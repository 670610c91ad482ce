"""Choose one of several decoders for each test mouse, by its recording but never by its labels.

Example: mesodecode choose-variant --decoders linear linear_dff
--predictions results/lab/predictions --validation results/lab/validation
--allocations results/lab/allocations.tsv --recordings results/lab/recordings/*.h5
--out adaptive.tsv

What is known is of the mice that validate in the allocations with the same test mouse, whose models
have seen neither. Columns, a row a test mouse and decoder: validation_auc, their mean AUC; n_mice;
gain, the logit AUC to expect more of it than of the best mean; worth, the AUC that choosing so wins
in these mice, each left out; chosen (True, False). Of another target its score stands for the AUC
(validation_r2, with gain in natural logs of the squared error; validation_macro_auc).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesodecode.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mesodecode.decoders.predictions import SessionPredictions
    from mesodecode.recordings.recording import Recording
    from mesodecode.shift.measures import Usual
    from mesodecode.study.targets import Target

HELP = "predictions of several decoders → which of them each test mouse gets (table)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add, folder = parser.add_argument, {"type": Path, "required": True, "metavar": "FOLDER"}
    add("--decoders", nargs="+", required=True, help="two or more to choose among")
    add("--predictions", help="FOLDER/{decoder}/{allocation}.h5", **folder)
    add("--validation", help="FOLDER/{decoder}/{allocation}.h5, of validation mice", **folder)
    options.add_file(parser, "--allocations", "table of the allocations")
    options.add_files(parser, "--recordings", "recordings, or lists (.txt)")
    options.add_out(parser, "TSV to write, a row a test mouse and decoder")
    options.add_settings(parser, "adaptive")


def run(args: argparse.Namespace) -> None:
    import pandas as pd

    from mesodecode.base.tables import read_table, write_table
    from mesodecode.recordings.recording import read_recordings
    from mesodecode.shift import variant_choice

    settings = options.settings_of(args, "adaptive")
    names = read_table(args.allocations, ["allocation"])["allocation"]
    recordings = {one.session: one for one in read_recordings(args.recordings, same_size=False)}
    each = [_rows(args, name, settings["by"], recordings) for name in names]
    rows = pd.DataFrame([row for found, _ in each for row in found])
    kind = _only([target for _, target in each], args.predictions).kind
    margin = settings["margin"] if settings["by"] == "recording" else None
    tables = []
    for mouse, mine in rows.groupby("test_mouse", sort=False):
        own = mine["mouse"] == mouse
        made = variant_choice.choose(mine[~own], mine[own], margin, kind)
        made.insert(0, "test_mouse", mouse)
        tables.append(made)
    write_table(pd.concat(tables), args.out)


def _rows(
    args: argparse.Namespace, allocation: str, by: str, recordings: Mapping[str, Recording]
) -> tuple[list[dict[str, Any]], Target]:
    """Return a row a decoder and mouse that validates or tests in an allocation, and the target."""
    from mesodecode.base.files import UserError
    from mesodecode.decoders import predictions, validation
    from mesodecode.shift import measures
    from mesodecode.study.allocation import split_ids

    found, read = [], {}
    for name in args.decoders:
        own = args.predictions / name / f"{allocation}.h5"
        item = predictions.read(own, of_any=True)
        if len(split_ids(item.test_mouse)) > 1:
            raise UserError(f"{own}: tests {item.test_mouse}; a choice is of one test mouse")
        path = args.validation / name / f"{allocation}.h5"
        read[name] = item, validation.read(path, item.allocation, item.valid_mouse)
    target = _only([item.target for item, _ in read.values()], args.predictions)
    # some may have labels of a session, which they are then not scored in
    shared = set.intersection(*(set(checked) for _, checked in read.values()))
    for name, (item, checked) in read.items():
        known = {*split_ids(item.train_mice), *split_ids(item.valid_mouse)}
        usual = None
        if by == "recording":
            mine = [one for one in recordings.values() if one.mouse in known]
            usual = measures.usual(mine, target)
        about = {"test_mouse": item.test_mouse, "decoder": name}
        scored = {session: one for session, one in checked.items() if session in shared}
        for folder, sessions, labelled in (
            (args.validation, scored, True),
            (args.predictions, item.sessions, False),
        ):
            if usual is not None:
                path = folder / name / f"{allocation}.h5"
                predictions.check_recorded(sessions, recordings, path)
            made = _of_mice(sessions, labelled, target, recordings, usual)
            found += [about | row for row in made]
    return found, target


def _only(targets: Sequence[Target], folder: Path) -> Target:
    """Return the one target of predictions. Raises UserError if they are of several."""
    from mesodecode.base.files import UserError

    first, *others = targets
    other = next((one for one in others if one != first), None)
    if other is not None:
        raise UserError(
            f"{folder}: predictions of {first.told} and of {other.told}; choose among "
            "decoders of one target"
        )
    return first


def _of_mice(
    sessions: Mapping[str, SessionPredictions],
    labelled: bool,
    target: Target,
    recordings: Mapping[str, Recording],
    usual: Usual | None,
) -> list[dict[str, Any]]:
    """Return a row a session: evidence, as far as something is `usual`, and if labelled its score.

    The score stands under the name auc, whatever the target.
    """
    from mesodecode.base.metrics import SCORES
    from mesodecode.shift import measures
    from mesodecode.shift.predicted_auc import PRIORS

    nothing = dict.fromkeys(PRIORS[target.kind.name], float("nan"))
    rows = []
    for name, one in sessions.items():
        row = {"mouse": one.mouse, "auc": float("nan")} | nothing
        if usual is not None:
            row |= measures.of_output(one, recordings[name], usual, target)
        if labelled:
            row["auc"] = SCORES[target.kind.metric](one.label, one.probability)
        rows.append(row)
    return rows
