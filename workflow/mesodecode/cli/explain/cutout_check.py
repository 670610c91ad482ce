"""Check the cut-out map of one allocation: against random weights, and by removing areas.

Example: mesodecode cutout-check --weights cnn.pt --recordings m4_s1.h5 m4_s2.h5 --masks squares
--maps importance/cutout/cnn/*/*.tsv --out check.h5

Makes the map of the same network with random weights, and the test AUC as growing shares of the
image are hidden: in the order of the mean of --maps that are of other test mice, and in random
orders; also how far the output moves (in logits) as areas are hidden one after another, and by
sign. `mesodecode map-checks` judges them, over all allocations.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.decoders import _label_donors
from mesodecode.cli.explain import _checks

HELP = "image decoder + test recordings → what its cut-out map is checked by"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _checks.add_arguments(parser, "cutout")
    options.add_file(parser, "--cnn", "as of `mesodecode cutout`", required=False)
    _label_donors.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders.device import resolve_device
    from mesodecode.explain import cutout_scores, map_check, maps
    from mesodecode.explain.cutout_masks import masks_of
    from mesodecode.recordings.baseline import prepared
    from mesodecode.recordings.recording import read_recordings

    settings = options.settings_of(args, "importance_cutout")
    device = resolve_device(args.device, args.threads)
    recordings = _label_donors.exchange(read_recordings(args.recordings), args.labels_of)
    decoder = cutout_scores.load_decoder(args.weights, args.cnn, recordings, device)
    recordings = list(prepared(recordings, decoder.normalising))
    scores, signed = maps.read_cutout(args.maps)
    found = map_check.check_cutout(
        decoder.network,
        recordings,
        [masks_of(settings, one) for one in recordings],
        settings,
        allocation=decoder.allocation,
        half_window=decoder.half_window,
        maps=scores,
        signed=signed,
        **_checks.limits(args, map_check.DRAWS_OF_MASKS),
        target=decoder.target,
        device=device,
    )
    found.write(args.out)
