"""Check the files of one session and write them as one HDF5 recording.

Example: mesodecode preprocess --movie s1.tif --behavior s1_behavior.mat --session s1 --mouse 1
--frame-rate 30 --out s1.h5
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "source files of a session → one HDF5 recording"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    add = parser.add_argument
    add("--movie", type=Path, required=True, help="TIFF stack, one page a frame")
    add("--behavior", type=Path, required=True, help="MAT file with runrest and/or speed_rs (cm/s)")
    rois = parser.add_mutually_exclusive_group()
    rois.add_argument(
        "--rois", type=Path, help="ROI signals: MAT (dat_roi, ROIs x frames), HDF5, CSV, TSV or NPY"
    )
    rois.add_argument(
        "--roi-masks",
        type=Path,
        help="ROIs to average the movie over: label image (TIFF, NPY, PNG), polygons (JSON) or "
        "circles (TSV, CSV: name, hemisphere, x, y, radius in px)",
    )
    add("--roi-dataset", help="variable or dataset of --rois (default: dat_roi; HDF5: or rois)")
    add("--session", required=True, help="name of the session")
    add("--mouse", required=True, help="name of the mouse")
    add("--frame-rate", type=float, default=30.0, help="frames/s (default: 30)")
    add("--image-size", type=int, help="px; resize frames to a square (default: keep their size)")
    add(
        "--speed-threshold",
        type=float,
        default=0.5,
        help="cm/s; run is faster than this, where the MAT file has no runrest (default: 0.5)",
    )
    add("--out", type=Path, required=True, help="HDF5 file to write")


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    from mesodecode.preprocess import preprocess

    preprocess(
        args.out,
        movie=args.movie,
        behavior=args.behavior,
        rois=args.rois,
        roi_dataset=args.roi_dataset,
        roi_masks=args.roi_masks,
        session=args.session,
        mouse=args.mouse,
        frame_rate=args.frame_rate,
        image_size=args.image_size,
        speed_threshold=args.speed_threshold,
    )
