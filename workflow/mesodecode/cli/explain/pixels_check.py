"""Check the map of pixels of one allocation: against random weights, and by hiding areas.

Example: mesodecode pixels-check --weights cnn_gru.pt --recordings m4_s1.h5
--background-recordings m1_s1.h5 m2_s1.h5 --maps importance/pixels/cnn_gru/*[0-9].h5 --out check.h5

Makes the map of the same network with random weights, and the test AUC as growing shares of the
image are hidden: in the order of the mean of --maps that are of other test mice, and in random
orders; also how far the output moves (in logits) as areas are hidden one after another, and by
sign. Of a trace R² stands for the AUC and its unit for logits, of named states macro AUC and nats.
`mesodecode map-checks` judges them, over all allocations.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.explain import _checks

HELP = "image decoder + test recordings → what its map of pixels is checked by"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _checks.add_arguments(parser, "shap-pixels")
    options.add_file(parser, "--cnn", "as of `mesodecode shap-pixels`", required=False)
    words = "recordings of the training mice, as of `mesodecode shap-pixels`"
    options.add_recordings(parser, words, "--background-recordings", required=False)


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders.device import resolve_device
    from mesodecode.explain import map_check, pixel_check, pixel_shap
    from mesodecode.explain.maps import read_whole

    settings = options.settings_of(args, "importance_pixels")
    device = resolve_device(args.device, args.threads)
    read = pixel_shap.read_inputs(
        *(args.weights, args.cnn, args.recordings, args.background_recordings, device)
    )
    maps, whole = read_whole(args.maps)
    found = pixel_check.check_pixels(
        *read,
        settings,
        maps=maps,
        signed=whole,
        **_checks.limits(args, map_check.DRAWS_OF_MASKS),
    )
    found.write(args.out)
