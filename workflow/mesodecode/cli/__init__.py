"""The `mesodecode` command: one verb a stage, each a line that can be typed by hand.

A verb is a module of this package with `HELP`, `add_arguments(parser)` and `run(args)`. Heavy
imports belong inside `run`, so that `mesodecode --help` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from contextlib import AbstractContextManager, nullcontext

from mesodecode import __version__
from mesodecode.files import NO_SPACE, Stopped, UserError
from mesodecode.locks import Lock

VERBS = {
    "init": "init",
    "allocations": "allocations",
    "simulate": "simulate",
    "preprocess": "preprocess",
    "cohort": "cohort",
    "qc": "qc",
    "align": "align",
    "fetch": "fetch",
    "fetch-weights": "fetch_weights",
    "tune": "tune",
    "train-cnn": "train_cnn",
    "finetune": "finetune",
    "extract": "extract",
    "train-rnn": "train_rnn",
    "predict": "predict",
    "predict-validation": "predict_validation",
    "fit-linear": "fit_linear",
    "train-roi": "train_roi",
    "fit-roi": "fit_roi",
    "roi-correlation": "roi_correlation",
    "shap": "shap",
    "shap-summary": "shap_summary",
    "shap-check": "shap_check",
    "cutout": "cutout",
    "cutout-summary": "cutout_summary",
    "cutout-check": "cutout_check",
    "sides": "sides",
    "map-checks": "map_checks",
    "average": "average",
    "adapt": "adapt",
    "auc": "auc",
    "compare": "compare",
    "inference": "inference",
    "chance": "chance",
    "quality": "quality",
    "control-signals": "control_signals",
    "decode-controls": "decode_controls",
    "confounds": "confounds",
    "calibrate": "calibrate",
    "shift": "shift",
    "image-shift": "image_shift",
    "shift-report": "shift_report",
    "cohort-figure": "cohort_figure",
    "reproduction": "reproduction",
    "figures": "figures",
    "losses": "losses",
    "runtimes": "runtimes",
    "report": "report",
    "summary": "summary",
    "suite": "suite",
    "warm": "warm",
    "plan": "plan",
    "tables": "tables",
    "export-nwb": "export_nwb",
    "simulate-encoding": "simulate_encoding",
    "responses": "responses",
    "fit-encoding": "fit_encoding",
    "train-encoding": "train_encoding",
    "score-encoding": "score_encoding",
    "sweep-encoding": "sweep_encoding",
    "diagnose": "diagnose",
    "encoding-figures": "encoding_figures",
    "encoding-report": "encoding_report",
}

# Settings that memory grows with. (In fine-tuning, the windows of a run share their images, so that
# longer runs need less.)
SPENDERS = ("batch_size", "half_window", "pixels", "image_size", "n_frames", "background")
# What allocators of the GPU and of the CPU say in a RuntimeError; torch need not be imported.
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "_ALLOC_FAILED")

# What to do where a file cannot be opened.
WAYS_OUT = {
    errno.ENOENT: "check the path, from the folder that the command runs in",
    errno.EISDIR: "name a file in it",
    errno.ENOTDIR: "a folder of the path is a file; check the path",
    errno.EACCES: "ask its owner for the right",
    errno.ELOOP: "links that lead to each other; make them anew",
    errno.ENAMETOOLONG: "shorten it",
    errno.EIO: "the disk or its connection fails; copy the file anew",
    errno.ESTALE: "the network drive lost it; run it again",
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


def _of_machine(error: Exception, args: argparse.Namespace) -> str | None:
    """Return an error of files, disk or memory as one line; None for others, which are bugs."""
    number = getattr(error, "errno", None)
    line = " ".join(str(error).split())
    if number in NO_SPACE:
        where = error.filename or line
        return f"{where}: no space left ({os.strerror(number)}); free some and run it again"
    if number in WAYS_OUT and error.filename:
        return f"{error.filename}: {os.strerror(number)}; {WAYS_OUT[number]}"
    if not isinstance(error, MemoryError) and number != errno.ENOMEM:
        if any(words in line for words in NO_MEMORY):
            line = line.split(". ")[0]  # torch goes on about its allocator
        else:
            return line if isinstance(error, OSError) else None
    settings = [key for key in SPENDERS if hasattr(args, key)] or ["image_size in the config"]
    raised = {"finetune": "run_length", "cutout": "blocks"}.get(args.verb)
    runs = f" (or raise {raised})" if raised else ""
    return f"out of memory ({line or 'MemoryError'}); lower {' or '.join(settings)}{runs}"


def _alone(args: argparse.Namespace) -> AbstractContextManager:
    """Return what keeps two copies of a training with a checkpoint from running at once.

    A scheduler may start a job again while the first copy still runs, on a node that it has lost
    sight of. The second waits for the first, and then finds it finished.
    """
    path = getattr(args, "checkpoint", None)
    return nullcontext() if path is None else Lock(path.with_suffix(".lock"))


def main(argv: list[str] | None = None) -> int:
    """Run one verb; return its exit status (0 done, 1 bad input, 2 bad usage, 143 stopped)."""
    args = parser().parse_args(argv)
    try:
        with _alone(args):
            args.run(args)
    except UserError as error:
        print(f"mesodecode {args.verb}: error: {error}", file=sys.stderr)
        return 1
    except (OSError, MemoryError, RuntimeError) as error:
        words = _of_machine(error, args)
        if words is None:
            raise
        print(f"mesodecode {args.verb}: error: {words}", file=sys.stderr, flush=True)
        if getattr(error, "errno", None) in NO_SPACE and "h5py" in sys.modules:
            os._exit(1)  # HDF5 crashes as it frees a file that it could not write
        return 1
    except Stopped as stopped:
        print(f"mesodecode {args.verb}: {stopped}", file=sys.stderr)
        return 143  # as if the signal had ended it, so that a scheduler sees an unfinished job
    except KeyboardInterrupt:
        print(f"mesodecode {args.verb}: interrupted, nothing written", file=sys.stderr)
        return 130
    return 0
