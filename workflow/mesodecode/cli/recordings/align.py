"""Take the areas of an atlas to each session: ROIs and cut-out masks of the same names in all mice.

LANDMARKS is a table with columns session, landmark, x and y (px of the movie as recorded, the
centre of the first pixel at 0, 0); rows whose session is "atlas" are the atlas's own, in its px.
Or it is a path that holds {session} (and {mouse}), such as lm/{session}.json: a file of wfield for
each session, with the atlas's landmarks in it; the atlas may then be dorsal_cortex_ccf_labels.json.
A session without landmarks is registered to one of its mouse that has some, by mean images.

Writes OUT/{session}.tif (or .json, if the atlas is polygons), OUT/alignment.tsv (transform and
errors in px of each session) and OUT/alignment.svg and .png, to be looked at. Then, in the config:
  recordings: {roi_masks: OUT/{session}.tif}       or masks: of a cut-out analysis
(OUT/{mouse}_{session}.tif where recordings.movie holds {mouse}: files are named by ids of sessions)

Example: mesodecode align --recordings r/*.h5 --measures m/*.h5 --landmarks points.tsv
--atlas dorsal.tif --out areas
"""

import argparse

from mesodecode.base.files import say
from mesodecode.cli import options

HELP = "landmarks and an atlas → its areas in each session"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_measures(parser)
    words = "TSV or CSV: session, landmark, x, y (px); or wfield's JSON of each {session}"
    options.add_file(parser, "--landmarks", words)
    words = "your atlas: label image (.tif, .npy, .png, .mat, .h5) or polygons (.json), in its own "
    options.add_file(parser, "--atlas", f"{words}px, or wfield's areas (.json)")
    parser.add_argument(
        "--transform",
        choices=["similarity", "affine"],
        default="similarity",
        help="turn, scale and shift (2 landmarks or more), or any linear map (3 or more) "
        "(default: similarity)",
    )
    options.add_out(parser, "folder to write to", written=options.FOLDER)


def run(args: argparse.Namespace) -> None:

    from mesodecode.base import plots
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import write_table
    from mesodecode.recordings import alignment, alignment_figure, qc

    sessions = []
    for paths in options.with_measures(args):
        session = qc.read_session(*paths)
        if (session.settings or {}).get("binning", 1) > 1:
            raise UserError(f"{paths[0]}: binned; areas are of movies as recorded, without binning")
        sessions.append((session.recording, session.decoded.mean))
    recordings = [recording for recording, _ in sessions]
    landmarks = alignment.read_landmarks(args.landmarks, recordings, args.atlas)
    found = list(alignment.align(sessions, landmarks, args.transform))
    images = [image for _, image in sessions]
    lost = alignment.write_areas(args.atlas, found, [image.shape for image in images], args.out)
    if lost:
        say(f"left out, since not every session shows them: areas {', '.join(lost)}")
    write_table(alignment.table(found, args.transform), args.out / "alignment.tsv")
    suffix = ".json" if args.atlas.suffix.lower() == ".json" else ".tif"
    areas = [args.out / f"{a.session}{suffix}" for a in found]
    plots.save(
        alignment_figure.overlay(found, images, areas),
        args.out / "alignment",
        title="Atlas over the mean image of each session",
        caption=alignment_figure.caption(found),
    )
