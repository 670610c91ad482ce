"""Summarise the SHAP maps of all allocations: tables by ROI, and figures.

Example: mesodecode shap-summary --maps results/demo/importance/shap/*.h5 --name shap
--out importance.tsv --figure importance --signed signed.tsv --times times.tsv
--signed-figure signed --recording m1_s1.h5 --rois m1_s1_truth.h5

Writes --out (roi, name, n allocations, mean and sd of mean |SHAP| summed over the window's frames)
and the figure as PREFIX.svg and PREFIX.png. With --null-maps also n_null, mean_null and sd_null,
and statistic, p and p_holm of the rank-sum test between the two, Holm-corrected over the ROIs; the
figure marks ROIs that differ. Of named states, all of that is the mean over states.

What keeps the sign: --signed, a row an ROI (signed: above 0, more activity speaks for run, below 0
for rest; in_run, in_rest: what the ROI says while the mouse runs or rests; peak_s in s after the
decoded frame); --times, the same for each frame of the window; and --signed-figure, on the mean
image of --recording where --rois says where the ROIs lie. Values are in units of the output. Of a
trace, high and low values stand for run and rest; of states each state and the others, a row an ROI
and state.

Of files of `mesodecode shap-pixels` areas stand for ROIs, and the figure is that of single pixels,
on the mean image of the first.
"""

import argparse
from typing import Any

from mesodecode.cli import options

HELP = "SHAP maps of allocations → importance of each ROI (tables, figures)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    words = "files of `mesodecode shap` or shap-pixels, or a list (.txt) of them"
    options.add_files(parser, "--maps", words)
    words = "the same of that decoder trained on permuted labels, files or lists"
    options.add_files(parser, "--null-maps", words, required=False)
    add("--name", default="importance", help="name in the figure's title (default: importance)")
    options.add_out(parser, "TSV to write")
    options.add_figure(parser)
    options.add_out(parser, "TSV to write, a row an ROI, with signs", "--signed", required=False)
    options.add_out(parser, "TSV to write, a row an ROI and frame", "--times", required=False)
    options.add_figure(parser, "--signed-figure", "figure with signs: ", required=False)
    options.add_file(parser, "--recording", "recording whose mean image is drawn", required=False)
    words = "masks of ROIs, or truth of a simulated session"
    options.add_file(parser, "--rois", words, required=False)
    add("--roi-dataset", metavar="NAME", help="array of --rois, if a MAT or HDF5 file holds many")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.tables import write_table
    from mesodecode.explain import map_measures, shap_files, shap_tables
    from mesodecode.explain.maps import listed

    maps = [shap_files.read(path) for path in listed(args.maps)]
    mean, table = shap_tables.mean_map(maps), shap_tables.roi_table(maps)
    if args.null_maps:
        null = [shap_files.read(path) for path in listed(args.null_maps)]
        shap_tables.check_alike([*maps, *null])
        sums = shap_tables.roi_sums(maps), shap_tables.roi_sums(null)
        table = table.join(map_measures.real_against_permuted(*sums))
    figure, caption, what = _drawn(args, maps, mean, table)
    title = f"{args.name}: {what} that {maps[0].decoder} looks at"
    plots.save(figure, args.figure, title=title, caption=caption)
    write_table(table, args.out)
    if args.signed:
        write_table(shap_tables.signed_table(maps), args.signed)
    if args.times:
        write_table(shap_tables.time_table(maps), args.times)
    if args.signed_figure:
        _draw_signed(args, maps)


def _drawn(args: argparse.Namespace, maps: list, mean: Any, table: Any) -> tuple[Any, str, str]:
    """Return the figure of maps, its caption, and what they are of."""
    from mesodecode.explain import pixel_figure, shap_figure, shap_files, shap_tables
    from mesodecode.explain.maps import listed

    if shap_files.kind_of_unit(maps[0]) == "ROI":
        figure = shap_figure.draw(mean, table, maps[0].frame, shap_tables.common_rate(maps))
        return figure, shap_figure.caption(maps, table), "ROIs"
    pixels = shap_files.mean_pixels([shap_files.read_pixels(path) for path in listed(args.maps)])
    return pixel_figure.draw(maps, pixels), pixel_figure.caption(maps, pixels), "pixels"


def _draw_signed(args: argparse.Namespace, maps: list) -> None:
    from mesodecode.base import plots
    from mesodecode.base.files import UserError
    from mesodecode.explain import cortex, signed_figure
    from mesodecode.recordings.recording import read_recording

    if (args.rois is None) != (args.recording is None):
        raise UserError("--rois: go together with --recording, whose mean image they are drawn on")
    place = session = None
    if args.rois:
        recording = read_recording(args.recording)
        session = recording.session
        place = cortex.read_cortex(args.rois, recording, args.roi_dataset)
        place = cortex.chosen(place, maps[0].roi, args.rois)
    plots.save(
        signed_figure.draw(maps, place),
        args.signed_figure,
        title=f"{args.name}: what the activity of areas tells {maps[0].decoder}",
        caption=signed_figure.caption(maps, session),
    )
