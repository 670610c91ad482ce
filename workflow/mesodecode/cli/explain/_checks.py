"""What the verbs that check the map of an allocation share: their flags."""

import argparse
from typing import Any

from mesodecode.cli import options


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the flags of a verb that checks the maps of `mesodecode VERB`."""
    options.add_file(parser, "--weights", f"as of `mesodecode {verb}`")
    options.add_recordings(parser, "recordings of the test mice, or lists (.txt) of them")
    words = f"of all allocations, of `mesodecode {verb}`, or lists (.txt) of them"
    options.add_files(parser, "--maps", words)
    options.add_files(parser, "--truth", "truth of simulated test recordings", required=False)
    options.add_out(parser, "checks to write (HDF5)")
    options.add_compute(parser)
    options.add_settings(parser, f"importance_{verb.removeprefix('shap-')}")
    options.add_settings(parser, "importance_checks")


def limits(args: argparse.Namespace, draws: int) -> dict[str, Any]:
    """Return what all checks of an allocation's map are given; `draws`, if none are asked for."""
    checks = options.settings_of(args, "importance_checks")
    return {
        "truth": args.truth,
        "limit": checks["frames"],
        "draws": checks["draws"] or draws,
        "noise_draws": checks["noise_draws"],
    }


def add_maps(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a verb that reads the maps of all allocations, and of permuted labels."""
    options.add_files(parser, "--maps", "maps of all allocations, or a list (.txt) of them")
    words = "maps of the decoder of permuted labels, or lists (.txt) of them"
    options.add_files(parser, "--null-maps", words, required=False)
