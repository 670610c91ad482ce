"""Explain a decoder of images from its pixels: SHAP values by frame of the window, area and pixel.

Example: mesodecode shap-pixels --weights cnn_gru.pt --recordings m4_s1.h5 --background-recordings
m1_s1.h5 m2_s1.h5 --decoder cnn_gru --areas squares --out pixels.h5 --figure pixels

Of weights of train-cnn, finetune, or train-rnn with --cnn. Windows are taken evenly over the
decodable frames of --recordings (the test mouse), the background is drawn with --seed from
--background-recordings (training mice; without them, the test mouse). Writes --out (HDF5: mean_abs,
signed, in_run and in_rest, frames x areas; pixel_abs and pixel_signed, of single pixels, frames x
height x width; in units of the output) and the figure as PREFIX.svg and PREFIX.png. Of a decoder of
a trace its value is explained, in its unit; of named states each (docs/targets.md).

Cost: windows x background pairs, each of which passes the CNN with two windows of images there and
back. The log says after the first windows how long it takes.
"""

import argparse

from mesodecode.cli import options

HELP = "image decoder + test recordings → SHAP values (frames × areas, pixels), figure"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_file(parser, "--weights", "weights of train-cnn, finetune or train-rnn")
    words = "weights of the frozen CNN (with those of train-rnn only)"
    options.add_file(parser, "--cnn", words, required=False)
    options.add_recordings(parser, "recordings of the test mice, or lists (.txt) of them")
    words = "recordings of training mice to draw the background from (default: --recordings)"
    options.add_recordings(parser, words, "--background-recordings", required=False)
    add("--decoder", default="the decoder", help="its name in file and figure")
    add("--name", default="importance", help="name in the figure's title (default: importance)")
    options.add_out(parser, "map to write (HDF5)")
    options.add_figure(parser, required=False)
    options.add_compute(parser)
    options.add_settings(parser, "importance_pixels")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.decoders.device import resolve_device
    from mesodecode.explain import pixel_figure, pixel_shap, shap_files

    settings = options.settings_of(args, "importance_pixels")
    device = resolve_device(args.device, args.threads)
    read = pixel_shap.read_inputs(
        *(args.weights, args.cnn, args.recordings, args.background_recordings, device)
    )
    found, pixels = pixel_shap.pixel_shap(*read, settings, decoder=args.decoder)
    if args.figure:
        plots.save(
            pixel_figure.draw([found], pixels),
            args.figure,
            title=f"{args.name}: pixels that move {args.decoder}",
            caption=pixel_figure.caption([found], pixels),
        )
    shap_files.write_pixels(args.out, found, pixels)
