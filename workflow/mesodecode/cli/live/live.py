"""Decode frames as they come: the probability of run, its state and time, within milliseconds.

Of a decoder of another target the value of a trace, or the probability of each state.

Example: mesodecode live --weights gru.pt --source movie.tif --known m*_s1.h5 --out live.tsv
mesodecode live --weights rnn.pt cnn.pt --source 5555 --frame-rate 30 --osc 9000 --show

SOURCE is a file that grows as the camera writes it (TIFF, or flat binary: .dat, .raw, .bin; --shape
and --dtype if its name does not say them); with --rate, or of any other format, a replay of it; -
for frames without a header on standard input (--shape, --dtype); a port, or an address such as
tcp://127.0.0.1:5555, of a ZeroMQ publisher. docs/live.md has the messages, and what is written.

The decoder is one that was trained with `causal: true`. Two files of a decoder of a frozen CNN are
given as RNN CNN; of several decoders the probabilities are averaged. Frames are corrected as the
recordings of --known were (or by the flags of corrections), if that needs no later frame.
"""

import argparse

from mesodecode.base.files import say
from mesodecode.cli import options

HELP = "decode frames as they come from a camera, a file, a socket"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    words = "weights (.pt, .npz, .joblib) of causal decoders, and of a frozen CNN after its decoder"
    options.add_files(parser, "--weights", words)
    add("--source", required=True, help="where frames come from: FILE, -, PORT or an address")
    words = "TSV to write: frame, time_s, probability (of a trace predicted, of named states "
    words += "probability_STATE), state (of no trace), latency_ms, unsure_why"
    options.add_out(parser, words, required=False)
    add("--append", action="store_true", help="go on with --out of an earlier run")
    words = "publish states by ZeroMQ: port of this machine, or tcp://…"
    add("--publish", metavar="PORT", help=words)
    add("--osc", metavar="[HOST:]PORT", help="send states by OSC (UDP), to this machine by default")
    add("--show", action="store_true", help="show probability, state, latency, lost frames")
    words = "recordings of mice of the decoder (.h5): how frames are corrected, and what is usual"
    options.add_recordings(parser, words, "--known", required=False)
    words = "recording of this mouse to normalise by"
    options.add_file(parser, "--reference", words, required=False)
    add("--frames", type=int, metavar="N", help="end after N decoded frames (default: at the end)")
    words = "frames/s of a channel (default: --known's, else that of training)"
    add("--frame-rate", type=float, metavar="HZ", help=words)
    words = "resize frames to a square (default: --known's)"
    add("--image-size", type=int, metavar="PX", help=words)
    words = "ROIs in px of the movie, for ROI decoders"
    options.add_file(parser, "--roi-masks", words, required=False)
    add("--roi-dataset", metavar="NAME", help="image of --roi-masks in a MAT or HDF5 file")
    add("--shape", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="px of frames, no header")
    add("--dtype", help="type of pixels of frames without a header, such as uint16")
    options.add_settings(parser, "live")
    options.add_settings(parser, "corrections")
    options.add_compute(parser)


def run(args: argparse.Namespace) -> None:
    import signal
    from contextlib import ExitStack

    from mesodecode.base.files import Stopped
    from mesodecode.live.frame_sources import Feed
    from mesodecode.live.setting_up import prepared

    def stop(*_: object) -> None:
        raise Stopped("stopped")

    with ExitStack() as stack:
        opened, rig = prepared(
            args, options.settings_of(args, "live"), options.settings_of(args, "corrections"), stack
        )
        before = signal.signal(signal.SIGTERM, stop)
        stack.callback(signal.signal, signal.SIGTERM, before)
        rig.run(stack.enter_context(Feed(opened, args.timeout)))
    say(f"{opened.name}: {rig.words()}")
