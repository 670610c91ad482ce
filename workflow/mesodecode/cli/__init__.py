"""The `mesodecode` command: one verb a stage, each a line that can be typed by hand.

A verb is a module of this package with `HELP`, `add_arguments(parser)` and `run(args)`. Heavy
imports belong inside `run`, so that `mesodecode --help` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from mesodecode import __version__
from mesodecode.files import Stopped, UserError

VERBS = {
    "allocations": "allocations",
    "simulate": "simulate",
    "preprocess": "preprocess",
    "cohort": "cohort",
    "train-cnn": "train_cnn",
    "finetune": "finetune",
    "extract": "extract",
    "train-rnn": "train_rnn",
    "predict": "predict",
    "fit-linear": "fit_linear",
    "train-roi": "train_roi",
    "fit-roi": "fit_roi",
    "roi-correlation": "roi_correlation",
    "average": "average",
    "auc": "auc",
    "compare": "compare",
    "inference": "inference",
    "chance": "chance",
    "figures": "figures",
    "losses": "losses",
    "report": "report",
    "summary": "summary",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    top = argparse.ArgumentParser(
        prog="mesodecode",
        description="Decode behaviour from cortex-wide calcium imaging, across mice. "
        "The workflow (`snakemake`) calls these verbs; each can be typed by hand.",
    )
    top.add_argument("--version", action="version", version=f"mesodecode {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, name in VERBS.items():
        module = importlib.import_module(f"mesodecode.cli.{name}")
        sub = verbs.add_parser(
            verb,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one verb; return its exit status (0 done, 1 bad input, 2 bad usage, 143 stopped)."""
    args = parser().parse_args(argv)
    try:
        args.run(args)
    except UserError as error:
        print(f"mesodecode {args.verb}: error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # missing file, no permission, disk full: the file is in the message
        print(f"mesodecode {args.verb}: error: {error}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        print(f"mesodecode {args.verb}: {stopped}", file=sys.stderr)
        return 143  # as if the signal had ended it, so that a scheduler sees an unfinished job
    except KeyboardInterrupt:
        print(f"mesodecode {args.verb}: interrupted, nothing written", file=sys.stderr)
        return 130
    return 0
