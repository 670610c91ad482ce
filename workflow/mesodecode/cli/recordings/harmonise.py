"""Bring a recording to another frame rate, and to ROIs by name, for decoding across cohorts.

Example: mesodecode harmonise --recording recorded/s1.h5 --frame-rate 15 --areas MOs-L MOs-R
--out recordings/s1.h5
"""

import argparse

from mesodecode.cli import options

HELP = "a recording → the same at another frame rate, with areas by name"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_file(parser, "--recording", "recording of `mesodecode preprocess`")
    add("--frame-rate", type=float, help="frames/s, at most its own (default: its own)")
    add("--areas", nargs="+", metavar="NAME", help="ROIs to keep, in this order (default: all)")
    options.add_file(parser, "--areas-from", "the same, a name a line", required=False)
    add(
        "--names",
        metavar="JSON",
        default="{}",
        help='what ROIs of it are called by --areas, such as {"3 left": "VISp-L"}; ROIs without '
        "names are called by their numbers",
    )
    options.add_out(parser, "HDF5 file to write")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.recordings.harmonise import harmonise

    if args.frame_rate is not None and not args.frame_rate > 0:
        raise UserError(f"--frame-rate: {args.frame_rate:g} frames/s; needs a number above 0")
    areas = args.areas
    if args.areas_from is not None:
        areas = args.areas_from.read_text().splitlines()
    names = options.json_table(args.names, "--names")
    harmonise(args.recording, args.out, frame_rate=args.frame_rate, areas=areas, names=names)
