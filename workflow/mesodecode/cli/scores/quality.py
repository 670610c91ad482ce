"""Score a decoder beyond its AUC: accuracy, calibration, ROC, errors around transitions.

Example: mesodecode quality --decoder cnn --predictions results/demo/predictions
--validation results/demo/validation --allocations results/demo/allocations.tsv
--recordings results/demo/recordings --out cnn.tsv --curves cnn_curves.tsv --figure quality_cnn

Writes --out (a row an allocation: AUC, average precision, accuracy and balanced accuracy at 0.5 and
at the threshold of highest Youden's J in the validation mouse, Brier score, expected calibration
error in 10 bins of equal width, share of wrong frames within 1 s of a run/rest transition and
beyond), --curves (ROC, precision-recall, calibration, errors by seconds from run onset and offset)
and a page of figures as PREFIX.svg and PREFIX.png.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mesodecode.cli import options

if TYPE_CHECKING:
    from mesodecode.decoders.predictions import Predictions

HELP = "predictions of a decoder → thresholds, calibration, errors by time (tables, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--decoder", required=True, metavar="NAME", help="decoder to score")
    options.add_predictions(parser)
    words = "the same of validation mice (without it: no threshold but 0.5)"
    options.add_folder(parser, "--validation", words, required=False)
    options.add_folder(parser, "--recordings", "FOLDER/{session}.h5: segments and speed")
    options.add_out(parser, "table, a row an allocation")
    options.add_out(parser, "table of the curves", "--curves")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.tables import read_table, write_table
    from mesodecode.decoders import predictions
    from mesodecode.recordings.recording import read_recording
    from mesodecode.scores import auc, quality, quality_figure

    allocations = read_table(args.allocations, ["allocation"])["allocation"]
    paths = [args.predictions / args.decoder / f"{name}.h5" for name in allocations]
    items = [predictions.read(path) for path in paths]
    thresholds = [_threshold(args, item) for item in items]
    names = {name for item in items for name in item.sessions}
    recordings = {name: read_recording(args.recordings / f"{name}.h5") for name in names}
    for path, item in zip(paths, items, strict=True):
        predictions.check_recorded(item.sessions, recordings, path)

    table, curves = quality.assess(items, thresholds, recordings)
    sessions = auc.session_table(items)
    trace = quality_figure.example(items, thresholds, recordings)
    page = quality_figure.page(table, curves, sessions, trace)
    caption = quality_figure.caption(table, sessions, trace)
    plots.save(page, args.figure, title=f"Quality of {args.decoder}", caption=caption)
    write_table(curves, args.curves)
    write_table(table, args.out)


def _threshold(args: argparse.Namespace, item: Predictions) -> float:
    """Return the threshold of an allocation's validation mouse, NaN without its predictions."""
    from mesodecode.decoders import validation
    from mesodecode.scores import quality

    if args.validation is None:
        return float("nan")
    path = args.validation / args.decoder / f"{item.allocation}.h5"
    sessions = validation.read(path, item.allocation, item.valid_mouse)
    return quality.youden_threshold(*quality.pooled(sessions.values()))
