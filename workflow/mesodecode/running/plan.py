"""What a run would do, asked of Snakemake before anything runs: jobs, their hours and their bytes.

Hours come from the benchmark files of jobs of the same kind that have run before, else from the
time limit of the rule (`runtime`); bytes from files of the same kind, else from the recordings.
"""

import contextlib
import csv
import functools
import io
import logging
import os
import re
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mesodecode.base.files import WORKFLOW, UserError
from mesodecode.study.kinds import KINDS
from mesodecode.study.study import Study

# folders of results/
LARGE = ("simulated", "recordings", "trained", "passed", "features", "models", "predictions")
LARGE += ("validation", "ceilings", "variants", "recorded")
N_FEATURES, FEATURE_BYTES = 1280, 2  # of an EfficientNet-B0 or Lite0; float16, causal float32
PREDICTION_BYTES = 13  # frame, label and probability of a frame, before compression
PASSED_BYTES = 9, 4  # frame and label of a frame, and its logit of an epoch, before compression
# Keys of profiles that Snakemake 8 no longer knows.
GONE = {
    *("cluster", "cluster-sync", "cluster-status", "cluster-cancel", "cluster-cancel-nargs"),
    *("cluster-sidecar", "cluster-config", "drmaa", "drmaa-log-dir", "slurm"),
}
IMAGE_MODEL, ROI_MODEL = 20_000_000, 200_000  # bytes of the weights of the decoders in config.yaml


@dataclass(frozen=True)
class Job:
    """One job of a dry-run; `resources` are those of its rule and of the profile."""

    rule: str
    outputs: tuple[str, ...]
    benchmark: str | None
    threads: int
    resources: dict[str, Any]

    @property
    def gpu(self) -> tuple[int, str | None]:
        """Number of GPUs it asks for, and their type where it names one."""
        for key in ("gpu", "gpus", "nvidia_gpu"):
            if self.resources.get(key):
                return int(self.resources[key]), self.resources.get("gpu_model")
        extra = self.resources.get("slurm_extra") or ""
        found = re.search(
            r"--gpus-per-node=(?:([^:\s'\"]*[^:\d\s'\"][^:\s'\"]*)(?::|\b))?(\d+)?", extra
        )
        found = found or re.fullmatch(
            r"gpu(?::([^:]*[^:\d][^:]*))?(?::(\d+))?", self.resources.get("gres") or ""
        )
        return (int(found[2] or 1), found[1]) if found else (0, None)


@dataclass(frozen=True)
class DryRun:
    """The jobs of a run, those submitted to a cluster by submission (groups hold several)."""

    jobs: list[Job]
    submissions: list[list[Job]]
    executor: str  # "local" or the one of the profile
    status_command: str | None = None  # of the SLURM executor
    partition_config: Path | None = None  # its file of partitions


@dataclass(frozen=True)
class Estimate:
    """One line of the plan: the jobs of a rule."""

    rule: str
    jobs: int
    submissions: int
    core_hours: float
    gpu_hours: float
    measured: int  # jobs whose time was measured on others of their kind; the rest: time limit
    local: bool

    @property
    def basis(self) -> str:
        """Where the hours come from: measured, limit (an upper bound), both; local has none."""
        if self.local:
            return "local"
        counts = {"measured": self.measured, "limit": self.jobs - self.measured}
        words = [f"{word} {n}" for word, n in counts.items() if n]
        return ", ".join(words) if len(words) > 1 else words[0].split()[0]


