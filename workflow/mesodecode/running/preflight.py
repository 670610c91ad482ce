"""Checks before a run: config, data, weights, disk, and the cluster that the profile names."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mesodecode.base.files import UserError, file_of, verify_checksum
from mesodecode.running.plan import DryRun, Job
from mesodecode.study.study import Study

OK, WARN, FAIL, SKIPPED = "ok", "warn", "FAIL", "-"
MANY = 1000  # submissions; schedulers and their other users notice more
TIMEOUT = 15  # seconds for an answer of SLURM


@dataclass(frozen=True)
class Check:
    """What was looked at, how it stands (OK, WARN, FAIL, SKIPPED), and what to do."""

    what: str
    state: str
    words: str


def weights(study: Study) -> Check:
    """Check that the first weights of CNNs are there, or can be fetched."""
    chosen = [d.settings for d in study.decoders.values() if d.settings.get("pretrained")]
    fetched = {s["backbone"] for s in chosen if s["pretrained"] == "imagenet"}
    own = set(filter(None, (file_of(s["pretrained"]) for s in chosen)))
    paths = {Path("results/weights") / f"{backbone}.pt" for backbone in fetched}
    for path in sorted(map(Path, own)):
        if not path.is_file():
            return Check("weights", FAIL, f"no file {path}; see pretrained: in the config")
    absent = sorted(str(path) for path in paths if not path.exists())
    try:
        for path in paths.union(map(Path, own)) - set(map(Path, absent)):
            verify_checksum(path)
    except UserError as error:
        return Check("weights", FAIL, str(error))
    if absent:
        words = f"{', '.join(absent)} will be fetched first, where snakemake runs: needs internet"
        return Check("weights", WARN, f"{words} (or copy the file and its .sha256 there)")
    return Check("weights", OK, f"{len(paths) + len(own)} files" if paths | own else "none needed")


def space(needed: dict[str, int]) -> Check:
    """Check that the bytes needed are free where results go."""
    folder = Path("results").resolve()
    free = shutil.disk_usage(folder if folder.exists() else ".").free
    total = sum(needed.values())
    words = f"{gigabytes(total)} needed, {gigabytes(free)} free (your quota may be less)"
    if total > free:
        largest = max(needed, key=needed.get)
        return Check("disk", FAIL, f"{words}; most for {largest}/: link results/ to a larger disk")
    return Check("disk", WARN if total > 0.8 * free else OK, words)


def gigabytes(size: float) -> str:
    """Return a number of bytes in GB, in MB below one."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def submissions(run: DryRun) -> Check:
    """Check that a cluster is not sent thousands of jobs."""
    number, words = len(run.submissions), f"{len(run.submissions)} for {len(run.jobs)} jobs"
    if number > MANY:
        words += "; raise group-components in the profile, or choose fewer allocations or decoders"
        return Check("submissions", WARN, words)
    return Check("submissions", OK, words)


def slurm(run: DryRun) -> list[Check]:
    """Check the cluster against what the jobs ask for; only where the profile submits to SLURM."""
    if run.executor != "slurm":
        here = "not asked for: no --profile slurm" if shutil.which("sinfo") else "no SLURM here"
        return [Check("SLURM", SKIPPED, f"not looked at ({here})")]
    if not shutil.which("sinfo"):
        words = "no command sinfo; run this where you submit jobs, or load the cluster's module"
        return [Check("SLURM", FAIL, words)]
    checks = [controller()]
    if checks[0].state == FAIL:
        return checks
    for check in (_partitions, _accounting):
        try:
            checks += check(run)
        except UserError as error:
            checks.append(Check("SLURM", WARN, str(error)))
    return checks


def controller() -> Check:
    """Check that SLURM's controller answers."""
    try:
        ping = _ask("scontrol", "ping")
    except UserError as error:
        ping = str(error)
    if "is UP" not in ping:
        return Check("SLURM", FAIL, f"the controller does not answer: {' '.join(ping.split())}")
    return Check("SLURM", OK, "the controller answers")


def _ask(*words: str) -> str:
    """Return what a command of SLURM prints; UserError if it fails or does not answer."""
    line = " ".join(words)
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT)
    except OSError as error:
        raise UserError(f"{line}: {error}") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{line}: no answer in {TIMEOUT} s") from None
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


