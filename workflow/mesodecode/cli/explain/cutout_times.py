"""Summarise when areas matter: the cut-out of all allocations by image of the window.

Example: mesodecode cutout-times --scores results/demo/importance/cutout/cnn_gru/*/*.tsv
--recording m1_s1.h5 --masks squares --name cutout --out times.tsv --figure times

Reads scores made with --times. Writes --out (a row a mask and image: frame and time_s, in s after
the decoded frame; mean and sd of the AUC lost when the area is hidden in that image alone) and the
figure as PREFIX.svg and PREFIX.png.
"""

import argparse

from mesodecode.cli import options

HELP = "cut-out scores by image of the window → when areas matter (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = "all tables of `mesodecode cutout`, or a list (.txt) of them"
    options.add_files(parser, "--scores", words)
    options.add_file(parser, "--recording", "recording whose mean image is drawn")
    parser.add_argument(
        "--name", default="importance", help="name in the figure's title (default: importance)"
    )
    options.add_out(parser, "TSV to write, a row a mask and image")
    options.add_figure(parser)
    options.add_settings(parser, "importance_cutout")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.tables import write_table
    from mesodecode.explain import cutout_masks, cutout_tables, cutout_times_figure, maps
    from mesodecode.recordings.recording import read_recording

    recording = read_recording(args.recording)
    rows = cutout_tables.read_rows(maps.listed(args.scores))
    masks = cutout_masks.masks_of(options.settings_of(args, "importance_cutout"), recording)
    table = cutout_tables.times_table(rows, recording.frame_rate)
    decoder, score = rows["decoder"][0], cutout_tables.kind_of(rows.columns).axis
    plots.save(
        cutout_times_figure.draw(table, masks, recording.pixel_mean, recording.frame_rate, score),
        args.figure,
        title=f"{args.name}: when {decoder} needs areas",
        caption=cutout_times_figure.caption(table, decoder, recording.session, score),
    )
    write_table(table, args.out)
