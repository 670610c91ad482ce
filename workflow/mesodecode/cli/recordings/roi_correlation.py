"""Correlate each ROI's signal with run/rest: Pearson's r by session, and a bar plot.

Example: mesodecode roi-correlation --recordings results/demo/recordings/*.h5 --out r.tsv
--summary mean.tsv --figure roi_correlation

Writes --out (mouse, session, roi, name, r), --summary (roi, name, n sessions, mean, sd), and the
figure as PREFIX.svg and PREFIX.png.
"""

import argparse

from mesodecode.cli import options

HELP = "ROI signals → correlation with run/rest by session (table, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_recordings(parser, "recordings, or lists (.txt) of them")
    words = "frames of the centred moving mean that is subtracted first (default: none is)"
    parser.add_argument("--baseline", type=int, metavar="N", help=words)
    options.add_out(parser, "TSV to write")
    options.add_out(parser, "TSV to write: mean and SD over sessions", "--summary")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import write_table
    from mesodecode.recordings import roi_correlation, roi_correlation_figure
    from mesodecode.recordings.recording import read_recordings

    if args.baseline is not None and args.baseline < 1:
        raise UserError(f"--baseline: {args.baseline} frames; needs 1 or more")
    table = roi_correlation.correlation_table(
        read_recordings(args.recordings, same_size=False), args.baseline
    )
    summary = roi_correlation.correlation_summary(table)
    caption = roi_correlation_figure.roi_correlation_caption(table, args.baseline)
    figure = roi_correlation_figure.roi_correlation(table)
    plots.save(figure, args.figure, title="ROI activity and running", caption=caption)
    write_table(summary, args.summary)
    write_table(table, args.out)
