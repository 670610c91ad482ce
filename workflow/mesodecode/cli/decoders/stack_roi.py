"""Train recurrent ROI decoders of one shape side by side, each on its own set of mice.

For a GPU, which one small network leaves idle. Each set is trained for all epochs, and reads no
other mouse; `mesodecode choose-roi` then takes the best epoch of an allocation.

Example: mesodecode stack-roi --recordings m1.txt m2.txt m3.txt m4.txt --sets m1+m2+m3 m1+m2+m4
--decoders roi_gru roi_gru_s2=2 --rnn gru --out stack.pt
"""

import argparse

from mesodecode.base.files import UserError
from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors, _training

HELP = "ROI signals → recurrent decoders of many sets of training mice at once"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_recordings(parser, "recordings of the training mice, or lists (.txt) of them")
    add("--sets", nargs="+", required=True, metavar="MOUSE+MOUSE", help="sets of training mice")
    words = "trained on each of the sets; SEED takes the place of --seed"
    add("--decoders", nargs="+", required=True, metavar="NAME[=SEED]", help=words)
    _label_donors.add_argument(parser, "DECODER:")
    options.add_out(parser, "weights of all epochs to write (.pt)")
    _training.add_checkpoint(parser)
    options.add_compute(parser)
    options.add_settings(parser, "roi_rnn")


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders import roi_stack
    from mesodecode.decoders.device import resolve_device
    from mesodecode.recordings.recording import frames_of, read_recordings, target_of
    from mesodecode.recordings.roi_signals import roi_names, session_signals
    from mesodecode.study.allocation import split_ids
    from mesodecode.study.targets import RUN

    settings = options.settings_of(args, "roi_rnn")
    decoders = dict(_with_seed(word, settings["seed"]) for word in args.decoders)
    for word in args.labels_of:
        if word.partition(":")[0] not in decoders:
            raise UserError(f"--labels-of {word}: needs NAME:SESSION=OTHER, a name of --decoders")
    if settings["drop"] or settings["precision"] != "float32":
        raise UserError("stack-roi: decoders with drop or precision: mixed train alone (train-roi)")
    device = resolve_device(args.device, args.threads)
    recordings = read_recordings(args.recordings, same_size=False)
    if (target := target_of(recordings)) != RUN:
        raise UserError(f"stack-roi: of run and rest only, not of {target.name}; take train-roi")
    signals, _ = session_signals(recordings, settings)
    members = {}
    for name, seed in decoders.items():
        words = [w.partition(":")[2] for w in args.labels_of if w.startswith(f"{name}:")]
        labels = [one.labels for one in _label_donors.exchange(recordings, words)]
        for mice in args.sets:
            of_set = split_ids(mice)
            called = roi_stack.name_of(name, of_set)
            members[called] = seed, of_set, labels
    inputs = [*_training.fingerprint(recordings), *args.sets, *args.decoders, *args.labels_of]
    checkpoint = _training.checkpoint_of(
        args, lambda: _training.identity_of(settings, inputs, "stack_roi")
    )
    kept = roi_stack.fit(signals, members, settings, device, checkpoint)
    frames = frames_of(recordings, images=False)
    roi_stack.write(args.out, settings | frames, roi_names(recordings), kept)


def _with_seed(word: str, seed: int) -> tuple[str, int]:
    """Return the name and the seed of a word NAME or NAME=SEED."""
    name, equals, own = word.partition("=")
    if equals and not own.isdecimal():
        raise UserError(f"--decoders {word}: write NAME=SEED, a whole number from 0")
    return name, int(own) if equals else seed
