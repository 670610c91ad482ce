"""Fit a classical decoder to windows of ROI signals and predict the test mice.

Example: mesodecode fit-roi --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --test m4_s1.h5
--model linear_svm --decoder roi_svm --out svm.joblib --predictions p.h5

It chooses nothing by the validation mice, which are read to use the same ROIs in all mice.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mesodecode.cli import options
from mesodecode.cli.decoders import _alone, _roi_inputs

HELP = "ROI signals → classical decoder and its test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _roi_inputs.add_arguments(parser)
    parser.add_argument("--out", type=Path, help="fitted model to write (.joblib)")
    _alone.add_argument(parser, "--alone", "fitted model (.joblib)")
    options.add_tuned(parser)
    options.add_settings(parser, "roi_classical")


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders.roi_classical import Fitted, fit_classical, predict_classical
    from mesodecode.decoders.validation import write_roles
    from mesodecode.recordings.recording import frames_of
    from mesodecode.recordings.roi_signals import roi_names

    of_allocation = ("valid", "test", "decoder", "out", "predictions")
    alone = _alone.check_outputs(args, "alone", of_allocation, ["validation"])
    settings = options.settings_of(args, "roi_classical")
    allocation, recordings, sets, dropped = _roi_inputs.read(args, settings)
    train_set, valid_set, test_set = sets
    target = recordings[0].target
    settings |= target.settings()
    model = fit_classical(train_set, settings)
    training = [one for one in recordings if one.mouse in allocation.train]
    kept = settings | {"dropped": dropped, "roi_names": roi_names(recordings)}
    kept |= frames_of(training, images=False)
    fitted = Fitted(model, kept, allocation.train, allocation.valid)
    fitted.save(args.alone if alone else args.out)
    if alone:
        return
    predictions = predict_classical(model, [*valid_set, *test_set], settings)
    protocol = _roi_inputs.protocol(args, settings)
    files = args.predictions, args.validation
    write_roles(predictions, args.decoder, allocation, *files, protocol, target)
