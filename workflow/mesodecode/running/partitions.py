"""The partitions of a SLURM cluster: what their nodes have, and which of them a job is sent to.

The SLURM executor sends a job to the partition that fits it best, of those that a file lists
(``--slurm-partition-config``). The file is made by the executor's own generator, whose limits are
put right by what `sinfo` says of the nodes: it divides the cores of a partition by its nodes, knows
GPUs only where accounting counts them, takes the default of memory a core for the most, and lists
partitions that are down or closed to the user.
"""

import getpass
import grp
import logging
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from mesodecode.base.files import UserError, one_line, write_text
from mesodecode.running.plan import Job

TIMEOUT = 15  # seconds for an answer of SLURM
GENERATOR = "snakemake_executor_plugin_slurm.cli"  # the command generate-slurm-partition-config
HEADER = (
    "# Made by `mesodecode plan --write-partitions`: what a job may ask for in each partition, by\n"
    "# which the executor chooses one (max_runtime as days-hours:minutes:seconds, others a node).\n"
    "# Take out what you do not want used.\n"
)


def ask(*words: str, timeout: float = TIMEOUT) -> str:
    """Return what a command prints; UserError if it fails or does not answer."""
    line = " ".join(words)
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout)
    except OSError as error:
        raise UserError(f"{line}: {error}") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{line}: no answer in {timeout} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no word"]
        raise UserError(f"{line}: {said[-1]}")
    return done.stdout


@dataclass(frozen=True)
class Nodes:
    """Nodes of one kind in a partition; `minutes` is its time limit, None without one."""

    partition: str
    up: bool
    minutes: float | None
    gpus: dict[str, int]  # type ("" where it has none) -> number a node
    cores: int
    memory: int  # MB


def nodes() -> tuple[list[Nodes], str | None]:
    """Return what `sinfo` lists, and the name of the default partition."""
    found, default = [], None
    for line in ask("sinfo", "--noheader", "--exact", "--format=%P|%a|%l|%G|%c|%m").splitlines():
        name, up, limit, gres, cores, memory = line.split("|")
        if name.endswith("*"):
            name = default = name[:-1]
        cards = re.findall(r"gpu(?::([^:,(]*[^:,(\d][^:,(]*))?:(\d+)", gres)
        gpus = {kind: int(number) for kind, number in cards}
        numbers = (int(cores.rstrip("+")), int(memory.rstrip("+")))
        found.append(Nodes(name, up == "up", minutes(limit), gpus, *numbers))
    return found, default


def minutes(limit: str) -> float | None:
    """Return SLURM's days-hours:minutes:seconds in minutes; None for infinite."""
    if not re.fullmatch(r"(\d+-)?[\d:]+", limit):
        return None
    days, _, clock = limit.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if days:  # days-hours[:minutes[:seconds]]
        parts += [0] * (3 - len(parts))
    seconds = sum(part * 60**i for i, part in enumerate(reversed(parts)))
    return int(days or 0) * 1440 + seconds / 60


def write(path: str | Path) -> list[str]:
    """Write the file of partitions; return a line on each, also on those that are left out.

    Raises UserError if SLURM or the generator does not answer, or no partition is left.
    """
    made = yaml.safe_load(ask(sys.executable, "-m", GENERATOR, timeout=60))["partitions"]
    kinds, _ = nodes()
    shown = _settings(ask("scontrol", "show", "partition"))
    lines, kept = [], {}
    for name, limits in made.items():
        mine = [n for n in kinds if n.partition == name and n.up]
        why = _closed(shown.get(name, {})) if mine else "down, or without nodes"
        if why:
            lines.append(f"{name}: left out: {why}")
            continue
        kept[name] = _limits(limits, mine, shown.get(name, {}))
        lines.append(f"{name}: {', '.join(f'{key} {v}' for key, v in kept[name].items())}")
    if not kept:
        raise UserError(f"{path}: not written, as no partition takes jobs: {'; '.join(lines)}")
    write_text(path, HEADER + yaml.safe_dump({"partitions": kept}, sort_keys=False))
    return lines


def _settings(text: str) -> dict[str, dict[str, str]]:
    """Return the settings of each partition that `scontrol show partition` prints."""
    found: dict[str, dict[str, str]] = {}
    for word in text.split():
        key, _, value = word.partition("=")
        if key == "PartitionName":
            found[value] = mine = {}
        elif found:
            mine[key] = value
    return found


