"""Train a recurrent decoder on ROI signals and predict the test mice.

Example: mesodecode train-roi --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --test m4_s1.h5 --rnn gru
--decoder roi_gru --out gru.pt --history gru.tsv --predictions p.h5
"""

from __future__ import annotations

import argparse

from mesodecode.cli import options, roi_inputs, training

HELP = "ROI signals → recurrent decoder and its test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    roi_inputs.add_arguments(parser)
    training.add_arguments(parser)
    options.add_tuned(parser)
    options.add_settings(parser, "roi_rnn")


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    from mesodecode import roi_rnn, train
    from mesodecode.models import Trained
    from mesodecode.predictions import bind

    settings = options.settings_of(args, "roi_rnn")
    device = train.resolve_device(args.device, args.threads)
    allocation, recordings, sets, dropped = roi_inputs.read(args, settings)
    settings["dropped"] = dropped
    trained = Trained("roi_rnn", settings, allocation.train, allocation.valid, state={})
    inputs = [*training.fingerprint(recordings), *args.labels_of]
    checkpoint = training.checkpoint_of(args, settings, inputs, "train_roi")
    fitted = roi_rnn.fit_roi_rnn(*sets[:2], settings, device, checkpoint)
    model = trained.with_state(fitted.state).build(device)
    predictions = roi_rnn.predict_roi_rnn(model, sets[2], settings, device)
    protocol = roi_inputs.protocol(args, settings)
    bind(args.decoder, allocation, predictions, protocol).write(args.predictions)
    training.finish(args, trained, fitted)
