"""Apply a trained decoder to mice that it has not seen, adapted to them or strictly not.

Example: mesodecode adapt --weights cnn.pt --train m2_s1.h5 --valid m5_s1.h5 --test m1_s1.h5
--decoder cnn_past --normalise past --out cnn_past.h5 --validation cnn_past_valid.h5

Decoders of images (networks, the linear baseline) and of ROI signals (recurrent, classical). The
validation mouse is treated as the test mouse is, for thresholds and calibration. The protocol that
tables carry (strict, first_unlabelled with its minutes, transductive, few_shot with its minutes or
sessions) follows from the settings.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from mesodecode.cli import options

HELP = "apply a decoder with other use of the test mouse (normalisation, statistics, labels)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = "model of train-cnn, finetune, train-rnn, train-roi (.pt), fit-linear (.npz), fit-roi"
    options.add_file(parser, "--weights", f"{words} (.joblib)")
    words = "weights of train-cnn that a decoder of train-rnn reads"
    options.add_file(parser, "--cnn", words, required=False)
    options.add_roles(parser, train="", valid="", test="")
    parser.add_argument("--decoder", required=True, help="name of the decoder in tables")
    options.add_out(parser, "predictions of the test mice to write (HDF5)")
    options.add_out(parser, "those of the validation mice (HDF5)", "--validation")
    words = (
        "weights of the decoder fine-tuned on the test mouse to write too, for `mesodecode live`"
    )
    options.add_out(parser, f"{words} (default: none)", "--adapted-weights", required=False)
    options.add_settings(parser, "adapted")
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.decoders.adapt import adapted
    from mesodecode.decoders.applied import load
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.validation import check_alike, write_roles
    from mesodecode.decoders.weights import load_trained
    from mesodecode.recordings.recording import mice_of, read_recordings, with_labels_of
    from mesodecode.study import adaptation, protocols
    from mesodecode.study.kinds import IMAGE_NETWORKS, KINDS, SIGNAL_NETWORKS

    settings = options.settings_of(args, "adapted")
    device = resolve_device(args.device, args.threads)
    trained = load(args.weights, args.cnn, device)
    adaptation.check(settings, trained.kind, trained.settings, str(args.weights), "--")
    images = KINDS[trained.kind].of_images
    roles = args.train, args.valid, args.test
    known, valid, test = (
        with_labels_of(read_recordings(paths, same_size=images), None) for paths in roles
    )
    check_alike(trained, [*known, *valid, *test], args.weights)
    allocation = trained.allocate(mice_of(test))  # before any work: refuses a mouse it saw
    for what, mice, given in (
        ("--train", trained.train_mice, known),
        ("--valid", trained.valid_mice, valid),
    ):
        if {*mice} != {*mice_of(given)}:
            raise UserError(f"{what}: give recordings of mouse {', '.join(mice)}, and no others")
    if args.adapted_weights:
        _check_kept(args, settings, allocation.test)
    sessions, both = {}, [*valid, *test]
    for mouse in mice_of(both):
        mine = [recording for recording in both if recording.mouse == mouse]
        made = adapted.adapted(trained.decoder, mine, known, settings, trained.target)
        sessions |= adapted.predictions_of(made, mine, trained.target)
        if args.adapted_weights and mouse in allocation.test:
            state = made.decoder.network.cpu().state_dict()
            load_trained(args.weights, *IMAGE_NETWORKS, *SIGNAL_NETWORKS).with_state(state).save(
                args.adapted_weights
            )
    protocol = protocols.of(settings, any(one.corrected for one in test), trained.settings)
    files = args.out, args.validation
    write_roles(sessions, args.decoder, allocation, *files, protocol, trained.target)


def _check_kept(args: argparse.Namespace, settings: dict[str, Any], mice: Sequence[str]) -> None:
    """Raise UserError unless weights say all of how a decoder was adapted, to one mouse."""
    from mesodecode.base.files import UserError

    more = [key for key in ("register", "coral", "first_unlabelled") if settings[key]]
    if settings["normalise"] == "past":
        more.append("normalise")
    if more or args.cnn or args.weights.suffix != ".pt" or len(mice) > 1:
        why = f"{', '.join(more)} are not in weights" if more else "one network (.pt) of one mouse"
        raise UserError(f"--adapted-weights: {why}; leave it out, or fine-tune only (few_shot)")
