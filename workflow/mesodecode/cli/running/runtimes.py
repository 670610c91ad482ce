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
from pathlib import Path

HELP = "benchmark files → hours and memory by rule"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    add = parser.add_argument
    add("--config", type=Path, required=True, help="config of the study: names of its jobs")
    add("--benchmarks", type=Path, required=True, help="folder of benchmark files; may be absent")
    words = "efficiency_report_….csv of the SLURM executor (default: none)"
    add("--efficiency", type=Path, metavar="FILE", help=words)
    add("--out", type=Path, required=True, help="TSV to write")


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    from mesodecode.encoding import study as encoding
    from mesodecode.running import runtimes
    from mesodecode.study import config_file
    from mesodecode.study import study as studies

    config = config_file.read(args.config)
    if encoding.is_encoding(config):
        known = encoding.resolve(config).names
    else:
        study = studies.resolve(config)
        tables = (study.config["importance"], study.config["comparisons"])
        known = [study.allocations, study.mouse_of, study.decoders, *tables]
        known += [*study.ceilings.values(), study.variants]
    rows = runtimes.collect(args.benchmarks, known)
    if args.efficiency:
        rows = runtimes.with_efficiency(rows, args.efficiency)
    runtimes.write(rows, args.out)
