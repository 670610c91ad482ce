"""Choose one of several decoders for each test mouse, by its recording but never by its labels.

Example: mesodecode choose-variant --decoders linear linear_dff
--predictions results/lab/predictions --validation results/lab/validation
--allocations results/lab/allocations.tsv --recordings results/lab/recordings/*.h5
--out adaptive.tsv

What is known is of the mice that validate in the allocations with the same test mouse, whose models
have seen neither. Columns, a row a test mouse and decoder: validation_auc, their mean AUC; n_mice;
gain, the logit AUC to expect more of it than of the best mean; worth, the AUC that choosing so wins
in these mice, each left out; chosen (True, False).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesodecode.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesodecode.decoders.predictions import SessionPredictions
    from mesodecode.recordings.recording import Recording

HELP = "predictions of several decoders → which of them each test mouse gets (table)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    add, folder = parser.add_argument, {"type": Path, "required": True, "metavar": "FOLDER"}
    add("--decoders", nargs="+", required=True, help="two or more to choose among")
    add("--predictions", help="FOLDER/{decoder}/{allocation}.h5", **folder)
    add("--validation", help="FOLDER/{decoder}/{allocation}.h5, of validation mice", **folder)
    add("--allocations", required=True, metavar="FILE", help="table of the allocations")
    add("--recordings", type=Path, nargs="+", required=True, help="recordings, or lists (.txt)")
    options.add_out(parser, "TSV to write, a row a test mouse and decoder")
    options.add_settings(parser, "adaptive")


def run(args: argparse.Namespace) -> None:
    """Write the table."""
    import pandas as pd

    from mesodecode.base.tables import read_table, write_table
    from mesodecode.recordings.recording import read_recordings
    from mesodecode.shift import variant_choice

    settings = options.settings_of(args, "adaptive")
    names = read_table(args.allocations, ["allocation"])["allocation"]
    recordings = {one.session: one for one in read_recordings(args.recordings, same_size=False)}
    rows = pd.DataFrame(
        [row for name in names for row in _rows(args, name, settings["by"], recordings)]
    )
    margin = settings["margin"] if settings["by"] == "recording" else None
    tables = []
    for mouse, mine in rows.groupby("test_mouse", sort=False):
        own = mine["mouse"] == mouse
        made = variant_choice.choose(mine[~own], mine[own], margin)
        made.insert(0, "test_mouse", mouse)
        tables.append(made)
    write_table(pd.concat(tables), args.out)


def _rows(
    args: argparse.Namespace, allocation: str, by: str, recordings: Mapping[str, Recording]
) -> list[dict[str, Any]]:
    """Return a row a decoder and mouse that validates or tests in an allocation."""
    from mesodecode.decoders import predictions, validation
    from mesodecode.shift import measures
    from mesodecode.study.allocation import split_ids

    found, read = [], {}
    for name in args.decoders:
        item = predictions.read(args.predictions / name / f"{allocation}.h5")
        path = args.validation / name / f"{allocation}.h5"
        read[name] = item, validation.read(path, item.allocation, item.valid_mouse)
    # some may have labels of a session, which they are then not scored in
    shared = set.intersection(*(set(checked) for _, checked in read.values()))
    for name, (item, checked) in read.items():
        known = {*split_ids(item.train_mice), *split_ids(item.valid_mouse)}
        bout = measures.median_bout([one for one in recordings.values() if one.mouse in known])
        about = {"test_mouse": item.test_mouse, "decoder": name}
        scored = {session: one for session, one in checked.items() if session in shared}
        for sessions, labelled in ((scored, True), (item.sessions, False)):
            found += [about | row for row in _of_mice(sessions, labelled, by, recordings, bout)]
    return found


def _of_mice(
    sessions: Mapping[str, SessionPredictions],
    labelled: bool,
    by: str,
    recordings: Mapping[str, Recording],
    bout: float,
) -> list[dict[str, Any]]:
    """Return a row a session: evidence, and the AUC if it is labelled."""
    from mesodecode.base.roc_auc import roc_auc
    from mesodecode.shift import measures

    nothing = {"two_states": float("nan"), "slow": float("nan")}
    rows = []
    for name, one in sessions.items():
        row = {"mouse": one.mouse, "auc": float("nan")} | nothing
        if by == "recording":
            row |= measures.of_probabilities(one, recordings[name], bout)
        if labelled:
            row["auc"] = roc_auc(one.label, one.probability)
        rows.append(row)
    return rows