def partitions() -> tuple[list[Nodes], str | None]:
    """Return what `sinfo` lists, and the name of the default partition."""
    found, default = [], None
    for line in _ask("sinfo", "--noheader", "--exact", "--format=%P|%a|%l|%G|%c|%m").splitlines():
        name, up, limit, gres, cores, memory = line.strip().split("|")
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


def _partitions(run: DryRun) -> Iterable[Check]:
    nodes, default = partitions()
    known = list(dict.fromkeys(n.partition for n in nodes))
    asked: dict[str | None, list[list[Job]]] = {}
    for submission in run.submissions:
        names = submission[0].resources.get("slurm_partition") or default
        asked.setdefault(names, []).append(submission)
    for names, jobs in asked.items():
        if names is None:
            words = f"the cluster has no default: set slurm_partition, one of {', '.join(known)}"
            yield Check("partition", FAIL, words)
            continue
        kinds = [n for n in nodes if n.partition in str(names).split(",")]
        if not kinds:
            words = f"no '{names}'; slurm_partition in the profile: one of {', '.join(known)}"
            yield Check("partition", FAIL, words)
        elif not any(n.up for n in kinds):
            yield Check("partition", WARN, f"{names} is down: jobs wait until it is up")
        else:
            faults = {fault for submission in jobs for fault in _faults(submission, kinds)}
            state = FAIL if faults else OK
            yield Check("partition", state, f"{names}: {'; '.join(sorted(faults)) or 'fits'}")


def _faults(submission: list[Job], kinds: list[Nodes]) -> Iterable[str]:
    """Yield what a submission asks for that no node of its partition has."""
    rule, run_time = submission[0].rule, sum(j.resources.get("runtime", 0) for j in submission)
    if all(n.minutes is not None and n.minutes < run_time for n in kinds):
        most = max(n.minutes for n in kinds)
        yield f"{rule} asks for {run_time} min (runtime), the limit is {most:.0f}"
    cores, memory = (max(map(size, submission)) for size in (lambda j: j.threads, _memory))
    if not any(n.cores >= cores and n.memory >= memory for n in kinds):
        yield f"{rule} asks for {cores} cores and {memory} MB, which no node has"
    number, kind = max((job.gpu for job in submission), key=lambda gpu: gpu[0])
    if number and not any(_has(n.gpus, number, kind) for n in kinds):
        has = sorted({f"{k or 'gpu'}:{v}" for n in kinds for k, v in n.gpus.items()})
        asked = f"{kind or 'gpu'}:{number}"
        yield f"{rule} asks for {asked}, nodes have {', '.join(has) or 'no GPU'}"


def _memory(job: Job) -> int:
    return int(job.resources.get("mem_mb", 0))


def _has(gpus: dict[str, int], number: int, kind: str | None) -> bool:
    return any(n >= number and kind in (None, name) for name, n in gpus.items())


def _accounting(run: DryRun) -> Iterable[Check]:
    config = _ask("scontrol", "show", "config")
    if not re.search(
        r"^AccountingStorageType *= *accounting_storage/slurmdbd", config, re.MULTILINE
    ):
        if run.status_command == "squeue":
            yield Check("accounting", WARN, "off on this cluster; the profile asks squeue instead")
        else:
            words = "off, and jobs' states come from it: set slurm-status-command: squeue"
            yield Check("accounting", FAIL, words)
        return
    user = getpass.getuser()
    listed = _ask("sacctmgr", "-nP", "show", "assoc", f"user={user}", "format=account")
    accounts = sorted(set(listed.split()))
    asked = {j.resources.get("slurm_account") for s in run.submissions for j in s} - {None}
    unknown = sorted(asked - set(accounts))
    if unknown and accounts:
        words = f"no account '{unknown[0]}' of yours; slurm_account: one of {', '.join(accounts)}"
        yield Check("accounting", FAIL, words)
    elif not accounts:
        yield Check(
            "accounting", WARN, f"on, but lists no account of {user}; ask the cluster's staff"
        )
    else:
        default = f"your default of {', '.join(accounts)}"
        yield Check("accounting", OK, f"on; account: {', '.join(sorted(asked)) or default}")
