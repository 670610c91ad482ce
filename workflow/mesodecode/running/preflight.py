"""Checks before a run: config, data, weights, disk, and the cluster that the profile names."""

import getpass
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesodecode.base.files import UserError, counted, file_of, first_few, verify_checksum
from mesodecode.running import partitions
from mesodecode.running.partitions import Nodes, ask
from mesodecode.running.plan import DryRun, Job
from mesodecode.study import cohort_table, importance, protocols
from mesodecode.study.kinds import KINDS
from mesodecode.study.study import Study

OK, WARN, FAIL, SKIPPED = "ok", "warn", "FAIL", "-"
MANY = 1000  # submissions; schedulers and their other users notice more


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
    found = len(paths) + len(own)
    return Check("weights", OK, counted(found, "file") if found else "none needed")


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


def masks(study: Study) -> list[Check]:
    """Check that the areas that maps hide or add up are there, of those drawn by hand."""
    checks = []
    for name, line in study.config["importance"].items():
        key = next((key for key in ("masks", "areas") if line.get(key)), None)
        if key is None or line[key] in importance.MASKS:
            continue
        paths = dict.fromkeys(study.filled(line[key], session) for session in study.mouse_of)
        drawn = [path for path in paths if not Path(path).is_relative_to("results")]
        if missing := [path for path in drawn if not Path(path).exists()]:
            words = f"no file {first_few(missing, 3)}; see importance.{name}.{key} in the config"
            checks.append(Check("masks", FAIL, words))
    return checks


def windows(study: Study, movies: Mapping[str, tuple[int, int]]) -> list[Check]:
    """Check that recordings have the frames of a window, beside those that are not decoded.

    movies: session -> frames and bytes of its recording (`source_files.movie_sizes`). Nothing is
    said of recordings that are brought to another frame rate, nor of segments within one.
    """
    known = {session: frames for session, (frames, _) in movies.items() if frames}
    if study.config["frame_rate"] is not None or not known:
        return []
    checks, rate = [], cohort_table.decoded_rate(study.config)
    for name, decoder in study.decoders.items():
        read = study.decoders.get(decoder.settings.get("adapted_from"), decoder)
        if (window := KINDS[read.kind].window) is None:
            continue  # that of the decoders it is made of
        needed, (spent, why) = 2 * window(read.settings)[0] + 1, _spent(decoder.settings)
        first = round(spent * rate)
        if read is not decoder and not first:
            continue  # said of the decoder that it is
        short = [session for session, frames in known.items() if frames < first + needed]
        if short:
            some = first_few([f"{session} ({known[session]})" for session in short], 3)
            words = f"decoder '{name}' reads {needed} frames at a time"
            words += f" after the first {first} ({why})" if first else ""
            words += f"; not decoded, for want of as many: {some}; see its half_window"
            words += f" and {why}, or leave those out" if first else ", or leave those out"
            checks.append(Check("windows", FAIL if len(short) == len(known) else WARN, words))
    return [*checks, *_labelled(study, known, rate)]


def _spent(settings: Mapping[str, Any]) -> tuple[float, str]:
    """Return the s at the start of each recording that are not decoded, and the setting's name."""
    if settings.get("first_unlabelled"):
        return settings["first_unlabelled"] * 60, "first_unlabelled"
    raw = settings.get("input") == "rois" and settings["baseline"] is None
    past = settings.get("causal") and settings["normalise_from"] == "past"
    if settings.get("normalise") == "past" or (
        past and not (raw and settings["normalise"] == "none")
    ):
        return settings["warm_up"], "warm_up"
    return 0.0, ""


