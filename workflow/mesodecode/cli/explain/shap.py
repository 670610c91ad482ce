"""Explain a recurrent decoder of ROI signals: mean |SHAP| by frame of the window and ROI.

Example: mesodecode shap --weights gru.pt --recordings m4_s1.h5 --background-recordings m1_s1.h5
m2_s1.h5 --decoder roi_gru --out shap.h5

Windows are taken evenly over the decodable frames of --recordings (the test mouse), the background
is drawn with --seed from --background-recordings (training mice; without them, the test mouse).
Of fewer frames than asked for, all are used; the file says how many. Of a decoder of a trace its
value is explained, in its unit; of named states the log-probability of each (docs/targets.md).
"""

import argparse

from mesodecode.cli import options

HELP = "ROI decoder + test recordings → mean |SHAP| (frames × ROIs)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--weights", "weights of train-roi")
    options.add_recordings(parser, "recordings of the test mice, or lists (.txt) of them")
    words = "recordings of training mice to draw the background from (default: --recordings)"
    options.add_recordings(parser, words, "--background-recordings", required=False)
    parser.add_argument("--decoder", required=True, help="name of the decoder in tables")
    options.add_out(parser, "map to write (HDF5)")
    options.add_compute(parser)
    options.add_settings(parser, "importance_shap")


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders.device import resolve_device
    from mesodecode.explain.shap_maps import read_inputs, shap_map

    settings = options.settings_of(args, "importance_shap")
    device = resolve_device(args.device, args.threads)
    trained, test, background = read_inputs(
        args.weights, args.recordings, args.background_recordings
    )
    found = shap_map(trained, test, background, settings, decoder=args.decoder, device=device)
    found.write(args.out)
