"""Simulate a session of images shown to V1 neurons whose filters and noise are known.

Writes OUT/{session}.h5, which `mesodecode responses` reads, and OUT/{session}_truth.h5 with the
filters, the responsive neurons and each neuron's expected response to each image.

Example: mesodecode simulate-encoding --session s1 --out data
"""

import argparse

from mesodecode.base.files import say
from mesodecode.cli import options

HELP = "make a simulated session of neurons that see images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_out(parser, "folder to write to", written=options.FOLDER)
    parser.add_argument("--session", required=True, metavar="NAME", help="name of the files")
    words = "which session of the same neurons and images this is, from 0 (default: 0)"
    parser.add_argument("--number", type=int, default=0, metavar="N", help=words)
    options.add_settings(parser, "encoding_simulate")


def run(args: argparse.Namespace) -> None:
    from mesodecode.encoding import simulate

    settings = options.settings_of(args, "encoding_simulate")
    made = simulate.simulate_population(**settings, number=args.number)
    simulate.write_population(made, args.out / f"{args.session}.h5")
    n, shown = len(made.responsive), len(made.image)
    say(
        f"{args.session}: {n} neurons, {made.responsive.sum()} responsive, {shown} presentations "
        f"of {len(made.images)} images, in {args.out}"
    )
