"""Take the best epoch of a decoder of `mesodecode stack-roi` for an allocation, and predict.

Example: mesodecode choose-roi --stack stack.pt --train-mice m1 m2 m3 --valid m4.txt --test m5.txt
--decoder roi_gru --rnn gru --out gru.pt --history gru.tsv --predictions p.h5
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors, _roi_training, _training

HELP = "decoders of stack-roi → that of one allocation, and its test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_file(parser, "--stack", "what stack-roi wrote (.pt)")
    add("--train-mice", nargs="+", required=True, metavar="MOUSE", help="the set of training mice")
    options.add_roles(parser, valid="", test="")
    add("--decoder", required=True, help="name of the decoder, in the stack and in tables")
    options.add_out(parser, "predictions to write (HDF5)", "--predictions")
    options.add_validation(parser)
    _label_donors.add_argument(parser)
    _training.add_results(parser)
    options.add_compute(parser)
    options.add_settings(parser, "roi_rnn")


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders import roi_networks, roi_stack
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.validation import write_roles
    from mesodecode.decoders.weights import Trained
    from mesodecode.recordings.recording import mice_of
    from mesodecode.recordings.roi_signals import roi_names, session_signals
    from mesodecode.study.allocation import Allocation

    settings = options.settings_of(args, "roi_rnn")
    device = resolve_device(args.device, args.threads)
    valid, test = _label_donors.read_roles(args.labels_of, args.valid, args.test, same_size=False)
    allocation = Allocation(tuple(args.train_mice), mice_of(valid), mice_of(test))
    signals, _ = session_signals([*valid, *test], settings)
    name = roi_stack.name_of(args.decoder, args.train_mice)
    kept, frames = roi_stack.read(args.stack, name, settings, [*valid, *test])
    known = settings | {"dropped": [], "roi_names": roi_names([*valid, *test])} | frames
    trained = Trained("roi_rnn", known, allocation.train, allocation.valid, kept.state(-1))
    choice = {key: settings[key] for key in ("frame_step", "label_smoothing", "early_stopping")}
    source = roi_networks.windows(signals[: len(valid)], settings, device)
    fitted = roi_stack.best_epoch(kept, trained.build(device), source, **choice)
    model = trained.with_state(fitted.state).build(device)
    predictions = roi_networks.predict(model, signals, settings, device)
    files = args.predictions, args.validation
    write_roles(
        predictions, args.decoder, allocation, *files, _roi_training.protocol(args, settings)
    )
    _training.finish(args, trained, fitted)
