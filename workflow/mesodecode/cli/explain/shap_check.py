"""Check the SHAP map of one allocation: against random weights, and by removing ROIs.

Example: mesodecode shap-check --weights gru.pt --recordings m4_s1.h5 --background-recordings
m1_s1.h5 m2_s1.h5 --maps importance/shap/roi_gru/*[0-9].h5 --out check.h5

Makes the map of the same network with random weights, and the test AUC as growing shares of the
ROIs are removed: in the order of the mean of --maps that are of other test mice, and in random
orders; also how far the output moves (in logits) as ROIs are removed one by one, and by sign.
Of a trace R² stands for the AUC and its unit for logits, of named states macro AUC and nats.
`mesodecode map-checks` judges them, over all allocations.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.explain import _checks

HELP = "ROI decoder + test recordings → what its SHAP map is checked by"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _checks.add_arguments(parser, "shap")
    words = "recordings of the training mice, as of `mesodecode shap`"
    options.add_recordings(parser, words, "--background-recordings", required=False)


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders.device import resolve_device
    from mesodecode.explain import map_check
    from mesodecode.explain.maps import read_whole
    from mesodecode.explain.shap_maps import read_inputs

    settings = options.settings_of(args, "importance_shap")
    device = resolve_device(args.device, args.threads)
    trained, test, background = read_inputs(
        args.weights, args.recordings, args.background_recordings
    )
    maps, whole = read_whole(args.maps)
    found = map_check.check_shap(
        trained,
        test,
        background,
        settings,
        maps=maps,
        signed=whole,
        **_checks.limits(args, map_check.DRAWS),
        device=device,
    )
    found.write(args.out)
