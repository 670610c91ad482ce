"""Describe the images of sessions: place, turn, size, light, sharpness, noise and spectra.

Example: mesodecode image-shift --recordings results/demo/recordings/*.h5 --out image_shift.tsv

A row a recording, against the first: x and y in % of the image, rotation in degrees clockwise,
extent in % of the side, light as log2, noise as a share. `mesodecode shift-report` compares them.
"""

import argparse

from mesodecode.cli import options

HELP = "recordings → where the brain lies and how its images look (table)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_files(parser, "--recordings", "recordings, or lists (.txt)")
    options.add_out(parser, "table, a row a recording")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.tables import write_table
    from mesodecode.recordings.recording import read_recordings
    from mesodecode.shift import images

    write_table(images.table(read_recordings(args.recordings, same_size=False)), args.out)
