"""Find the areas that all recordings have, by the names of their ROIs.

Example: mesodecode common-areas --recordings recorded/*.h5 --out areas.txt
"""

import argparse

from mesodecode.cli import options

HELP = "recordings → the areas that all of them have"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_recordings(parser, "recordings of `mesodecode preprocess`")
    parser.add_argument(
        "--names",
        metavar="JSON",
        default="{}",
        help="session -> area of it -> what all call it, such as "
        '{"s1": {"3 left": "VISp-L"}}; ROIs without names are called by their numbers',
    )
    options.add_out(parser, "text file to write, a name a line")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import write_text
    from mesodecode.recordings.harmonise import common_areas

    found = common_areas(args.recordings, options.json_table(args.names, "--names"))
    write_text(args.out, "".join(f"{area}\n" for area in found))
