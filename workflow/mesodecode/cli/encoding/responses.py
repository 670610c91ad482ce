"""Turn traces into one response a presentation and neuron.

FILE is an NWB file of the Allen Brain Observatory (Visual Coding, natural scenes), or an HDF5 file
or a folder of NPY files with
  images (I, rows, columns)       image (P,), numbers from 0, -1 for grey
  start, end (P,) in s            dff and/or events (neurons, samples), time (samples,) in s
  speed, pupil (and speed_time, pupil_time in s), neurons (ids): optional.

Example: mesodecode responses --file data/s1.h5 --session s1 --samples 7 --out s1.h5
"""

import argparse
from pathlib import Path

from mesodecode.base.files import say
from mesodecode.cli import options

HELP = "traces and presentations → one response a presentation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--file", type=Path, required=True, help="NWB or HDF5 file, or folder of NPY files")
    words = ".npz (ev) or .npy file of events, neurons x samples"
    options.add_file(parser, "--events", words, required=False)
    add("--session", required=True, metavar="NAME", help="name of the session")
    options.add_out(parser, "responses to write (HDF5)")
    options.add_record(parser)
    options.add_settings(parser, "encoding_responses")


def run(args: argparse.Namespace) -> None:
    from mesodecode.encoding import readers, responses
    from mesodecode.running.fingerprints import Watched

    settings = options.settings_of(args, "encoding_responses")
    watched = Watched({"file": args.file, "events": args.events})
    source = readers.read_session(
        args.file, settings["signal"], settings["covariates"], args.events
    )
    made = responses.make_responses(source, args.session, **settings)
    watched.fingerprints()
    responses.write_responses(made, args.out)
    if args.record is not None:
        watched.write(args.record, args.revision)
    say(
        f"{args.session}: {made.response.shape[1]} neurons, {len(made.image)} presentations of "
        f"{len(set(made.image.tolist()))} images"
    )
