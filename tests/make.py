"""What tests of the workflow share: a study, and starts of Snakemake in a folder of its own."""

from __future__ import annotations

import functools
import itertools
import re
import shlex
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple

import yaml

import fresh
from mesodecode import cli

ROOT = Path(__file__).parents[1]
LINEAR = {"model": "logistic_regression"}

# six sessions of five mice; of the 20 allocations at 3:1:1, each mouse is tested in one
STUDY = {
    "study": "lab",
    "recordings": {"movie": "my data/{session}.tif", "behavior": "my data/{session}.mat"},
    "mice": {"a": ["a1", "a2"], "b": ["b1"], "c": ["c1"], "d": ["d1"], "e": ["e1"]},
    "allocation": {"choose": "each_test"},
    "decoders": {"linear": LINEAR},
}
ALL = {"choose": "all"}  # the allocation of studies that need all 20


class Hostile:
    """Unpickled, it would make a file."""

    def __init__(self, sentinel: Path):
        self.sentinel = sentinel

    def __reduce__(self):
        return (Path.touch, (Path(self.sentinel),))


def snakemake(
    folder: Path,
    *words: str,
    config: dict | Path | None = None,
    project: Path = ROOT,
    main: str = "snakemake.cli:main",
    warm: bool = False,
) -> CompletedProcess:
    """Run snakemake in `folder` with a config of its own, so that no lock or result is shared.

    `main` is run in the place of Snakemake's command; with `warm`, jobs share the imports of one
    process.
    """
    if isinstance(config, dict):
        path = folder / "study.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        config = path
    chosen = ["--configfile", config] if config else []
    line = ["--snakefile", project / "Snakefile", "--directory", folder, *chosen, *words]
    return fresh.Process("light_warm:snakemake" if warm else main, *line, folder=folder).finish()


def plan(folder: Path, *words: str, **where) -> tuple[dict[str, int], list[str]]:
    """The jobs of a dry-run by rule, and their command lines, which name files of theirs only."""
    text = dry_run(folder, *words, **where)
    jobs = {}
    if "Nothing to be done" not in text:
        table = text.split("Job stats:")[-1].split("\ntotal")[0]
        jobs = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
    lines = re.findall(r"^\s*(?:Shell command: )?(mesodecode .*?) 2> ", text, re.MULTILINE)
    return jobs, lines


def dry_run(folder: Path, *words: str, **where) -> str:
    """What a dry-run says, whose commands name files of their jobs only."""
    done = snakemake(folder, "-n", "-p", *words, **{"main": "mains:told"} | where)
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout + done.stderr
    check_files(text)
    return text


verbs = functools.cache(cli.parser)  # of all verbs and flags: a tenth of a second to make


@functools.cache
def written_by(*words: str) -> frozenset[str]:
    """Files that a verb writes with these flags; SystemExit if one is unknown or missing."""
    parser = verbs()
    return frozenset(path for path, _ in cli.files_of(parser, parser.parse_args(words))[0])


def split(line: str) -> list[str]:
    """What `shlex.split` does, which reads letter by letter even where nothing is quoted."""
    return shlex.split(line) if re.search(r"['\"\\]", line) else line.split()


# What a command does not name: files that a job waits for, and those that stand for others.
WAITED = (".txt", ".sha256")
UNNAMED = ("runtimes", "preprocess", "fetch")


class Job(NamedTuple):
    """A job of a dry-run: its rule, the files that the rule declares, and the words it runs."""

    rule: str
    input: set[str]
    output: set[str]
    words: list[str]
    timed: bool = False


def told_jobs(text: str) -> list[Job]:
    """The jobs that `mains.told` says."""
    found = []
    for block in re.split(r"^(?=(?:local)?rule \w+:$)", text, flags=re.MULTILINE)[1:]:
        rule = re.match(r"(?:local)?rule (\w+):", block)[1]
        about = dict(re.findall(r"^    (input|output): (.*)$", block, re.MULTILINE))
        files = (set(about.get(key, "").split(", ")) - {""} for key in ("input", "output"))
        line = re.search(r"^Shell command: (mesodecode .*? 2> .*)$", block, re.MULTILINE)
        timed = "\n    benchmark: " in block
        found.append(Job(rule, *files, split(line[1]) if line else [], timed))
    return found


