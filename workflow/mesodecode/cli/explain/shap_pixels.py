"""Explain a decoder of images from its pixels: SHAP values by frame of the window and pixel.

Example: mesodecode shap-pixels --weights cnn_gru.pt --recordings m4_s1.h5 --background-recordings
m1_s1.h5 m2_s1.h5 --decoder cnn_gru --out pixels.h5 --figure pixels

Of weights of train-cnn, finetune, or train-rnn with --cnn. Windows are taken evenly over the
decodable frames of --recordings (the test mouse), the background is drawn with --seed from
--background-recordings (training mice; without them, the test mouse). Writes --out (HDF5: mean_abs,
signed, in_run and in_rest, frames x height x width, in units of the output) and the figure as
PREFIX.svg and PREFIX.png.

Cost: windows x background pairs, each of which passes the CNN with two windows of images there and
back. The log says after the first windows how long it takes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mesodecode.cli import options

HELP = "image decoder + test recordings → SHAP values (frames × pixels), figure"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    words = "weights of train-cnn, finetune or train-rnn"
    add("--weights", type=Path, required=True, metavar="FILE", help=words)
    words = "weights of the frozen CNN (with those of train-rnn only)"
    add("--cnn", type=Path, metavar="FILE", help=words)
    options.add_recordings(parser, "recordings of the test mice, or lists (.txt) of them")
    words = "recordings of training mice to draw the background from (default: --recordings)"
    options.add_recordings(parser, words, "--background-recordings", required=False)
    add("--decoder", default="the decoder", help="its name in file and figure")
    add("--windows", type=int, default=20, help="windows to explain (default: 20)")
    add("--background", type=int, default=20, help="windows to compare with (default: 20)")
    words = "output to explain (default: probability)"
    add("--output", choices=["probability", "logit"], default="probability", help=words)
    add("--seed", type=int, default=123, help="of the background (default: 123)")
    add("--name", default="importance", help="name in the figure's title (default: importance)")
    options.add_out(parser, "map to write (HDF5)")
    options.add_figure(parser)
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.files import UserError
    from mesodecode.decoders.applied import load
    from mesodecode.decoders.device import resolve_device
    from mesodecode.explain import pixel_figure, pixel_shap
    from mesodecode.recordings.recording import check_frames, read_recordings, target_of

    for name, least in (("windows", 1), ("background", 2), ("seed", 0)):
        if getattr(args, name) < least:
            raise UserError(f"--{name}: {getattr(args, name)}; needs {least} or more")
    loaded = load(args.weights, args.cnn, resolve_device(args.device, args.threads))
    recordings = read_recordings(args.recordings)
    loaded.target.check_run(args.weights)
    loaded.target.check_same(target_of(recordings), args.weights)
    check_frames(loaded.settings, recordings, args.weights)
    drawn_from = args.background_recordings
    found = pixel_shap.pixel_shap(
        loaded,
        recordings,
        read_recordings(drawn_from) if drawn_from else [],
        decoder=args.decoder,
        windows=args.windows,
        background=args.background,
        output=args.output,
        seed=args.seed,
    )
    plots.save(
        pixel_figure.draw(found),
        args.figure,
        title=f"{args.name}: pixels that move {args.decoder}",
        caption=pixel_figure.caption(found),
    )
    found.write(args.out)
