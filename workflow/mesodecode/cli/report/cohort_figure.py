"""Draw how much each mouse runs, and an example of speed, run/rest and global activity.

Example: mesodecode cohort-figure --cohort results/demo/tables/cohort.tsv
--recordings results/demo/recordings --out cohort

Reads one recording, of the session whose share of run is nearest to a half. Writes PREFIX.svg (text
kept as text) and PREFIX.png (300 dpi), 174 mm wide.
"""

import argparse

from mesodecode.cli import options

HELP = "draw the cohort: share of run, an example session (SVG and PNG)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--cohort", "table of `mesodecode cohort`")
    options.add_folder(parser, "--recordings", "FOLDER/{session}.h5 of the example")
    options.add_figure(parser, "--out")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.tables import read_table
    from mesodecode.recordings.recording import read_recording
    from mesodecode.report import cohort_figure

    cohort = read_table(args.cohort, ("mouse", "session", "n_frames", "n_run"))
    session = cohort_figure.example_session(cohort)
    example = cohort_figure.activity(read_recording(args.recordings / f"{session}.h5"))
    plots.save(
        cohort_figure.cohort_figure(cohort, example),
        args.out,
        title="Cohort",
        caption=cohort_figure.cohort_caption(cohort, example),
    )