def check_files(text: str) -> None:
    """A command reads what its job waits for, writes what it declares, and leaves none of it out.

    Else it would read files before they are made, or not run again when they are made anew. The
    table of run times waits for all jobs of the whole study that are timed.
    """
    jobs = told_jobs(text)
    maker = {file: job for job in jobs for file in job.output}

    def files_behind(job: Job) -> set[str]:
        before, asked = set(job.output), list(job.input)
        while asked:
            before.add(file := asked.pop())
            asked += maker[file].input - before if file in maker else ()
        return before | {f"{path} (update)" for path in before}  # as Snakemake tells some outputs

    whole = next((files_behind(job) for job in jobs if job.rule == "all"), set())
    folders = {str(folder) for file in maker for folder in Path(file).parents} - {"."}
    for job in jobs:
        words = set(job.words)
        undeclared = (words & {*maker}) - job.input - job.output
        assert not undeclared, f"{job.rule} reads {undeclared}, which are none of its input"
        before = files_behind(job)
        if job.rule == "runtimes":
            timed = (one for one in jobs if one.timed and one.output & whole)
            late = {one.rule for one in timed if not one.output & before}
            assert not late, f"timed after the table of run times: {late}"
        for folder in words & folders:
            assert any(file.startswith(f"{folder}/") for file in before), f"{job.rule}: {folder}"
        check_written(job)
        line, paths = " ".join(job.words), tuple(word for word in words if "/" in word)
        patterns = [re.sub(r"\\{\w+\\}", "[^/]+", re.escape(word)) for word in paths if "{" in word]
        for file in job.input | job.output if words and job.rule not in UNNAMED else ():
            path = file.removesuffix(" (update)")
            named = path in line or path.startswith(paths) or path.endswith(WAITED)
            named = named or any(re.fullmatch(pattern, path) for pattern in patterns)
            assert named, f"{job.rule} does nothing with {file}"


def check_written(job: Job) -> None:
    """Flags whose files are output of a job, and no other flags, are declared to write."""
    if job.words:
        files, words = written_by(*job.words[1 : job.words.index("2>")]), {*job.words}
        named = {f for f in job.output if words & {f, re.sub(r"\.(svg|png)$", "", f)}}
        assert named <= files and not files & job.input, (job.rule, named ^ files)


def add_files(folder: Path, config: dict) -> None:
    """Empty source files of every session."""
    (folder / "my data").mkdir(exist_ok=True)
    for sessions in config["mice"].values():
        for session in sessions:
            for ending in (".tif", ".mat", "_roi.mat"):
                (folder / "my data" / f"{session}{ending}").touch()


ROLES = ("train", "valid", "test")
ALLOCATION = re.compile(r"train-([^./]+)\.valid-([^./]+)\.test-([^./]+)\.")


def check_roles(words: list[str]) -> None:
    """What is made for an allocation is made of the recordings of its mice, each in its role."""
    allocation = ALLOCATION.search(words[words.index("--out") + 1] if "--out" in words else "")
    for role, mice in zip(ROLES, allocation.groups() if allocation else (), strict=False):
        if f"--{role}" in words:
            begin = words.index(f"--{role}") + 1
            given = itertools.takewhile(lambda word: not word.startswith("--"), words[begin:])
            assert [Path(one).stem for one in given] == mice.split("+"), words


def check_commands(lines: list[str], jobs: dict[str, int]) -> None:
    """Every command line of the rules is one that the verbs accept, of mice in their roles."""
    for line in lines:
        words = split(line)
        written_by(*words[1:])
        check_roles(words)
        assert not re.search(r"\{\w*\}", line), "a wildcard that was not filled in"
    silent = {
        "resolved_config",
        "made_by",
        "allocations",
        "tune_config",
        "recordings_of_mouse",
        "recordings_of_mouse_of_variant",
        "maps_of_analysis",
        "predictions_of_decoder",
        "comparisons",
        "inference",
        "quality_table",
    }  # no verb
    silent |= {"tables", "figures", "all"}
    assert len(lines) == sum(n for rule, n in jobs.items() if rule not in silent)


def fails(folder: Path, **where) -> str:
    done = snakemake(folder, "-n", **where)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert "Job stats" not in text and "Traceback" not in text
    assert not (folder / "results").exists()
    return text


ROI_STUDY = STUDY | {
    "recordings": STUDY["recordings"] | {"rois": "my data/{session}_roi.mat"},
    "mice": {mouse: [f"{mouse}{i}" for i in (1, 2)] for mouse in "abcde"},
    "decoders": {
        "gru": {"input": "rois", "rnn": "gru"},
        "svm": {"input": "rois", "model": "linear_svm"},
        "null": {"like": "gru", "labels": "permuted_between_sessions"},
        "other": {"like": "gru", "half_window": 5, "seed": 2},
        "s2": {"like": "gru", "seed": 2},
        "tcn": {"like": "gru", "rnn": "tcn"},
    },
}


def with_importance(**line) -> dict:
    return ROI_STUDY | {"importance": {"shap": {"decoder": "gru"} | line}}


# Whole runs


def run_study(folder: Path, config: dict, *extra: str) -> CompletedProcess:
    """Run the workflow for `config` in `folder`, on two cores; its jobs share one start."""
    words = ("--cores", "2", "--show-failed-logs", *extra)
    return snakemake(folder, *words, config=config, warm=True)


def demo(**simulate) -> dict:
    """The config of `make demo` with other settings of the simulation."""
    config = yaml.safe_load((ROOT / "demo.yaml").read_text())
    config["simulate"] |= simulate
    return config
