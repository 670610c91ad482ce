"""Train a recurrent decoder on ROI signals and predict the test mice.

Example: mesodecode train-roi --train m1_s1.h5 m2_s1.h5 --valid m3_s1.h5 --test m4_s1.h5 --rnn gru
--decoder roi_gru --out gru.pt --history gru.tsv --predictions p.h5

With --all-epochs it reads training mice alone, as `train-cnn`.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _alone, _roi_inputs, _training

HELP = "ROI signals → recurrent decoder and its test predictions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _roi_inputs.add_arguments(parser)
    _training.add_arguments(parser)
    options.add_tuned(parser)
    options.add_settings(parser, "roi_rnn")


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders import roi_rnn
    from mesodecode.decoders.device import resolve_device
    from mesodecode.decoders.objectives import trained_on
    from mesodecode.decoders.validation import write_roles
    from mesodecode.decoders.weights import Trained
    from mesodecode.recordings.recording import frames_of
    from mesodecode.recordings.roi_signals import roi_names

    alone = _alone.check_outputs(
        args,
        "all_epochs",
        ("valid", "test", "decoder", "out", "history", "predictions"),
        ["validation"],
    )
    settings = options.settings_of(args, "roi_rnn")
    device = resolve_device(args.device, args.threads)
    allocation, recordings, sets, dropped = _roi_inputs.read(args, settings)
    training = [one for one in recordings if one.mouse in allocation.train]
    target = trained_on(training)
    settings |= {"dropped": dropped, "roi_names": roi_names(recordings)} | target.settings()
    settings |= frames_of(training, images=False)
    trained = Trained("roi_rnn", settings, allocation.train, allocation.valid, state={})
    inputs = [*_training.fingerprint(recordings), *args.labels_of]
    checkpoint = _training.checkpoint_of(
        args, lambda: _training.identity_of(settings, inputs, "train_roi")
    )
    fitted = roi_rnn.fit_roi_rnn(*sets[:2], settings, device, checkpoint)
    if alone:
        _training.finish_alone(args, trained, fitted)
        return
    _training.finish(args, trained, fitted)
    model = trained.with_state(fitted.state).build(device)
    predictions = roi_rnn.predict_roi_rnn(model, [*sets[1], *sets[2]], settings, device)
    protocol = _roi_inputs.protocol(args, settings)
    files = args.predictions, args.validation
    write_roles(predictions, args.decoder, allocation, *files, protocol, target)
