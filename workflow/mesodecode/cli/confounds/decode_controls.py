"""Decode running, or another target, from control signals, with the windows of decoders.

Example: mesodecode decode-controls --signals m1.h5 m2.h5 m3.h5 m4.h5 m5.h5 --train-mice 1 2 3
--valid-mice 4 --test-mice 5 --windows cnn_gru=6 roi_gru=15 --out controls.tsv

Writes a row a decoder and control: the columns of `mesodecode auc` (of another target its scores),
of which `decoder` is the control; `against`, the decoder whose window (frames on each side, and its
shift) the control has; `missing`, why a control could not be made.
"""

import argparse

from mesodecode.cli import options

HELP = "control signals → scores of decoders of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_files(parser, "--signals", "files of `mesodecode control-signals`")
    for role, words in (("train", "fit the controls"), ("valid", "choose nothing here")):
        add(f"--{role}-mice", nargs="+", required=True, help=f"mice that {words}")
    add("--test-mice", nargs="+", required=True, help="mice that controls are tested on")
    words = "decoders to hold controls against: frames on each side of the decoded one, shift"
    add("--windows", nargs="+", required=True, metavar="DECODER=N[,SHIFT]", help=words)
    options.add_out(parser, "TSV to write")
    options.add_settings(parser, "confounds")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import write_table
    from mesodecode.confounds import controls, signals
    from mesodecode.study.allocation import Allocation

    settings = options.settings_of(args, "confounds")
    allocation = Allocation(*map(tuple, (args.train_mice, args.valid_mice, args.test_mice)))
    windows = dict(_window(word) for word in args.windows)
    sessions = [one for path in args.signals for one in signals.read(path)]
    known = {one.mouse for one in sessions}
    given = args.train_mice + args.valid_mice + args.test_mice
    lacking = [mouse for mouse in given if mouse not in known]
    if lacking:
        raise UserError(f"--signals: nothing of mouse {lacking[0]}; give the file of every mouse")
    write_table(controls.decode(sessions, allocation, windows, settings), args.out)


def _window(word: str) -> tuple[str, tuple[int, int]]:
    from mesodecode.base.files import UserError

    name, _, numbers = word.partition("=")
    try:
        half_window, shift = map(int, numbers.split(",") if "," in numbers else (numbers, 0))
    except ValueError:
        half_window, shift = -1, 0
    if not name or half_window < 0:
        raise UserError(f"--windows {word}: needs DECODER=N or DECODER=N,SHIFT in whole frames")
    return name, (half_window, shift)
