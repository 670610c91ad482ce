"""Sum up what a study cost: jobs, hours and memory of each rule, from Snakemake's benchmark files.

Example: mesodecode runtimes --config results/demo/config.json --benchmarks results/demo/benchmarks
--out results/demo/tables/runtimes.tsv

Columns: jobs; missing (jobs without a file); unmeasured (jobs that ended before Snakemake looked at
their CPU time and memory); wall_hours, summed over jobs; longest_hours; cpu_hours; max_memory_mb.
With --efficiency also cpu_used_percent and memory_used_percent of what was reserved on SLURM: the
executor writes its report when Snakemake ends, after report.html, so call this once more then.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import TYPE_CHECKING

from mesodecode.cli import options

if TYPE_CHECKING:
    from mesodecode.study.study import Study

HELP = "benchmark files → hours and memory by rule"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--config", "config of the study: names of its jobs")
    options.add_folder(parser, "--benchmarks", "folder of benchmark files; may be absent")
    words = "efficiency_report_….csv of the SLURM executor (default: none)"
    options.add_file(parser, "--efficiency", words, required=False)
    options.add_out(parser, "TSV to write")


def run(args: argparse.Namespace) -> None:
    from mesodecode.encoding import study as encoding
    from mesodecode.running import runtimes
    from mesodecode.study import config_file
    from mesodecode.study import study as studies

    config, others, only = config_file.read(args.config), set(), {}
    if encoding.is_encoding(config):
        known = encoding.resolve(config).names
    else:
        study = studies.resolve(config)
        (known, others), only = _names(study), _analyses(study)
    rows = runtimes.collect(args.benchmarks, known, others, only)
    if args.efficiency:
        rows = runtimes.with_efficiency(rows, args.efficiency)
    runtimes.write(rows, args.out)


def _names(study: Study) -> tuple[list[Collection[str]], set[str]]:
    """Return `known` and `others` of `runtimes.collect`: what benchmark files are called by."""
    config, tests = study.config, study.allocations.values()
    trainings = dict.fromkeys(tuple(study.trainings(name)) for name in study.decoders)
    known = [study.allocations, study.mouse_of, config["shift"]["decoders"], study.decoders]
    known += [config["importance"], config["comparisons"], *trainings]
    known += [*study.ceilings.values(), study.variants]
    others = {f"{one}.{mouse}" for names in trainings for one in names for mouse in study.mice}
    others |= {*study.mice, *(f"test-{allocation.joined('test')}" for allocation in tests)}
    blocks = max((item.get("blocks", 0) for item in config["importance"].values()), default=0)
    return known, others | {f"block{number + 1}" for number in range(blocks)}


def _analyses(study: Study) -> dict[str, Collection[str]]:
    """Return `only` of `runtimes.collect`: of rules that a study may do without, what they do."""
    shift, controls = (study.config[key]["decoders"] for key in ("shift", "confounds"))
    return {
        "image_shift": ["image_shift"] if shift else [],
        "shift": shift,
        "control_signals": study.mice if controls else [],
        "decode_controls": study.allocations if controls else [],
        "hold_out": study.ceilings,
        "hold_out_images": study.ceilings,
        "calibrate": ["calibrate"] if study.config["target"] == "run" else [],
    }
