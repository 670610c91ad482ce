"""Run a command, such as snakemake, whose `mesodecode` verbs share one start of Python.

Example: mesodecode warm --progress snakemake --cores 2 --configfile demo.yaml

Each job of a small study spends seconds on imports; here a server has made them once, and is
copied for each job. On this machine only: jobs sent to a cluster start as ever. Edits of the code
while the command runs are not seen, and CPU and memory in `benchmarks/` are not those of the jobs
(their seconds are). Exit status: that of the command.
"""

from __future__ import annotations

import argparse
import os

HELP = "run snakemake with verbs that share one start of Python"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = "show one line of progress and what fails, not Snakemake's words on every job, which "
    words += "are in its log (.snakemake/log)"
    parser.add_argument("--progress", action="store_true", help=words)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command and its words")


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.cli import main, parser
    from mesodecode.running import job_progress, warm

    if not args.command:
        raise UserError("no command; give one, such as: mesodecode warm snakemake --cores 2")
    if args.progress:
        os.environ[job_progress.VARIABLE] = "1"
    parser()  # imports all verbs, which copies need not do again
    raise SystemExit(warm.serve(args.command, main))