def _labelled(study: Study, known: Mapping[str, int], rate: float) -> list[Check]:
    """Check that mice have more than the minutes with labels that decoders are given of them."""
    checks, tested = [], {mouse for one in study.allocations.values() for mouse in one.test}
    for name, decoder in study.decoders.items():
        minutes, _ = protocols.labelled_part(decoder.settings.get("few_shot") or 0.0)
        short = [
            f"{mouse} ({frames / rate / 60:.3g} min)"
            for mouse, sessions in study.mice.items()
            if mouse in tested
            and known.keys() >= {*sessions}
            and (frames := sum(known[session] for session in sessions)) <= minutes * 60 * rate
        ]
        if short:
            words = f"decoder '{name}' is given {minutes:g} min of each test mouse, and nothing is "
            words += f"left to decode of {first_few(short, 3)}; lower its few_shot"
            checks.append(Check("windows", FAIL, words))
    return checks


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
        ping = ask("scontrol", "ping")
    except UserError as error:
        ping = str(error)
    if "is UP" not in ping:
        return Check("SLURM", FAIL, f"the controller does not answer: {' '.join(ping.split())}")
    return Check("SLURM", OK, "the controller answers")


def _partitions(run: DryRun) -> Iterable[Check]:
    nodes, default = partitions.nodes()
    known = list(dict.fromkeys(n.partition for n in nodes))
    asked: dict[str | None, list[list[Job]]] = {}
    for submission in run.submissions:
        names = submission[0].resources.get("slurm_partition")
        if not names and run.partition_config:
            names = partitions.chosen(run.partition_config, submission)
        asked.setdefault(names or default, []).append(submission)
    for names, jobs in asked.items():
        if names is None:
            words = f"the cluster has no default: set slurm_partition, one of {', '.join(known)}"
            yield Check("partition", FAIL, words)
            continue
        named = str(names).split(",")  # SLURM takes the first of them that is free
        kinds = [n for n in nodes if n.partition in named]
        unknown = [name for name in named if name not in known]
        if unknown:
            words = f"no '{unknown[0]}'; slurm_partition in the profile: one of {', '.join(known)}"
            yield Check("partition", FAIL, words)
        elif not any(n.up for n in kinds):
            yield Check("partition", WARN, f"{names} is down: jobs wait until it is up")
        else:
            faults = {fault for submission in jobs for fault in _faults(submission, kinds)}
            state = FAIL if faults else OK
            yield Check("partition", state, f"{names}: {'; '.join(sorted(faults)) or 'fits'}")


def _faults(submission: list[Job], kinds: list[Nodes]) -> Iterable[str]:
    """Yield what a submission asks for that no node of its partition has.

    All of it must be on one: what is asked of GPUs is asked of the nodes that have the rest.
    """
    rule, run_time = submission[0].rule, sum(j.resources.get("runtime", 0) for j in submission)
    timely = [n for n in kinds if n.minutes is None or n.minutes >= run_time]
    if not timely:
        most = max(n.minutes for n in kinds)
        yield f"{rule} asks for {run_time} min (runtime), the limit is {most:.0f}"
    cores, memory = (max(map(size, submission)) for size in (lambda j: j.threads, _memory))
    large = [n for n in timely or kinds if n.cores >= cores and n.memory >= memory]
    if not large:
        yield f"{rule} asks for {cores} cores and {memory} MB, which no node has"
    if refused := partitions.refused_gpu(submission):
        yield (
            f"{rule} asks for '{refused}', a name that the SLURM executor refuses (hyphens): leave "
            "the type out, or give `gpu: 0, gres: '', slurm_extra: \"'--gpus-per-node=TYPE:1'\"` "
            "with slurm_partition"
        )
        return
    number, kind = max((job.gpu for job in submission), key=lambda gpu: gpu[0])
    left = large or timely or kinds
    if number and not any(_has(n.gpus, number, kind) for n in left):
        has = sorted({f"{k or 'gpu'}:{v}" for n in left for k, v in n.gpus.items()})
        asked, which = (
            f"{kind or 'gpu'}:{number}",
            "" if len(left) == len(kinds) else " with the rest",
        )
        yield f"{rule} asks for {asked}, nodes{which} have {', '.join(has) or 'no GPU'}"


def _memory(job: Job) -> int:
    return int(job.resources.get("mem_mb", 0))


def _has(gpus: dict[str, int], number: int, kind: str | None) -> bool:
    return any(n >= number and kind in (None, name) for name, n in gpus.items())


def _accounting(run: DryRun) -> Iterable[Check]:
    config = ask("scontrol", "show", "config")
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
    listed = ask("sacctmgr", "-nP", "show", "assoc", f"user={user}", "format=account")
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
