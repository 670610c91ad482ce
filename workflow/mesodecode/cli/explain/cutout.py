"""Score areas of the image by what a decoder loses on its test mice when they are hidden.

Example: mesodecode cutout --weights cnn.pt --recordings m4_s1.h5 m4_s2.h5 --masks squares
--decoder cnn --frame-step 10 --run-length 30 --out scores.tsv

Score of a mask and session: AUC(intact) - AUC(masked), of the same frames. Writes --out (a row a
session and mask). A session whose frames used are all run or all rest has no score: nan. Of a
decoder of a trace R² stands for the AUC, of named states macro AUC (docs/targets.md).
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors

HELP = "image decoder + test recordings → AUC lost by hiding areas"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    words = "weights of train-cnn, finetune, train-rnn or fit-linear (.npz)"
    options.add_file(parser, "--weights", words)
    words = "weights of the frozen CNN (with those of train-rnn only)"
    options.add_file(parser, "--cnn", words, required=False)
    options.add_recordings(parser, "recordings of the test mice, or lists (.txt) of them")
    add("--decoder", required=True, help="name of the decoder in tables")
    words = "do the K-th of N parts of the masks (default: 1/1, all)"
    add("--block", type=_block, default=(1, 1), metavar="K/N", help=words)
    options.add_out(parser, "TSV to write")
    _label_donors.add_argument(parser)
    options.add_compute(parser)
    options.add_settings(parser, "importance_cutout")


def _block(text: str) -> tuple[int, int]:
    number, _, blocks = text.partition("/")
    return int(number), int(blocks)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.tables import write_table
    from mesodecode.decoders.device import resolve_device
    from mesodecode.explain import cutout_scores
    from mesodecode.recordings.baseline import prepared
    from mesodecode.recordings.recording import read_recordings

    settings = options.settings_of(args, "importance_cutout")
    device = resolve_device(args.device, args.threads)
    recordings = _label_donors.exchange(read_recordings(args.recordings), args.labels_of)
    decoder = cutout_scores.load_decoder(args.weights, args.cnn, recordings, device)
    recordings = list(prepared(recordings, decoder.normalising))
    rows = cutout_scores.score_sessions(
        decoder,
        recordings,
        settings,
        name=args.decoder,
        block=args.block,
        device=device,
    )
    write_table(rows, args.out)
