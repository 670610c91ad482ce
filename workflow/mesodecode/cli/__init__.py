"""The `mesodecode` command: one verb a stage, each a line that can be typed by hand.

A verb is a module of this package with `HELP`, `add_arguments(parser)`, which adds its flags, and
`run(args)`, which does what the module's own docstring says. Heavy imports belong inside `run`, so
that `mesodecode --help` answers at once. The help lists verbs by room, those that only the workflow
calls last.
"""

import argparse
import difflib
import errno
import importlib
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from mesodecode import __version__
from mesodecode.base.files import NO_SPACE, Stopped, UserError, one_line, say
from mesodecode.cli.writing import Written
from mesodecode.running.locks import Lock

# Rooms of the package from the ground up, and what the verbs of each are for.
ROOMS = {
    "study": "a study and its config",
    "simulation": "simulated mice",
    "recordings": "from a lab's files to recordings",
    "decoders": "training and prediction",
    "live": "decoding at the rig",
    "scores": "AUC, tests, calibration",
    "explain": "what a decoder looks at",
    "confounds": "is it the brain that is decoded?",
    "shift": "how far a new mouse is from those that a decoder knows",
    "encoding": "studies of kind encoding",
    "report": "the report",
    "export": "other formats",
    "suite": "the ground-truth benchmark",
    "running": "running studies",
}


def _verbs() -> dict[str, str]:
    """Return verb -> its module in this package: a verb is a file with dashes, _… is none."""
    folders = [(room, Path(__file__).parent / room) for room in ROOMS]
    found = [(room, path.stem) for room, folder in folders for path in sorted(folder.glob("*.py"))]
    return {name.replace("_", "-"): f"{room}.{name}" for room, name in found if name[0] != "_"}


VERBS = _verbs()

