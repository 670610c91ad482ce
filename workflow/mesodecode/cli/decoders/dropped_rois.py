"""List the ROIs that some recording of a study lacks, which a decoder with `drop` does without.

Example: mesodecode dropped-rois --recordings recordings/*.h5 --out dropped.json

An ROI is lacking where it is constant, missing in a frame or, for ΔF/F, not above zero throughout.
"""

import argparse

from mesodecode.cli import options

HELP = "recordings → ROIs that some of them lack"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_recordings(parser, "recordings of all mice, or lists (.txt) of them")
    parser.add_argument("--rois", type=int, nargs="*", default=[], help="of these (default: all)")
    parser.add_argument("--normalise", default="minmax", help="of the decoder (default: minmax)")
    options.add_out(parser, "numbers of the ROIs, from 1 (JSON)")


def run(args: argparse.Namespace) -> None:
    import json

    from mesodecode.base.files import write_text
    from mesodecode.recordings.recording import read_recordings
    from mesodecode.recordings.roi_signals import dropped_rois

    recordings = read_recordings(args.recordings, same_size=False)
    found = dropped_rois(recordings, {"rois": args.rois, "normalise": args.normalise, "drop": True})
    write_text(args.out, json.dumps(found) + "\n")
