"""Say what a run would take, and whether it can start, before anything is submitted.

Example: mesodecode plan --configfile config.yaml --profile slurm

Run it where you would run snakemake. It prints jobs and submissions by rule, core-hours (reserved
cores x hours) and GPU-hours, GB of disk, and checks, each ok, warn or FAIL with what to do. Hours
are means of the benchmark files in results/{study}/benchmarks where a job of the same rule and
decoder has run, else the rule's time limit: an upper bound. Exit status 1 if a check fails.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mesodecode.base.files import say

if TYPE_CHECKING:
    from mesodecode.running.plan import DryRun
    from mesodecode.running.preflight import Check
    from mesodecode.study.study import Study
from mesodecode.cli import options

HELP = "jobs, hours, disk and checks of a run before it starts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--configfile", default="config.yaml", help="config of the study (default: config.yaml)")
    add("--profile", help="profile of Snakemake, such as slurm (default: this machine)")
    add(
        "--write-partitions",
        nargs="?",
        const=Path("slurm/partitions.yaml"),
        type=options.FILE,
        metavar="FILE",
        help="first write the limits of the cluster's partitions, by which the profile chooses one "
        "for each job (default: slurm/partitions.yaml)",
    )


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError
    from mesodecode.recordings import heads, source_files
    from mesodecode.running import partitions, plan, preflight
    from mesodecode.running.preflight import FAIL, OK, Check
    from mesodecode.study import study as studies

    if args.write_partitions:
        print("\n".join([f"{args.write_partitions}:", *partitions.write(args.write_partitions)]))
        print("the executor uses it where the profile has it as slurm-partition-config\n")
    study = studies.load(args.configfile)
    checks = [Check("config", OK, f"{args.configfile}: {len(study.allocations)} allocations")]
    data = source_files.data(study)
    checks += [
        data,
        *(heads.named(study) if data.state != FAIL else []),
        preflight.weights(study),
        *preflight.masks(study),
        *_explained(study),
        *_compared(study),
    ]
    if all(check.state != FAIL for check in checks):
        say("asking Snakemake for the jobs …")
        dry = plan.dry_run(args.configfile, args.profile)
        if dry.jobs:
            _print_jobs(dry)
            print(f"{plan.sharing(study)}\n" if study.decoders else "", end="")
        else:
            print("nothing to be done\n")
        checks += _disk_checks(dry, study)
        checks += [preflight.submissions(dry)] if dry.executor != "local" else []
        checks += preflight.slurm(dry)
    for check in checks:
        print(f"{check.state:<5} {check.what:<12} {check.words}")
    failed = [check.what for check in checks if check.state == FAIL]
    if failed:
        raise UserError(f"not ready: {', '.join(failed)} (see above)")


def _explained(study: Study) -> list[Check]:
    """Return whether the CNNs of which maps of pixels are asked for can have them."""
    from mesodecode.base.files import UserError
    from mesodecode.running.preflight import FAIL, OK, Check
    from mesodecode.study import importance

    names = importance.backbones_of_pixels(study.config["importance"], study.decoders)
    if not names:
        return []
    from mesodecode.explain.explainable import check_backbone  # torch, and only here

    try:
        for name in names:
            check_backbone(name)
    except UserError as error:
        return [Check("importance", FAIL, str(error))]
    return [Check("importance", OK, f"{', '.join(names)}: maps of pixels can be made")]


def _compared(study: Study) -> list[Check]:
    """Return whether tables that comparisons read hold their decoders and mice; [] without one."""
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_table
    from mesodecode.running.preflight import FAIL, OK, Check
    from mesodecode.scores.published_tests import keep, select

    read = []
    for name, line in study.config["comparisons"].items():
        path, see = line.get("source"), f"see comparisons.{name} in the config"
        if path is None or Path(path).is_relative_to(Path("results") / study.name):
            continue  # the run makes it
        try:
            table = read_table(path, [line["by"], "auc", "test_mouse", "valid_mouse"])
            keep(select(table, line.get("where", {})), line["by"], line["decoders"])
        except FileNotFoundError:
            return [Check("comparisons", FAIL, f"no file {path}; {see}")]
        except UserError as error:
            words = str(error).removeprefix(f"{path}: ")
            return [Check("comparisons", FAIL, f"{path}: {words}; {see}")]
        read.append(path)
    words = ", ".join(dict.fromkeys(read))
    return [Check("comparisons", OK, words)] if read else []


def _disk_checks(dry: DryRun, study: Study) -> list[Check]:
    from mesodecode.base.files import UserError
    from mesodecode.recordings import source_files
    from mesodecode.running import plan, preflight

    try:
        movies = source_files.movie_sizes(study)
    except UserError as error:
        return [preflight.Check("data", preflight.FAIL, str(error))]
    needed = plan.disk(dry.jobs, study, movies)
    parts = [f"{folder} {preflight.gigabytes(size)}" for folder, size in sorted(needed.items())]
    if parts:
        print(f"disk: {', '.join(parts)}\n")
    return [preflight.space(needed), *preflight.windows(study, movies)]


def _print_jobs(dry: DryRun) -> None:
    from mesodecode.running import plan

    lines = plan.estimates(dry)
    sent = dry.executor != "local"
    head = ("rule", "jobs", "submitted" if sent else "", "core-hours", "GPU-hours")

    def show(*cells: object) -> None:
        print("{:<20}{:>6}{:>11}{:>12}{:>11}  {}".format(*cells).rstrip())

    def shown(number: float) -> str:
        return f"{number:.1f}" if number >= 10 else f"{number:.2f}"

    show(*head, "hours from")
    for line in lines:
        hours = ("", "") if line.local else (shown(line.core_hours), shown(line.gpu_hours))
        show(line.rule, line.jobs, line.submissions if sent else "", *hours, line.basis)
    core, gpu = (shown(sum(getattr(x, key) for x in lines)) for key in ("core_hours", "gpu_hours"))
    show("total", len(dry.jobs), len(dry.submissions) if sent else "", core, gpu, "")
    print(
        "measured: mean of earlier jobs of the same rule and decoder; limit: runtime of the rule,\n"
        "an upper bound; local: seconds, where snakemake runs\n"
    )
