"""Take the control signals from the recordings of a mouse: what they show that is no activity.

Example: mesodecode control-signals --recordings m1_s1.h5 m1_s2.h5 --brain-mask m1.png --out m1.h5

Writes for each session the mean brightness, the pixels outside the brain, the vessels relative to
the tissue beside them, the movement of the brain and the reference channel; what a recording cannot
give is named there, with why. `mesodecode decode-controls` decodes from them.
"""

import argparse

from mesodecode.base.files import say
from mesodecode.cli import options

HELP = "recordings of a mouse → signals that are none of neurons"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_recordings(parser, "recordings of a mouse")
    for flag, words in (
        ("--brain-mask", "above 0 on the brain, or the truth (.h5) of a simulated session"),
        ("--vessel-mask", "above 0 on vessels (default: found in the mean image)"),
    ):
        words = f"image (.tif, .npy, .png) {words}; one for all recordings, or one each"
        options.add_files(parser, flag, words, required=False)
    options.add_out(parser, "HDF5 file to write, one group a session")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.confounds import signals
    from mesodecode.recordings.recording import read_recordings, with_labels_of

    recordings = with_labels_of(read_recordings(args.recordings), None)
    masks = {}
    for kind, paths in (("brain", args.brain_mask), ("vessels", args.vessel_mask)):
        if len(paths) not in (0, 1, len(recordings)):
            flag = {"brain": "--brain-mask", "vessels": "--vessel-mask"}[kind]
            raise UserError(
                f"{flag}: {len(paths)} files for {len(recordings)} recordings; give one for all, "
                "or one each"
            )
        each = paths * len(recordings) if len(paths) == 1 else paths
        masks[kind] = [
            signals.read_mask(path, one) for path, one in zip(each, recordings, strict=bool(each))
        ] or [None] * len(recordings)
    made = [
        signals.control_signals(one, brain=brain, vessels=vessels)
        for one, brain, vessels in zip(recordings, *masks.values(), strict=True)
    ]
    for one in made:
        for name, why in one.missing.items():
            say(f"{one.session}: no control '{name}': {why}")
    signals.write(args.out, made)