def dry_run(config: str | Path, profile: str | None = None) -> DryRun:
    """Return what ``snakemake --configfile config`` would run here; nothing is written.

    `profile` is that of ``snakemake --profile``. Raises UserError if Snakemake refuses.
    """
    from snakemake import cli
    from snakemake_interface_logger_plugins.common import LogEvent

    jobs: list[Job] = []
    groups: list[set[str]] = []  # jobs are known by their first output

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event = getattr(record, "event", None)
            if event == LogEvent.GROUP_INFO:
                groups.append({str(job.output[0]) for job in record.jobs})
            elif event == LogEvent.JOB_INFO:
                jobs.append(
                    Job(
                        record.rule_name,
                        tuple(map(str, record.output)),
                        record.benchmark,
                        record.threads,
                        dict(record.resources),
                    )
                )

    if profile:
        _check_profile(profile)
    # cores: a dry-run would cut all threads to one. Executors of a cluster know no such limit.
    cores = str(9999 if profile else os.cpu_count() or 1)
    argv = ["-n", "--snakefile", str(WORKFLOW.parent / "Snakefile"), "--cores", cores]
    argv += ["--configfile", str(config), "--quiet", "all"]
    argv += ["--profile", profile] * bool(profile)
    logger, listener, said = logging.getLogger("snakemake"), Listener(), io.StringIO()
    logger.addHandler(listener)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            parser, args = cli.parse_args(argv)
            done = cli.args_to_api(args, parser)
    except SystemExit:
        done = False
    finally:
        logger.removeHandler(listener)
    if not done:
        raise UserError(f"{config}: snakemake -n refuses: {reason(said.getvalue())}")
    slurm = [getattr(args, f"slurm_{key}", None) for key in ("status_command", "partition_config")]
    return DryRun(jobs, _submissions(jobs, groups), args.executor, *slurm)


def reason(said: str) -> str:
    """Return why Snakemake refuses, on one line: of a traceback, its last one."""
    said = said.rpartition("Building DAG of jobs...")[2].strip()  # before it: what it runs
    if "Traceback" in said:
        said = said.rpartition("\n")[2]
    return " ".join(said.rpartition(": error: ")[2].split())[-600:]


def _check_profile(profile: str) -> None:
    """Raise UserError if a profile has keys of Snakemake 7, which ran clusters by itself."""
    from snakemake.cli import get_profile_dir

    found = get_profile_dir(profile)
    try:
        keys = yaml.safe_load(found[1].read_text()) if found else None
    except yaml.YAMLError:
        return  # Snakemake says where; a profile may also be a template
    keys = keys if isinstance(keys, dict) else {}  # else Snakemake says what is wrong
    old = sorted(GONE & {str(key).replace("_", "-") for key in keys})
    if old:
        raise UserError(
            f"{found[1]}: {', '.join(old)}: keys of Snakemake 7, which Snakemake 8 dropped for "
            "executor plugins; write `executor: slurm` as in slurm/config.yaml, or `executor: "
            "cluster-generic` with `cluster-generic-submit-cmd` in the place of `cluster`"
        )


def _submissions(jobs: list[Job], groups: list[set[str]]) -> list[list[Job]]:
    local, together = local_rules(), {first: i for i, group in enumerate(groups) for first in group}
    grouped: dict[Any, list[Job]] = {}
    for job in jobs:
        if job.outputs and job.rule not in local:
            grouped.setdefault(together.get(job.outputs[0], job.outputs[0]), []).append(job)
    return list(grouped.values())


@functools.cache
def local_rules() -> set[str]:
    """Return the rules that run where Snakemake runs: a dry-run does not tell."""
    text = "\n".join(path.read_text() for path in sorted((WORKFLOW / "rules").glob("*.smk")))
    blocks = re.split(r"^ *rule (\w+):$", text, flags=re.MULTILINE)
    return {
        name
        for name, body in zip(blocks[1::2], blocks[2::2], strict=True)
        if "localrule: True" in body
    }


@functools.cache
def measured_hours(folder: Path) -> float | None:
    """Return the mean wall time of the benchmark files in a folder; None without one."""
    seconds = []
    for path in sorted(folder.glob("*.tsv")):
        with open(path, newline="") as file:
            try:
                seconds += [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"{path}: no benchmark file of Snakemake; delete it") from error
    return statistics.mean(seconds) / 3600 if seconds else None


def hours(job: Job) -> tuple[float, bool]:
    """Return the wall time of a job in hours, and whether it was measured on others of its kind.

    The same kind: the same rule and, where the rule has one, decoder or importance analysis.
    """
    measured = measured_hours(Path(job.benchmark).parent) if job.benchmark else None
    if measured is not None:
        return measured, True
    return job.resources.get("runtime", 0) / 60, False


