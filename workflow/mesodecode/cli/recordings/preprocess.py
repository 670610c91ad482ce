"""Check the files of one session and write them as one HDF5 recording.

Example: mesodecode preprocess --movie s1.tif --behavior s1_behavior.mat --session s1 --mouse 1
--frame-rate 30 --out s1.h5
"""

import argparse

from mesodecode.cli import options

HELP = "source files of a session → one HDF5 recording"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_settings(parser, "recordings")
    add("--session", required=True, help="id of the session, in paths and tables")
    add("--session-name", help="what paths of masks call it ({session}; default: its id)")
    add("--mouse", required=True, help="name of the mouse")
    add("--image-size", type=int, help="px; resize frames to a square (default: keep their size)")
    words = "what is decoded: run, states, speed or another trace of --behavior (default: run)"
    add("--target", default="run", metavar="NAME", help=words)
    options.add_out(parser, "HDF5 file to write")
    options.add_out(parser, "HDF5 file to write for `mesodecode qc`", "--measures", required=False)
    options.add_record(parser)
    options.add_settings(parser, "corrections")


def run(args: argparse.Namespace) -> None:
    from mesodecode.recordings.preprocess import preprocess
    from mesodecode.study import schema

    for kind in ("session", "mouse"):
        schema.check_name(getattr(args, kind), kind)
    schema.check_name(args.session_name or args.session, "session")
    preprocess(
        args.out,
        session=args.session,
        session_name=args.session_name,
        mouse=args.mouse,
        image_size=args.image_size,
        target=args.target,
        corrections=options.settings_of(args, "corrections"),
        measures=args.measures,
        record=args.record,
        revision=args.revision,
        **options.settings_of(args, "recordings"),
    )
