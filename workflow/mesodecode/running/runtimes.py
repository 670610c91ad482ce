"""What a study cost to compute, from the benchmark files that Snakemake writes.

A file of a job that is not (or no longer) one of the study is left out: of a mouse that was
excluded, of a decoder that was renamed, of controls that are no longer asked for. A file that is
missing is counted, and stops nothing.
"""

import csv
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mesodecode.base.files import UserError, atomic_path

COLUMNS = (
    *("rule", "jobs", "missing", "unmeasured", "wall_hours", "longest_hours"),
    *("cpu_hours", "max_memory_mb"),
)
# What the SLURM executor's efficiency report adds, in percent of what was reserved.
EFFICIENCY = ("cpu_used_percent", "memory_used_percent")
CLIENT_MB = 20.0  # more than a client of `mesodecode warm` takes, less than a Python of one's own


def collect(
    folder: str | Path,
    known: Sequence[Collection[str]],
    others: Collection[str] = (),
    only: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Return a row a rule, with `COLUMNS`, of `folder/{rule}/[{name}/…]{last}.tsv`, sorted by rule.

    `known`: the names that a study has, in sets of what belongs together (allocations, sessions,
    decoders, …). A file counts if all parts of its path below the rule are known. Of a folder with
    a file for one member of a set, the others are expected: `missing` says how many are not there.
    `others` are names that count too, of which a rule has some only: none is expected.
    `only`: rule -> what its files may be of, the first part of their path below the rule, or the
    rule itself where it has one file. Of an analysis that was taken out, that is nothing.
    wall_hours is the sum over jobs, from start to end each; cpu_hours and max_memory_mb (largest
    resident set of a job, of samples that are 30 s apart after its first quarter of a minute) are
    over the jobs that Snakemake could measure: `unmeasured` ended before it looked, or were done by
    the server of `mesodecode warm`. Only the last run of a job is known; what a job that was killed
    had used is not. Raises UserError for a file that is no benchmark.
    """
    folder = Path(folder)
    everything = {name for names in (*known, others) for name in names}
    found: dict[str, dict[Path, list[dict[str, float]]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        rule, *names = path.relative_to(folder).with_suffix("").parts
        asked = rule not in only or (names or [rule])[0] in only[rule]
        if asked and all(name in everything for name in names):
            found.setdefault(rule, {})[path] = _read(path)
    return [
        {"rule": rule, "missing": _missing(files, known)}
        | _sums([line for lines in files.values() for line in lines])
        for rule, files in found.items()
    ]


def with_efficiency(rows: Iterable[dict[str, Any]], path: str | Path) -> list[dict[str, Any]]:
    """Return rows of `collect` with `EFFICIENCY`, from a report of the SLURM executor (CSV).

    cpu_used_percent is the mean over a rule's submissions by their time, memory_used_percent the
    largest; NaN for rules that were not submitted. Submissions of a group count for its rule.
    Raises UserError for another file, and for one in which accounting kept no names of rules.
    """
    columns = ("RuleName", "Elapsed_sec", "CPU Efficiency (%)", "Memory Usage (%)")
    found: dict[str, list[list[float]]] = {}
    try:
        with open(path, encoding="utf-8") as file:
            for line in csv.DictReader(file):
                name, *numbers = (line[column] for column in columns)
                rule = name.removeprefix("rule_").partition("_wildcards_")[0]
                rule = re.sub(r"^(\w+)_\1$", r"\1", rule)  # a group: its name, and its rule's
                found.setdefault(rule, []).append([float(number) for number in numbers])
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # None of a short line
        raise UserError(
            f"{path}: not an efficiency report of the SLURM executor, with names of rules "
            f"({error}); set slurm-efficiency-report in the profile, on a cluster with comments"
        ) from None
    return [row | _efficiency(found.get(row["rule"], [])) for row in rows]


def _efficiency(jobs: Sequence[Sequence[float]]) -> dict[str, float]:
    if not jobs:
        return dict.fromkeys(EFFICIENCY, math.nan)
    total = sum(seconds for seconds, _, _ in jobs)
    cpu = sum(seconds * used for seconds, used, _ in jobs) / total if total else math.nan
    return dict(zip(EFFICIENCY, (cpu, max(memory for _, _, memory in jobs)), strict=True))


def write(rows: Iterable[dict[str, Any]], path: str | Path) -> None:
    """Write rows of `collect` or `with_efficiency` as TSV; without rows the header only."""
    rows = list(rows)
    columns = (*COLUMNS, *(EFFICIENCY if rows and EFFICIENCY[0] in rows[0] else ()))
    with atomic_path(path) as part, open(part, "w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(columns)
        for row in rows:
            cells = (row[name] for name in columns)
            table.writerow([f"{c:.6g}" if isinstance(c, float) else c for c in cells])


def read(path: str | Path) -> list[dict[str, Any]]:
    """Read what `write` wrote; rows may be none. Raises UserError if the file is another."""
    try:
        with open(path, encoding="utf-8") as file:
            table = csv.DictReader(file, delimiter="\t")
            header = tuple(table.fieldnames or ())
            if header not in (COLUMNS, (*COLUMNS, *EFFICIENCY)):
                raise ValueError
            return [
                {"rule": line["rule"]} | {name: float(line[name]) for name in header[1:]}
                for line in table
            ]
    except (TypeError, ValueError):
        raise UserError(f"{path}: not a table of `mesodecode runtimes`; make it again") from None


def _read(path: Path) -> list[dict[str, float]]:
    """Return wall and CPU time (s) and memory (MB) of each line; NaN where not measured."""
    columns = {"wall": "s", "cpu": "cpu_time", "memory": "max_rss"}
    try:
        with open(path, encoding="utf-8") as file:
            lines = list(csv.DictReader(file, delimiter="\t"))
        found = [{key: _number(line[name]) for key, name in columns.items()} for line in lines]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: not a benchmark file of Snakemake ({error}); delete it"
        ) from error
    nothing = {"cpu": math.nan, "memory": math.nan}
    return [line | nothing if line["memory"] < CLIENT_MB else line for line in found]


def _number(text: str) -> float:
    return math.nan if text in ("NA", "-", "") else float(text)


def _missing(files: Iterable[Path], known: Sequence[Collection[str]]) -> int:
    missing = 0
    stems: dict[Path, set[str]] = {}
    for path in files:
        stems.setdefault(path.parent, set()).add(path.stem)
    for there in stems.values():
        wanted = next((set(names) for names in known if there <= set(names)), there)
        missing += len(wanted - there)
    return missing


def _sums(lines: Sequence[dict[str, float]]) -> dict[str, Any]:
    seen = [line for line in lines if not math.isnan(line["cpu"] + line["memory"])]
    wall = [line["wall"] for line in lines]
    return {
        "jobs": len(lines),
        "unmeasured": len(lines) - len(seen),
        "wall_hours": sum(wall) / 3600,
        "longest_hours": max(wall) / 3600,
        "cpu_hours": sum(line["cpu"] for line in seen) / 3600 if seen else math.nan,
        "max_memory_mb": max((line["memory"] for line in seen), default=math.nan),
    }