def _closed(settings: dict[str, str]) -> str | None:
    """Say why the user's jobs are not taken by a partition; None if they are."""
    if settings.get("State", "UP") != "UP":
        return f"its state is {settings['State']}"
    if os.geteuid() == 0:
        return None
    if settings.get("RootOnly") == "YES":
        return "RootOnly"
    allowed = settings.get("AllowGroups", "ALL")
    if allowed != "ALL" and not _groups() & set(allowed.split(",")):
        return f"for the groups {allowed} alone"
    mine, allowed = _accounts(), settings.get("AllowAccounts", "ALL")
    if mine and allowed != "ALL" and not mine & set(allowed.split(",")):
        return f"for the accounts {allowed} alone"
    denied = set(filter(None, settings.get("DenyAccounts", "").split(",")))
    return f"not for the accounts {', '.join(sorted(mine))}" if mine and mine <= denied else None


def _groups() -> set[str]:
    known = {group.gr_gid: group.gr_name for group in grp.getgrall()}
    return {known[gid] for gid in os.getgroups() if gid in known}


def _accounts() -> set[str]:
    """Return the user's accounts; none where accounting is off."""
    try:
        user = f"user={getpass.getuser()}"
        return set(ask("sacctmgr", "-nP", "show", "assoc", user, "format=account").split())
    except UserError:
        return set()


def _limits(made: dict[str, Any], mine: Sequence[Nodes], settings: dict[str, str]) -> dict:
    """Return the limits of a partition, those of the generator put right by its nodes."""

    def most(node: int, key: str) -> int:
        limit = settings.get(key, "")
        return min(node, int(limit)) if limit.isdigit() and int(limit) else node

    gpus = max(number for n in mine for number in (0, *n.gpus.values()))
    limits = {key: made[key] for key in ("max_runtime", "max_nodes", "cluster") if key in made}
    limits["max_threads"] = most(max(n.cores for n in mine), "MaxCPUsPerNode")
    limits["max_mem_mb"] = most(max(n.memory for n in mine), "MaxMemPerNode")
    if gpus:
        limits["max_gpu"] = gpus
    models = sorted({model for n in mine for model in n.gpus})
    if models and "" not in models:
        limits["available_gpu_models"] = models
    return limits


class _Resources(dict):
    __getattr__ = dict.get


def _as_executor_sees(submission: Sequence[Job]) -> SimpleNamespace:
    """Return a submission as the executor's functions take it: times added, else the most."""
    together = _Resources()
    for job in submission:
        for key, value in job.resources.items():
            number = isinstance(value, int) and key in together
            together[key] = max(together[key], value) if number else value
    together["runtime"] = sum(job.resources.get("runtime", 0) for job in submission)
    threads = max(job.threads for job in submission)
    return SimpleNamespace(name=submission[0].rule, threads=threads, resources=together)


def chosen(path: str | Path, submission: Sequence[Job]) -> str | None:
    """Return the partition that the executor sends a submission to; None if none of the file fits.

    Raises UserError if the executor cannot read the file, or refuses what the jobs ask for.
    """
    from snakemake_executor_plugin_slurm import partitions as plugin
    from snakemake_interface_common.exceptions import WorkflowError

    needs = _as_executor_sees(submission)
    quiet, read = logging.Logger(__name__, logging.CRITICAL), False
    try:
        listed = plugin.read_partition_file(Path(path))
        read = True
        return plugin.get_best_partition(listed, needs, quiet)
    except (
        WorkflowError,
        TypeError,
        ArithmeticError,
        LookupError,
        ValueError,
        AttributeError,
    ) as error:
        why = one_line(error)
        if read and isinstance(error, WorkflowError):  # a GPU by both gpu and gres
            rule = submission[0].rule
            raise UserError(f"{rule}: the SLURM executor refuses its resources ({why})") from None
        again = "make it again with `mesodecode plan --profile slurm --write-partitions`"
        raise UserError(f"{path}: the SLURM executor cannot read it ({why}); {again}") from None


def refused_gpu(submission: Sequence[Job]) -> str | None:
    """Return the GPU of a submission whose name the executor refuses, as one with a hyphen."""
    from snakemake_executor_plugin_slurm.utils import set_gres_string
    from snakemake_interface_common.exceptions import WorkflowError

    for job in submission:
        try:
            set_gres_string(SimpleNamespace(resources=_Resources(job.resources)))
        except WorkflowError:
            return str(job.resources.get("gres") or job.resources["gpu_model"])
    return None
