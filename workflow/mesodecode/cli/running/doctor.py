"""Look at the environment and the machine, in ten lines, each with what to do.

Example: mesodecode doctor

Python, packages against the lock, torch, GPUs, cores and memory, filters of HDF5, disk, SLURM,
weights, libraries of formats. Each line is ok, warn, FAIL, or - where there is nothing of the kind.
Run it in the folder of your study, where you run snakemake; on a cluster also in a job
(`srun --gpus=1 mesodecode doctor`). It asks huggingface.co once whether weights could be fetched,
and leaves no file. Paste what it prints into a report of a bug. Exit status 1 if a check fails.
"""

import argparse

HELP = "environment and machine in ten lines, each with what to do"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb; it has none."""


def run(args: argparse.Namespace) -> None:
    """Print the checks; UserError if one failed."""
    from mesodecode.base.files import UserError
    from mesodecode.running import doctor
    from mesodecode.running.preflight import FAIL

    failed = []
    for check in doctor.look():
        print(f"{check.state:<5} {check.what:<9} {check.words}", flush=True)
        failed += [check.what] if check.state == FAIL else []
    if failed:
        raise UserError(f"not ready: {', '.join(failed)} (see above)")
