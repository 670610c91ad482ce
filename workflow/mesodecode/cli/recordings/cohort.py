"""Describe the recordings of a study: one line a session. No two may be of one movie.

Example: mesodecode cohort --recordings results/demo/recordings/*.h5 --out cohort.tsv
"""

import argparse

from mesodecode.cli import options

HELP = "recordings → table of sessions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_recordings(parser, "recordings, or lists (.txt) of them")
    options.add_out(parser, "TSV to write")


def run(args: argparse.Namespace) -> None:
    import csv

    from mesodecode.base.files import atomic_path
    from mesodecode.recordings.recording import read_recordings
    from mesodecode.recordings.same_frames import check_apart

    recordings = read_recordings(args.recordings, same_size=False)
    check_apart([recording.path for recording in recordings])
    with atomic_path(args.out) as part, open(part, "w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["mouse", "session", "n_frames", "n_run", "frame_rate", "height", "width"])
        for r in recordings:
            n_frames, height, width = r.shape
            n_run = int(r.labels.sum())
            table.writerow([r.mouse, r.session, n_frames, n_run, r.frame_rate, height, width])