def estimates(run: DryRun) -> list[Estimate]:
    """Return a line for each rule of the run, in the order of their first jobs.

    Core-hours are the reserved cores times the wall time, as clusters account for them.
    """
    by_rule: dict[str, list[Job]] = {}
    for job in run.jobs:
        by_rule.setdefault(job.rule, []).append(job)
    submitted = Counter(submission[0].rule for submission in run.submissions)
    lines = []
    for rule, jobs in by_rule.items():
        local = rule in local_rules() or not jobs[0].outputs
        times = [(0.0, False) if local else hours(job) for job in jobs]
        lines.append(
            Estimate(
                rule,
                len(jobs),
                submitted[rule],
                sum(job.threads * t for job, (t, _) in zip(jobs, times, strict=True)),
                sum(job.gpu[0] * t for job, (t, _) in zip(jobs, times, strict=True)),
                sum(known for _, known in times),
                local,
            )
        )
    return lines


def disk(jobs: Iterable[Job], study: Study, movies: dict[str, tuple[int, int]]) -> dict[str, int]:
    """Return the bytes that the jobs write to the large folders of results/{study}.

    movies: session -> frames and bytes of its recording uncompressed (`movie_sizes`). Tables,
    figures and logs are not counted, nor checkpoints, which a finished training deletes.
    """
    root = Path("results") / study.name
    needed: dict[str, int] = {}
    for job in jobs:
        for output in map(Path, job.outputs):
            folder = output.relative_to(root).parts[0] if output.is_relative_to(root) else None
            if folder in LARGE:
                size = _mean_size(output.parent, output.suffix)
                size = size or _size(output, folder, study, movies)
                needed[folder] = needed.get(folder, 0) + size
    return needed


@functools.cache
def _mean_size(folder: Path, suffix: str) -> int:
    sizes = [path.stat().st_size for path in folder.glob(f"[!.]*{suffix}")]
    return round(statistics.mean(sizes)) if sizes else 0


def _size(output: Path, folder: str, study: Study, movies: dict[str, tuple[int, int]]) -> int:
    def frames(*roles: str) -> int:
        return sum(movies[session][0] for session in study.sessions(output.stem, *roles))

    if folder == "variants" and output.parent.name != "recordings":
        return 0
    if folder in ("recordings", "recorded", "simulated", "variants") and output.suffix in (
        ".h5",
        ".tif",
    ):
        return movies.get(output.stem, (0, 0))[1]
    if folder == "features":  # of a mouse; those of an allocation are links
        if output.parent.parent.name == "features":
            return 0
        settings, sharing = study.decoders[output.parts[-3]].settings, output.parent.name
        chosen = {study.allocations[a].valid for a in study.trainings(output.parts[-3])[sharing]}
        seen = sum(movies[session][0] for session in study.mice[output.stem])
        size = FEATURE_BYTES * (2 if settings.get("causal") else 1)
        return seen * N_FEATURES * size * min(len(chosen), settings["epochs"])
    if folder in ("predictions", "validation"):
        return frames("test" if folder == "predictions" else "valid") * PREDICTION_BYTES
    if folder == "ceilings":
        return movies[output.stem.partition(".test-")[2]][0] * PREDICTION_BYTES
    if folder == "passed":
        settings = study.decoders[output.parts[-3]].settings
        seen = sum(movies[session][0] for session in study.mice[output.stem])
        once, epoch = PASSED_BYTES
        return seen // settings.get("frame_step", 1) * (once + epoch * settings.get("epochs", 2))
    if folder in ("models", "trained") and output.suffix == ".pt":
        decoder = study.decoders[output.parent.name]
        frozen = decoder.settings.get("cnn_weights") == "frozen"
        network = KINDS[decoder.kind].image_network and not frozen
        kept = decoder.settings["epochs"] if folder == "trained" else 1
        return kept * (IMAGE_MODEL if network else ROI_MODEL)
    return 0


def sharing(study: Study) -> str:
    """Return in words how many trainings the allocations of a study share, and what shares none."""
    shared: dict[str, list[str]] = {}
    for name, decoder in study.decoders.items():
        if decoder.kind in ("average", "adaptive"):
            continue
        if decoder.kind == "adapted":
            key = "one each, as adapted decoders share nothing"
        elif decoder.settings.get("start_from"):
            key = f"{len(study.trainings(name))}, each from all epochs of the CNN that were chosen"
        else:
            key = f"{len(study.trainings(name))}"
        shared.setdefault(key, []).append(name)
    said = "; ".join(f"{key} ({', '.join(names)})" for key, names in shared.items())
    return f"trainings for {len(study.allocations)} allocations: {said}" if said else ""