# Verbs of which the workflow makes what they read, and reads what they write.
FOR_WORKFLOW = {
    "common-areas",
    "dropped-rois",
    "harmonise",
    "hold-out",
    "ceilings",
    "join-features",
    "losses",
    "figures",
    "cutout-check",
    "cutout-summary",
    "cutout-times",
    "map-checks",
    "map-mice",
    "shap-check",
    "shap-summary",
    "sides",
    "confounds",
    "control-signals",
    "decode-controls",
    "image-shift",
    "shift-report",
    "encoding-figures",
    "encoding-report",
    "sweep-encoding",
    "cohort-figure",
    "cohorts",
    "cohort-shift",
    "report",
    "runtimes",
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


def parser(chosen: Collection[str] = VERBS) -> argparse.ArgumentParser:
    """Return the parser of all verbs, or of `chosen` ones, whose modules alone are imported."""
    top = argparse.ArgumentParser(
        prog="mesodecode",
        usage="mesodecode [-h] [--version] VERB ...",
        description="Decode behaviour from cortex-wide calcium imaging, across mice.\n"
        "The workflow (`snakemake`) calls these verbs; each can be typed by hand.",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # leaves the list of verbs as it is
    )
    top.add_argument("--version", action="version", version=f"mesodecode {__version__}")
    verbs = top.add_subparsers(
        prog="mesodecode", dest="verb", required=True, metavar="VERB", help=argparse.SUPPRESS
    )
    words = {}
    for verb in chosen:
        module = importlib.import_module(f"mesodecode.cli.{VERBS[verb]}")
        words[verb] = module.HELP
        sub = verbs.add_parser(
            verb,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    top.epilog = _by_room(words)
    return top


def _by_room(words: dict[str, str]) -> str:
    """Return verbs and their words under the rooms, and last those that only the workflow calls."""
    last = "called by the workflow only"
    groups = {title: [] for title in (*ROOMS.values(), last)}
    for verb in words:
        room = ROOMS[VERBS[verb].partition(".")[0]]
        groups[last if verb in FOR_WORKFLOW else room].append(verb)
    width = min(shutil.get_terminal_size().columns, 100)
    lines = []
    for title, verbs in groups.items():
        if verbs:
            lines += ["", f"{title}:"]
        for verb in verbs:
            lines += textwrap.wrap(
                words[verb],
                width,
                initial_indent=f"  {verb:<19} ",
                subsequent_indent=" " * 22,
            )
    return "\n".join(["VERB is one of the following; `mesodecode VERB --help` says more.", *lines])


def _known(top: argparse.ArgumentParser, words: list[str]) -> None:
    """End with the nearest verbs where the first word is none."""
    if words and not words[0].startswith("-") and words[0] not in VERBS:
        near = difflib.get_close_matches(words[0], VERBS)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        top.error(f"no verb '{words[0]}'; {meant}`mesodecode --help` lists all")


def _of_machine(error: Exception, args: argparse.Namespace) -> str | None:
    """Return an error of files, disk or memory as one line; None for others, which are bugs."""
    number = getattr(error, "errno", None)
    line = one_line(error)
    if number in NO_SPACE:
        where = error.filename or line
        larger = "take a disk of larger files (FAT ends at 4 GB), or raise `ulimit -f`,"
        mend = larger if number == errno.EFBIG else "free some"
        return f"{where}: no space left ({os.strerror(number)}); {mend} and run it again"
    if number in WAYS_OUT:
        # h5py's, which sets no filename
        named = re.search(r"name = '(.*?)', (?:file descriptor = \d+, )?errno", line)
        if path := error.filename or (named and named[1]):
            return f"{path}: {os.strerror(number)}; {WAYS_OUT[number]}"
    if not isinstance(error, MemoryError) and number != errno.ENOMEM:
        if any(words in line for words in NO_MEMORY):
            line = line.split(". ")[0]  # torch goes on about its allocator
        else:
            return line if isinstance(error, OSError) else None
    settings = [key for key in SPENDERS if hasattr(args, key)] or ["image_size in the config"]
    raised = {"finetune": "run_length", "cutout": "blocks"}.get(args.verb)
    runs = f" (or raise {raised})" if raised else ""
    return f"out of memory ({line or 'MemoryError'}); lower {' or '.join(settings)}{runs}"


def files_of(
    top: argparse.ArgumentParser, args: argparse.Namespace
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return what a verb writes, by its flags of type `Written`, and other words it is given.

    Each as pairs of a path and its flag.
    """
    (verbs,) = (one for one in top._actions if isinstance(one, argparse._SubParsersAction))
    written: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    for flag in verbs.choices[args.verb]._actions:
        given = getattr(args, flag.dest, None)
        name = (flag.option_strings or [flag.dest])[-1]
        for value in given if isinstance(given, list) else [given]:
            if isinstance(flag.type, Written) and value is not None:
                written += [(path, name) for path in flag.type.files(value)]
            elif isinstance(value, str | Path):
                others.append((str(value), name))
    return written, others


def _check_written(top: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Raise UserError if a file to write is one of those to read, or is to be written twice."""
    written, others = files_of(top, args)
    flags: dict[str, str] = {}
    for path, name in written:
        if (other := flags.setdefault(os.path.realpath(path), name)) != name:
            raise UserError(f"{path}: to be written by both {other} and {name}; name two files")
    for path, name in others:
        if (out := flags.get(os.path.realpath(path))) and os.path.isfile(path):
            raise UserError(
                f"{path}: is read ({name}), and {out} would write over it; name another file"
            )


def _alone(args: argparse.Namespace) -> AbstractContextManager:
    """Return what keeps two copies of a training with a checkpoint from running at once.

    A scheduler may start a job again while the first copy still runs, on a node that it has lost
    sight of. The second waits for the first, and then finds it finished.
    """
    path = getattr(args, "checkpoint", None)
    return nullcontext() if path is None else Lock(path.with_suffix(".lock"))


def main(argv: list[str] | None = None) -> int:
    """Run one verb; return its exit status (0 done, 1 bad input, 2 bad usage, 143 stopped)."""
    words = sys.argv[1:] if argv is None else argv
    top = parser(words[:1] if words and words[0] in VERBS else VERBS)
    _known(top, words)
    args = top.parse_args(words)
    try:
        _check_written(top, args)
        with _alone(args):
            args.run(args)
    except UserError as error:
        say(f"mesodecode {args.verb}: error: {error}")
        return 1
    except (OSError, MemoryError, RuntimeError) as error:
        words = _of_machine(error, args)
        if words is None:
            raise
        say(f"mesodecode {args.verb}: error: {words}")
        if getattr(error, "errno", None) in NO_SPACE and "h5py" in sys.modules:
            os._exit(1)  # HDF5 crashes as it frees a file that it could not write
        return 1
    except Stopped as stopped:
        say(f"mesodecode {args.verb}: {stopped}")
        return 143  # as if the signal had ended it, so that a scheduler sees an unfinished job
    except KeyboardInterrupt as error:
        words = str(error) or "interrupted, nothing written"
        say(f"mesodecode {args.verb}: {words}")
        return 130
    return 0
