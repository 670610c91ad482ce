"""Summarise the cut-out of all allocations: tables by mask and by session, and a figure.

Example: mesodecode cutout-summary --scores results/demo/importance/cutout/cnn/*/*.tsv
--recording m1_s1.h5 --masks squares --name cutout --out importance.tsv --sessions sessions.tsv
--figure importance

Writes --out (a row a mask: score over allocations, mean, sd, n, lowest and highest; centre and
area in px; frames used), --sessions (a row a session and mask), --signed (a row a mask: score, and
in_run and in_rest, what the area says in logits, above 0 for run) and the figure as PREFIX.svg and
PREFIX.png. Masks and lengths must be those of the scores.
"""

import argparse

from mesodecode.cli import options

HELP = "cut-out scores of allocations → importance of each area (tables, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    words = "all tables of `mesodecode cutout`, or a list (.txt) of them"
    options.add_files(parser, "--scores", words)
    options.add_file(parser, "--recording", "recording whose mean image is drawn")
    words = "masks of ROIs, or truth of a simulated session, to draw on it"
    options.add_file(parser, "--rois", words, required=False)
    add("--roi-dataset", metavar="NAME", help="array of --rois, if a MAT or HDF5 file holds many")
    add("--name", default="importance", help="name in the figure's title (default: importance)")
    options.add_out(parser, "TSV to write, a row a mask")
    options.add_out(parser, "TSV to write, a row a session and mask", "--sessions")
    options.add_figure(parser)
    options.add_out(
        parser, "TSV to write, a row a mask: what areas say", "--signed", required=False
    )
    options.add_settings(parser, "importance_cutout")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.tables import write_table
    from mesodecode.explain import cutout_figure, cutout_masks, cutout_tables, maps
    from mesodecode.recordings.recording import read_recording
    from mesodecode.study import importance

    settings = options.settings_of(args, "importance_cutout")
    recording = read_recording(args.recording)
    rows = cutout_tables.read_rows(maps.listed(args.scores))
    masks = cutout_masks.masks_of(settings, recording)
    mirrored = settings["masks"] in importance.SIDED
    table = cutout_tables.mask_table(rows, masks, mirrored=mirrored)
    scores = cutout_tables.allocation_scores(rows)
    rois = None
    if args.rois:
        rois = cutout_figure.roi_centres(args.rois, recording, args.roi_dataset)
    figure = cutout_figure.draw(table, scores, masks, recording.pixel_mean, rois)
    decoder = rows["decoder"][0]
    plots.save(
        figure,
        args.figure,
        title=f"{args.name}: areas that {decoder} needs",
        caption=cutout_figure.caption(table, decoder, masks, settings, recording.session),
    )
    write_table(table, args.out)
    columns = cutout_tables.columns_of(cutout_tables.kind_of(rows.columns))
    write_table(rows[list(columns)], args.sessions)
    if args.signed:
        write_table(cutout_tables.signed_table(rows), args.signed)
