"""`mesodecode plan`: what a run would take, and whether it can start."""

from __future__ import annotations

import itertools
import logging
import os
import re
import shutil
from collections import Counter, namedtuple
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import scipy.io
import snakemake.cli as snakemake_cli
import tifffile
import yaml
from snakemake_interface_logger_plugins.common import LogEvent

import fresh
from make import ROOT, snakemake
from make_movies import ring
from mesodecode.base.files import UserError, write_checksum
from mesodecode.cli.running import plan as verb
from mesodecode.recordings import heads, source_files
from mesodecode.running import partitions, plan, preflight
from mesodecode.running.plan import DryRun, Job
from mesodecode.running.preflight import FAIL, OK, SKIPPED, WARN
from mesodecode.study import correction_table
from mesodecode.study import study as studies

STUDY = {
    "study": "lab",
    "recordings": {"movie": "data/{session}.tif", "behavior": "data/{session}.mat"},
    "mice": {"a": ["a1", "a2"], "b": ["b1"], "c": ["c1"], "d": ["d1"], "e": ["e1"]},
    "decoders": {"linear": {"model": "logistic_regression"}},
}

# What the commands of a cluster print: a CPU partition (the default) and one of GPUs.
SINFO = """main*|up|1-00:00:00|(null)|16|64000
main*|up|1-00:00:00|(null)|32|128000
gpu|up|12:00:00|gpu:a100:4(S:0-1)|24|256000
old|down|infinite|gpu:2|8|32000
untyped|up|infinite|gpu:2(S:0)|8|32000
"""
SHIMS = {
    "sinfo": SINFO,
    "scontrol ping": "Slurmctld(primary) at head is UP\n",
    "scontrol show config": "MaxJobCount = 10000\nAccountingStorageType   = "
    "accounting_storage/slurmdbd\nAccountingStorageHost = db\n",
    "sacctmgr": "lab_a\nlab_b\n",
    "squeue": "",
}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A function that puts commands on PATH that answer as a SLURM cluster; changes are given."""

    def start(**changes: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        said = SHIMS | {name.replace("_", " "): text for name, text in changes.items()}
        for command in {name.split()[0] for name in said}:
            lines = ["#!/bin/sh", 'case "$*" in']
            for name, text in said.items():
                if name.split()[0] == command:
                    first = name.partition(" ")[2]
                    lines += [f"'{first}'*) cat <<'E'", f"{text.rstrip()}", "E", ";;"]
            path = folder / command
            path.write_text("\n".join([*lines, "esac", ""]))
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return start


def job(rule="train_cnn", name="x", benchmark=None, threads=1, **resources) -> Job:
    output = f"results/lab/models/cnn/{name}.pt"
    return Job(rule, (output,), benchmark, threads, resources)


def dry(*submissions: list[Job], executor="slurm", **more) -> DryRun:
    return DryRun([j for s in submissions for j in s], list(submissions), executor, **more)


def states(checks) -> dict[str, str]:
    return {check.what: check.state for check in checks}


# The whole verb


def mesodecode_plan(folder: Path, *words: str) -> CompletedProcess:
    return fresh.Process("mesodecode.cli:main", "plan", *words, folder=folder).finish()


@pytest.mark.e2e
def test_demo_on_a_cluster_has_the_jobs_that_snakemake_counts(tmp_path, cluster):
    cluster(sinfo="main*|up|infinite|gpu:4|64|512000\n")
    shutil.copytree(ROOT / "slurm", tmp_path / "slurm")
    words = ("--configfile", str(ROOT / "demo.yaml"), "--profile", "slurm")
    done = mesodecode_plan(tmp_path, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\w+) +(\d+) +(\d*) .* (limit|measured|local)", done.stdout, re.MULTILINE)
    found = {rule: int(jobs) for rule, jobs, _, _ in rows}
    other = snakemake(tmp_path, "-n", *words)
    text = (other.stdout + other.stderr).split("Job stats:")[-1].split("\ntotal")[0]
    counted = {rule: int(n) for rule, n in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}
    assert found == counted and found["predict_features"] == 40
    sent = {rule: int(n or 0) for rule, _, n, _ in rows}
    # a training each, all predictions of a decoder together, none for what runs here
    assert sent["train_cnn"] == found["train_cnn"]
    assert (sent["predict_features"], sent["compare"], sent["all"]) == (2, 0, 0)
    total = re.search(r"^total +(\d+) +(\d+)", done.stdout, re.MULTILINE)
    assert [int(n) for n in total.groups()] == [sum(counted.values()), sum(sent.values())]
    assert re.findall(r"^(\w+) +(\w+)", done.stdout.split("\n\n")[-1], re.MULTILINE) == [
        ("ok", "config"),
        ("ok", "data"),
        ("ok", "weights"),
        ("ok", "disk"),
        ("ok", "submissions"),
        ("ok", "SLURM"),
        ("ok", "partition"),
        ("ok", "accounting"),
    ]


def test_missing_data_file_is_named_and_fails(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(STUDY))
    (tmp_path / "data").mkdir()
    for name in ("a1.tif", "a1.mat", "a2.tif", "b1.tif", "b1.mat", "c1.tif", "c1.mat"):
        (tmp_path / "data" / name).touch()
    done = mesodecode_plan(tmp_path)
    assert done.returncode == 1
    # twelve files of six sessions, seven there
    assert "FAIL  data         no file data/a2.mat and 4 more of 12" in done.stdout
    assert done.stderr == "mesodecode plan: error: not ready: data (see above)\n"


def test_why_snakemake_refuses_is_its_last_word():
    missing = "MissingInputException in rule x:\nMissing input files:\n m.h5\n"
    said = f"Using profile p\nBuilding DAG of jobs...\n{missing}"
    assert plan.reason(said) == " ".join(missing.split())
    assert plan.reason("usage: snakemake …\nsnakemake: error: no such flag\n") == "no such flag"
    traceback = 'Traceback (most recent call last):\n  File "dag.py", line 12\n    scan(path)\n'
    error = "NotADirectoryError: [Errno 20] Not a directory: 'results'"
    assert plan.reason(f"Building DAG of jobs...\n{traceback}    ^^^^\n{error}\n\n") == error
    long = "x" * 500 + "y" * 400
    assert plan.reason(f"Building DAG of jobs...\n{long}") == long[-600:]


def test_a_recording_that_is_none_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "results/lab/recordings/a1.h5"
    made.parent.mkdir(parents=True)
    made.touch()
    with pytest.raises(UserError, match=r"a1\.h5: not a preprocessed recording"):
        source_files.movie_sizes(studies.resolve(STUDY))


def test_of_a_simulated_study_all_is_there_and_its_size_is_known():
    study = studies.resolve(yaml.safe_load((ROOT / "demo.yaml").read_text()))
    assert source_files.data(study) == preflight.Check("data", OK, "simulated")
    sizes = source_files.movie_sizes(study)
    assert sizes.keys() == study.mouse_of.keys() and {*sizes.values()} == {(600, 600 * 48**2 * 2)}


def test_pages_that_never_end_are_told_before_they_are_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    ring(tmp_path / "data/a1.tif", 4, 1, compression="zlib")
    with pytest.raises(UserError, match=r"a1\.tif: .*page 3 is followed by page 1 again"):
        source_files.movie_sizes(studies.resolve(STUDY))


@pytest.mark.parametrize("path", ["~/{session}.tif", "$DATA/{session}.tif"])
def test_paths_that_a_shell_would_fill_in_are_said_to_stay(path):
    recordings = STUDY["recordings"] | {"movie": path}
    found = source_files.data(studies.resolve(STUDY | {"recordings": recordings}))
    assert found.state == FAIL and "write the whole path" in found.words
    assert "write the whole path" not in source_files.data(studies.resolve(STUDY)).words


def test_missing_masks_are_named_before_snakemake_is_asked(tmp_path):
    cnn = {"backbone": "efficientnet_lite0", "pretrained": "none"}
    masks = {
        "simulate": {"n_frames": 300},
        "importance": {"m": {"decoder": "cnn", "masks": "m.h5"}},
    }
    config = {key: STUDY[key] for key in ("study", "mice")} | {"decoders": {"cnn": cnn}} | masks
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = mesodecode_plan(tmp_path)
    assert done.returncode == 1
    assert "FAIL  masks        no file m.h5; see importance.m.masks in the config" in done.stdout
    assert done.stderr == "mesodecode plan: error: not ready: masks (see above)\n"


def test_masks_of_each_session_are_asked_for_but_those_of_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a1", "a2", "b1", "c1"):
        Path(f"{name}.tif").touch()
    importance = {
        "own": {"decoder": "cnn", "masks": "{session}.tif"},
        "made": {"decoder": "cnn", "masks": "results/lab/simulated/{session}_truth.h5"},
        "squares": {"decoder": "cnn", "masks": "squares"},
    }
    config = STUDY | {"decoders": {"cnn": {}}, "importance": importance}
    (check,) = preflight.masks(studies.resolve(config))
    words = "no file d1.tif, e1.tif; see importance.own.masks in the config"
    assert (check.state, check.words) == (FAIL, words)


def test_sessions_with_a_recording_need_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = studies.resolve(STUDY)
    folder = Path("results/lab/recordings")
    folder.mkdir(parents=True)
    for session in study.mouse_of:
        (folder / f"{session}.h5").touch()
    assert source_files.data(study).state == OK


def test_missing_files_that_are_fetched_are_a_warning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = studies.resolve(STUDY | {"fetch": "zenodo:1"})
    found = source_files.data(study)
    assert found.state == WARN
    assert "data/a1.tif and 11 more of 12 will be fetched first" in found.words
    assert source_files.movie_sizes(study)["a1"] == (0, 0)


# Movies of 7 frames of 4 x 5 px, uint16, in the ways that `recordings.movie` may name them.


def tiffs(folder: Path, *frames: int) -> None:
    folder.mkdir(parents=True)
    for number, length in enumerate(frames):
        frames = np.ones((length, 4, 5), np.uint16)
        tifffile.imwrite(folder / f"img_{number}.tif", frames, photometric="minisblack")


def hdf5(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["movie"], file["other"] = np.ones((7, 4, 5), np.uint16), np.ones((9, 3, 3))


def zarr_store(path: Path) -> None:
    import zarr

    zarr.save_array(str(path), np.ones((7, 4, 5), np.uint16))


MOVIES = {
    "folder of TIFF files": ("data/{session}", lambda at: tiffs(at, 3, 4), {}),
    "pattern": ("data/{session}/*.tif", lambda at: tiffs(at, 3, 4), {}),
    "list": (
        ["data/{session}/img_0.tif", "data/{session}/img_1.tif"],
        lambda at: tiffs(at, 3, 4),
        {},
    ),
    "HDF5": (
        "data/{session}.h5",
        lambda at: hdf5(at.with_suffix(".h5")),
        {"movie_dataset": "movie"},
    ),
    "Zarr": ("data/{session}.zarr", lambda at: zarr_store(at.with_suffix(".zarr")), {}),
    "two wavelengths in turn": (
        "data/{session}",
        lambda at: tiffs(at, 6, 8),
        {"corrections": {"channels": 2}},
    ),
}


@pytest.mark.parametrize(("movie", "write", "more"), MOVIES.values(), ids=MOVIES)
def test_movies_that_snakemake_takes_are_there_and_counted(
    tmp_path, monkeypatch, movie, write, more
):
    monkeypatch.chdir(tmp_path)
    settings = {"movie": movie, "behavior": "data/{session}.mat"}
    corrections = {key: more[key] for key in more if key == "corrections"}
    settings |= {key: more[key] for key in more if key not in corrections}
    study = studies.resolve(STUDY | {"recordings": settings} | corrections)
    for session in study.mouse_of:
        write(Path("data") / session)
        Path(f"data/{session}.mat").touch()
    assert source_files.data(study).state == OK
    assert source_files.movie_sizes(study)["a1"] == (7, 7 * 4 * 5 * 2)
    for file in sorted(Path("data").glob("b1/*")):
        file.unlink()
    if Path("data/b1").is_dir():
        found = source_files.data(study)
        assert found.state == FAIL and "data/b1" in found.words


# Profiles


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "cluster: sbatch\ncluster-status: s.py\njobs: 9\n",
            "cluster, cluster-status: keys of Sna",
        ),
        ("drmaa: ' -n 1'\n", "drmaa: keys of Snakemake 7"),
        ("cluster_config: c.yaml\n", "cluster-config: keys of Snakemake 7"),
    ],
)
def test_profiles_of_snakemake_7_are_named(tmp_path, text, words):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        plan.dry_run("study.yaml", str(tmp_path))
    assert "executor: slurm" in str(caught.value) and "\n" not in str(caught.value)


def test_a_profile_that_is_no_yaml_is_left_to_snakemake(tmp_path):
    for text in ("a: [", "", "5", "- cluster", "cluster"):  # no table of keys
        (tmp_path / "config.yaml").write_text(text)
        plan._check_profile(str(tmp_path))


def test_another_unknown_key_of_a_profile_is_named_without_the_usage(tmp_path):
    (tmp_path / "config.yaml").write_text("jbos: 9\n")
    with pytest.raises(UserError, match="refuses: unrecognized arguments: --jbos") as caught:
        plan.dry_run("study.yaml", str(tmp_path))
    assert "usage" not in str(caught.value)


def test_a_plan_for_a_cluster_cuts_no_threads(tmp_path, monkeypatch):
    """A dry-run takes no job to have more threads than the cores that it is told of."""
    asked = []

    def refuse(argv):
        asked.append(dict(itertools.pairwise(argv)))
        raise SystemExit

    (tmp_path / "config.yaml").write_text("executor: slurm\n")
    monkeypatch.setattr(snakemake_cli, "parse_args", refuse)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    for profile in (str(tmp_path), None):
        with pytest.raises(UserError, match="refuses"):
            plan.dry_run("study.yaml", profile)
    assert [one["--cores"] for one in asked] == ["9999", "3"]
    assert [one.get("--profile") for one in asked] == [str(tmp_path), None]


def test_a_movie_that_cannot_be_measured_is_said_of_the_data(monkeypatch):
    def refuse(study):
        raise UserError("data/a1.tif: cut short")

    monkeypatch.setattr(source_files, "movie_sizes", refuse)
    (check,) = verb._disk_checks(DryRun([], [], "local"), None)
    assert (check.what, check.state, check.words) == ("data", FAIL, "data/a1.tif: cut short")


def test_jobs_and_groups_are_those_that_snakemake_names(tmp_path, monkeypatch):
    log = logging.getLogger("snakemake")

    def run(args, parser):
        fit, train, table = (SimpleNamespace(output=[f"{n}.h5", f"{n}.tsv"]) for n in "abc")
        log.info("Building DAG of jobs...")
        log.info("", extra={"event": LogEvent.GROUP_INFO, "jobs": [fit, train]})
        here = (
            ("allocations", SimpleNamespace(output=["d.tsv"])),
            ("all", SimpleNamespace(output=[])),
        )
        sent = ("fit_linear", fit), ("train_cnn", train), ("train_roi", table)
        for rule, one in (*here, *sent):
            told = {"rule_name": rule, "output": one.output, "benchmark": "b.tsv", "threads": 3}
            log.info("", extra={"event": LogEvent.JOB_INFO, "resources": {"gpu": 1}, **told})
        log.info("", extra={"event": LogEvent.SHELLCMD})
        return True

    args = SimpleNamespace(executor="slurm", slurm_partition_config="p.yaml")
    monkeypatch.setattr(snakemake_cli, "parse_args", lambda argv: (None, args))
    monkeypatch.setattr(snakemake_cli, "args_to_api", run)
    monkeypatch.setattr(log, "level", logging.INFO)
    found = plan.dry_run("study.yaml")
    outputs = [("d.tsv",), (), ("a.h5", "a.tsv"), ("b.h5", "b.tsv"), ("c.h5", "c.tsv")]
    rules = ("allocations", "all", "fit_linear", "train_cnn", "train_roi")
    jobs = [Job(*one, "b.tsv", 3, {"gpu": 1}) for one in zip(rules, outputs, strict=True)]
    assert found == DryRun(jobs, [jobs[2:4], jobs[4:]], "slurm", None, "p.yaml")
    assert not log.handlers or all("Listener" not in repr(one) for one in log.handlers)


# Hours


def benchmark_file(folder: str, name: str, *seconds: float) -> None:
    path = Path("results/lab/benchmarks") / folder / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("s\th:m:s\tmax_rss\n" + "".join(f"{s}\t-\t1\n" for s in seconds))


def test_hours_are_means_of_benchmark_files_else_the_time_limit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    benchmark_file("train_cnn/cnn", "one", 3600)
    benchmark_file("train_cnn/cnn", "two", 3600, 9000)  # 1.5 h: their median is 1 h
    benchmark_file("train_cnn/killed", "one")  # a header only
    base = "results/lab/benchmarks"
    settings = {"threads": 4, "gpu": 2, "runtime": 120}
    jobs = [
        job("train_cnn", "p", f"{base}/train_cnn/cnn/p.tsv", **settings),
        job("train_cnn", "q", f"{base}/train_cnn/cnn/q.tsv", **settings),
        job("train_cnn", "r", f"{base}/train_cnn/killed/r.tsv", **settings),
        job("train_roi", "s", f"{base}/train_roi/roi_gru/s.tsv", runtime=90),
        job("allocations", "t", runtime=30),
        Job("all", (), None, 8, {"runtime": 30}),
    ]
    run = DryRun(jobs, [[j] for j in jobs[:4]], "slurm")
    cnn, roi, local, goal = plan.estimates(run)
    assert (cnn.jobs, cnn.submissions, cnn.measured) == (3, 3, 2)
    assert cnn.core_hours == pytest.approx(4 * (1.5 + 1.5 + 2))
    assert cnn.gpu_hours == pytest.approx(2 * (1.5 + 1.5 + 2))
    assert cnn.basis == "measured 2, limit 1"
    assert (roi.core_hours, roi.gpu_hours, roi.basis) == (1.5, 0, "limit")
    for one in (local, goal):
        assert (one.submissions, one.core_hours, one.basis) == (0, 0, "local")
    assert plan.hours(job("train_roi", "u")) == (0, False)  # of which no limit is known


@pytest.mark.parametrize("text", ["a\tb\n1\t2\n", "h\ts\n1\n", "s\th\nsoon\t1\n", "s\n\xff\n"])
def test_file_that_is_no_benchmark_is_named(tmp_path, text):
    (tmp_path / "x.tsv").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"x\.tsv: no benchmark file"):
        plan.measured_hours(tmp_path)


@pytest.mark.parametrize(
    ("resources", "gpus"),
    [
        ({}, (0, None)),
        ({"gpu": 2}, (2, None)),
        ({"gpu": 0}, (0, None)),
        ({"gpus": 1, "gpu_model": "a100"}, (1, "a100")),
        ({"gres": "gpu:1"}, (1, None)),
        ({"gres": "gpu"}, (1, None)),
        ({"gres": "gpu:a100:3"}, (3, "a100")),
        ({"gres": "gpu:v100"}, (1, "v100")),
        ({"gres": "license:1"}, (0, None)),
        ({"gres": "gpu:a100-sxm4-80gb:2"}, (2, "a100-sxm4-80gb")),
        ({"slurm_extra": "'--gpus-per-node=a100-80gb:2'"}, (2, "a100-80gb")),
        ({"slurm_extra": "'--gpus-per-node=2 --exclusive'"}, (2, None)),
        ({"slurm_extra": "--exclusive"}, (0, None)),
    ],
)
def test_gpus_of_a_job(resources, gpus):
    assert job(**resources).gpu == gpus


def test_rules_that_run_where_snakemake_does():
    assert {"fetch_weights", "resolved_config", "allocations", "compare"} <= plan.local_rules()
    assert not {"train_cnn", "preprocess", "predict_images", "auc"} & plan.local_rules()


# Disk


def test_frames_of_movies_and_recordings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    study = studies.resolve(STUDY | {"mice": {x: [f"{x}1"] for x in "abcde"}})
    for i, session in enumerate(study.mouse_of):  # 20, 21, ... frames; the first is compressed
        frames = np.zeros((20 + i, 128, 64), np.uint16)
        compression = "zlib" if session == "a1" else None
        tifffile.imwrite(f"data/{session}.tif", frames, compression=compression)
    made = Path("results/lab/recordings/e1.h5")  # its movie was deleted
    made.parent.mkdir(parents=True)
    with h5py.File(made, "w") as file:
        file["frames"] = np.zeros((24, 128, 64), np.uint16)
    Path("data/e1.tif").unlink()
    for i, (frames, size) in enumerate(source_files.movie_sizes(study).values()):
        assert frames == pytest.approx(20 + i, rel=0.03)  # of the others by the size of the file
        assert size == frames * 128 * 64 * 2
    resized = studies.resolve(study.config | {"image_size": 32})
    frames, size = source_files.movie_sizes(resized)["a1"]
    assert (frames, size) == (20, 20 * 32 * 32 * 2)


def test_what_is_shared_is_told():
    gru = {"start_from": "cnn", "rnn": "gru", "cnn_weights": "frozen"}
    both = {"decoders": {"cnn": {}, "gru": gru}, "allocation": {"train": 3}}
    assert plan.sharing(studies.resolve(STUDY | both)) == (
        "trainings for 20 allocations: 10 (cnn); 10, each from all epochs of the CNN that were "
        "chosen (gru)"
    )


def test_what_shares_no_training_is_told_apart_and_what_has_none_is_left_out():
    linear = {"model": "logistic_regression"}
    known = {"coral": True, "adapted_from": "linear"}
    decoders = {"linear": linear, "known": known, "twin": linear | {"seed": 2}}
    decoders["mean"] = {"average_of": ["linear", "twin"]}
    assert plan.sharing(studies.resolve(STUDY | {"decoders": decoders})) == (
        "trainings for 20 allocations: 10 (linear, twin); "
        "one each, as adapted decoders share nothing (known)"
    )


def test_disk_of_a_study_by_hand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gru = {"start_from": "cnn", "rnn": "gru", "cnn_weights": "frozen"}
    study = studies.resolve(STUDY | {"decoders": {"cnn": {}, "gru": gru}})
    # 10, 11, ... frames of 256 bytes
    movies = {session: (10 + i, (10 + i) * 256) for i, session in enumerate(study.mouse_of)}
    name = "train-b+c+d.valid-e.test-a"
    outputs = [
        *(f"recordings/{session}.h5" for session in study.mouse_of),
        "recorded/b1.h5",  # before it is brought to another frame rate
        "simulated/b1.tif",
        "simulated/b1_truth.h5",  # small
        "simulated/b1_behavior.mat",
        "variants/no_motion/recordings/c1.h5",
        "variants/no_motion/measures/c1.h5",
        f"features/cnn/{name}.h5",  # links
        "features/cnn/train-b+c+d/a.h5",
        f"predictions/cnn/{name}.h5",
        f"validation/cnn/{name}.h5",
        "ceilings/cnn/own.test-d1.h5",
        f"models/cnn/{name}.pt",
        f"models/cnn/{name}.history.tsv",
        f"models/gru/{name}.pt",
        "trained/cnn/train-b+c+d.pt",
        "passed/cnn/train-b+c+d/a.h5",
        "tables/auc.tsv",
        "report.html",
    ]
    jobs = [Job("rule", (f"results/lab/{output}",), None, 1, {}) for output in outputs]
    expected = {
        "recordings": 75 * 256,  # frames of all sessions
        "recorded": 12 * 256,
        "simulated": 12 * 256,
        "variants": 13 * 256,
        "features": 2 * 21 * 1280 * 2,  # of two validation mice, which choose an epoch each
        "predictions": 21 * 13,  # those of mouse a
        "validation": 15 * 13,
        "ceilings": 14 * 13,
        "models": 20_000_000 + 200_000,
        "trained": 3 * 20_000_000,  # every epoch
        "passed": 21 * (9 + 3 * 4),
    }
    assert plan.disk(jobs, study, movies) == expected
    known = {"cnn": {"causal": True}, "gru": gru | {"causal": True}}
    causal = studies.resolve(STUDY | {"decoders": known})
    assert plan.disk(jobs, causal, movies)["features"] == 2 * 21 * 1280 * 4  # float32
    # where there are files of the same kind, they are the measure
    made = Path("results/lab/features/cnn/train-b+c+d/other.h5")
    made.parent.mkdir(parents=True)
    made.write_bytes(bytes(777))
    plan._mean_size.cache_clear()
    assert plan.disk(jobs, study, movies)["features"] == 777


def test_passed_frames_are_those_that_a_decoder_looks_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = studies.resolve(STUDY | {"decoders": {"cnn": {"frame_step": 2, "epochs": 5}}})
    job_ = Job("rule", ("results/lab/passed/cnn/train-b+c+d/a.h5",), None, 1, {})
    movies = {"a1": (10, 0), "a2": (11, 0)}
    assert plan.disk([job_], study, movies) == {"passed": 10 * (9 + 5 * 4)}


def test_broken_movie_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/a1.tif").touch()
    with pytest.raises(UserError, match=r"data/a1\.tif: no TIFF stack"):
        source_files.movie_sizes(studies.resolve(STUDY))


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 MB"), (4.4e6, "4 MB"), (999e6, "999 MB"), (1e9, "1.0 GB"), (12.34e9, "12.3 GB")],
)
def test_bytes_in_words(size, words):
    assert preflight.gigabytes(size) == words


@pytest.mark.parametrize(("free", "state"), [(200, OK), (110, WARN), (99, FAIL)])
def test_disk_free(monkeypatch, free, state):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, free * 10**9))
    check = preflight.space({"features": 90 * 10**9, "models": 10 * 10**9})
    assert check.state == state
    assert check.words.startswith(f"100.0 GB needed, {free}.0 GB free")
    assert ("most for features/" in check.words) == (state == FAIL)


def test_free_disk_is_that_of_results_or_of_where_they_will_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert preflight.space({}).state == OK  # there is no results/ yet
    asked = []
    known = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or known)
    preflight.space({})
    (tmp_path / "large").mkdir()
    Path("results").symlink_to("large")
    preflight.space({})
    assert asked == [".", tmp_path / "large"]


# Weights


def test_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def check(**cnn):
        return preflight.weights(studies.resolve(STUDY | {"decoders": {"cnn": cnn}}))

    assert check(pretrained="none") == preflight.Check("weights", OK, "none needed")
    missing = "no file mine.pt; see pretrained: in the config"
    assert check(pretrained="file:mine.pt") == preflight.Check("weights", FAIL, missing)
    Path("mine.pt").write_bytes(b"w")
    assert check(pretrained="file:mine.pt") == preflight.Check("weights", OK, "1 file")
    write_checksum(Path("mine.pt"))
    assert check(pretrained="file:mine.pt").state == OK
    Path("mine.pt").write_bytes(b"v")
    assert check(pretrained="file:mine.pt").state == FAIL
    absent = check(backbone="resnet18.a1_in1k", pretrained="imagenet")
    assert absent.state == WARN and "results/weights/resnet18.a1_in1k.pt" in absent.words
    fetched = Path("results/weights/resnet18.a1_in1k.pt")
    fetched.parent.mkdir(parents=True)
    fetched.write_bytes(b"w")
    write_checksum(fetched)
    assert check(backbone="resnet18.a1_in1k", pretrained="imagenet").state == OK
    fetched.write_bytes(b"v")
    assert check(backbone="resnet18.a1_in1k", pretrained="imagenet").state == FAIL


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "ok t.tsv"),
        ({"source": "gone.tsv"}, "FAIL no file gone.tsv; see comparisons.x in the config"),
        ({"by": "kind"}, "FAIL t.tsv: no column kind; the columns are model, auc, test_mouse, val"),
        ({"decoders": ["cnn", "GRU"]}, "FAIL t.tsv: no model GRU; in the table: cnn, gru; see"),
        ({"where": {"test_mouse": "b"}}, "FAIL t.tsv: no model gru; in the table: cnn; see"),
        ({"where": {"kind": "b"}}, "FAIL t.tsv: no column kind; the columns are"),
        ({"source": "bare.tsv"}, "FAIL bare.tsv: no column test_mouse; the columns are model, auc"),
        ({"source": "results/lab/tables/auc.tsv"}, ""),  # is made by the run
        ({"source": "results/rig/tables/auc.tsv"}, "FAIL no file results/rig/tables/auc.tsv; see"),
    ],
)
def test_tables_that_comparisons_read(tmp_path, monkeypatch, change, words):
    monkeypatch.chdir(tmp_path)
    rows = ["model\tauc\ttest_mouse\tvalid_mouse", "cnn\t0.8\ta\tb", "cnn\t0.9\tb\ta"]
    Path("t.tsv").write_text("\n".join([*rows, "gru\t0.7\ta\tb", ""]))
    Path("bare.tsv").write_text("model\tauc\ncnn\t0.8\ngru\t0.7\n")
    line = {"source": "t.tsv", "by": "model", "decoders": ["cnn", "gru"]} | change
    found = verb._compared(studies.resolve(STUDY | {"comparisons": {"x": line}}))
    assert " ".join(f"{check.state} {check.words}" for check in found).startswith(words)
    assert bool(found) == bool(words)


# SLURM


def test_thousands_of_submissions_are_a_warning():
    few, many = dry(*[[job(name=str(i))] for i in range(1000)]), [[job()]] * 1001
    assert preflight.submissions(few).state == OK
    assert preflight.submissions(dry(*many)).state == WARN


def test_slurm_is_looked_at_only_with_its_profile(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no SLURM at all
    (check,) = preflight.slurm(dry([job()], executor="local"))
    assert (check.state, check.words) == (SKIPPED, "not looked at (no SLURM here)")
    (check,) = preflight.slurm(dry([job()]))
    assert check.state == FAIL and "no command sinfo" in check.words


def test_controller_that_does_not_answer(cluster):
    cluster(scontrol_ping="Slurmctld(primary) at head is DOWN")
    (check,) = preflight.slurm(dry([job()]))
    assert check.state == FAIL and "at head is DOWN" in check.words


def gpu_job(**resources) -> list[Job]:
    return [job(**{"slurm_partition": "gpu", "runtime": 60, "mem_mb": 1000, "gpu": 1} | resources)]


@pytest.mark.parametrize(
    ("submission", "words"),
    [
        ([job(runtime=1440, mem_mb=128000, threads=32)], "main: fits"),
        ([job(runtime=1441)], "main: train_cnn asks for 1441 min (runtime), the limit is 1440"),
        ([job(threads=33)], "asks for 33 cores and 0 MB, which no node has"),
        ([job(mem_mb=128001)], "asks for 1 cores and 128001 MB, which no node has"),
        # one node must have all of it
        ([job(threads=16, mem_mb=65000)], "main: fits"),
        (gpu_job(threads=25, mem_mb=129000, slurm_partition="main,gpu"), "25 cores and 129000 MB,"),
        (gpu_job(threads=24, mem_mb=256000, slurm_partition="main,gpu"), "main,gpu: fits"),
        (
            gpu_job(threads=25, slurm_partition="main,gpu"),
            "main,gpu: train_cnn asks for gpu:1, nodes with the rest have no GPU",
        ),
        (
            gpu_job(runtime=721, slurm_partition="main,gpu"),
            "main,gpu: train_cnn asks for gpu:1, nodes with the rest have no GPU",
        ),
        # members of a group run one after another
        ([job(runtime=700), job(runtime=740)], "main: fits"),
        ([job(runtime=700), job(runtime=741)], "asks for 1441 min"),
        ([job(slurm_partition="gpus")], "no 'gpus'; slurm_partition in the profile: one of main,"),
        ([job(gpu=1)], "main: train_cnn asks for gpu:1, nodes have no GPU"),
        (gpu_job(), "gpu: fits"),
        (gpu_job(gpu=5), "asks for gpu:5, nodes have a100:4"),
        (gpu_job(gpu=0, gres="gpu:a100:4"), "gpu: fits"),
        (gpu_job(gpu=0, gres="gpu:h100:1"), "asks for h100:1, nodes have a100:4"),
        (gpu_job(gpu_model="h100"), "asks for h100:1, nodes have a100:4"),
        (gpu_job(runtime=721), "train_cnn asks for 721 min (runtime), the limit is 720"),
        (gpu_job(runtime=1440, gpu=0, slurm_partition="main,gpu"), "main,gpu: fits"),
        (gpu_job(slurm_partition="gpu,typo"), "no 'typo'; slurm_partition in the profile: one of"),
        (gpu_job(gres="gpu:a100-80gb:1", gpu=0), "'gpu:a100-80gb:1', a name that the SLURM exec"),
        (gpu_job(gpu_model="a100-80gb"), "'a100-80gb', a name that the SLURM executor refuses"),
        (gpu_job(gpu=0, slurm_extra="'--gpus-per-node=a100:4'"), "gpu: fits"),
        (
            gpu_job(gpu=0, slurm_extra="'--gpus-per-node=a100-80gb:4'"),
            "asks for a100-80gb:4, nodes",
        ),
        (gpu_job(slurm_partition="old"), "old is down"),
        (gpu_job(gpu=2, slurm_partition="untyped"), "untyped: fits"),
        (gpu_job(gpu=3, slurm_partition="untyped"), "asks for gpu:3, nodes have gpu:2"),
        (gpu_job(gpu=2, gpu_model="a100", slurm_partition="untyped"), "for a100:2, nodes have gpu"),
    ],
)
def test_partition_has_what_jobs_ask_for(cluster, submission, words):
    cluster()
    (check,) = [c for c in preflight.slurm(dry(submission)) if c.what == "partition"]
    assert words in check.words
    assert check.state == (OK if "fits" in words else WARN if "down" in words else FAIL)


@pytest.mark.parametrize(
    ("gpus", "limits"),
    [
        ([{"a100": 2}, {"h200": 4}], {"max_gpu": 4, "available_gpu_models": ["a100", "h200"]}),
        ([{"a100": 2}, {}], {"max_gpu": 2, "available_gpu_models": ["a100"]}),
        ([{"v100": 1, "a100": 3}], {"max_gpu": 3, "available_gpu_models": ["a100", "v100"]}),
        ([{"a100": 2}, {"": 4}], {"max_gpu": 4}),  # of some nobody says which
        ([{"": 2}], {"max_gpu": 2}),
        ([{}], {}),
    ],
)
def test_models_of_gpus_are_those_of_a_partition_whose_nodes_all_tell_theirs(gpus, limits):
    most = len(gpus) - 1
    nodes = [
        partitions.Nodes("gpu", True, None, each, 8 + i, 1000 * i) for i, each in enumerate(gpus)
    ]
    for shown, threads in (("4", 4), ("UNLIMITED", 8 + most), ("0", 8 + most), ("99", 8 + most)):
        found = partitions._limits({"max_runtime": "1-0"}, nodes, {"MaxCPUsPerNode": shown})
        own = {"max_runtime": "1-0", "max_threads": threads, "max_mem_mb": 1000 * most}
        assert found == own | limits


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, None),
        ({"State": "UP", "RootOnly": "NO", "AllowGroups": "ALL", "AllowAccounts": "ALL"}, None),
        ({"State": "DOWN"}, "its state is DOWN"),
        ({"RootOnly": "YES"}, "RootOnly"),
        ({"AllowGroups": "lab,other"}, None),
        ({"AllowGroups": "other"}, "for the groups other alone"),
        ({"AllowAccounts": "brain,other"}, None),
        ({"AllowAccounts": "other"}, "for the accounts other alone"),
        ({"DenyAccounts": "brain"}, None),  # jobs may be of the other one
        ({"DenyAccounts": "brain,old,mind"}, "not for the accounts brain, mind"),
    ],
)
def test_a_partition_is_closed_to_other_groups_and_accounts(monkeypatch, settings, why):
    monkeypatch.setattr(partitions.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(partitions, "_groups", lambda: {"lab", "users"})
    monkeypatch.setattr(partitions, "_accounts", lambda: {"brain", "mind"})
    assert partitions._closed(settings) == why
    monkeypatch.setattr(partitions, "_accounts", lambda: set())  # no accounting: none is asked for
    assert partitions._closed(settings) == (None if "Accounts" in str(settings) else why)
    monkeypatch.setattr(partitions.os, "geteuid", lambda: 0)  # root may all, of what is up
    assert partitions._closed(settings) == (why if "DOWN" in str(settings) else None)


def test_a_command_of_a_cluster_that_is_not_there_or_does_not_answer_is_named():
    with pytest.raises(UserError, match=r"^no-such-command -h: .*No such file"):
        partitions.ask("no-such-command", "-h")
    with pytest.raises(UserError, match=r"^sleep 9: no answer in 0\.05 s$"):
        partitions.ask("sleep", "9", timeout=0.05)
    with pytest.raises(UserError, match=r"^false: no word$"):
        partitions.ask("false")
    with pytest.raises(UserError, match=r"exit 1: down$"):
        partitions.ask("sh", "-c", "echo one; printf 'one\ndown\n\n' >&2; exit 1")


def test_what_sinfo_lists_of_nodes_is_read(monkeypatch):
    """Cores and memory of unequal nodes in one line end in a plus."""
    lines = "a|up|1-00:00:00|gpu:a100:2(S:0-1),gpu:v100:1|16+|64000+\nb*|drain|30:00|(null)|8|9\n"
    monkeypatch.setattr(partitions, "ask", lambda *words: lines)
    cards = {"a100": 2, "v100": 1}
    found = [("a", True, 1440, cards, 16, 64000), ("b", False, 30, {}, 8, 9)]
    assert partitions.nodes() == ([partitions.Nodes(*one) for one in found], "b")


def test_groups_and_accounts_are_those_of_the_user(cluster, monkeypatch):
    known = [SimpleNamespace(gr_gid=gid, gr_name=f"g{gid}") for gid in (1, 2, 3)]
    monkeypatch.setattr(partitions.grp, "getgrall", lambda: known)
    monkeypatch.setattr(partitions.os, "getgroups", lambda: [2, 3, 99])
    assert partitions._groups() == {"g2", "g3"}
    cluster()
    assert partitions._accounts() == {"lab_a", "lab_b"}
    monkeypatch.setattr(partitions, "ask", no_answer)
    assert partitions._accounts() == set()


def no_answer(*words, **options):
    raise UserError(f"{words[0]}: no answer in 15 s")


def test_a_controller_that_gives_no_answer_is_down(monkeypatch):
    monkeypatch.setattr(preflight, "ask", no_answer)
    check = preflight.controller()
    assert check.state == FAIL and check.words.endswith("answer: scontrol: no answer in 15 s")


def test_cluster_without_default_partition(cluster):
    cluster(sinfo=SINFO.replace("*", ""))
    (check,) = [c for c in preflight.slurm(dry([job()])) if c.what == "partition"]
    assert check.state == FAIL and "one of main, gpu, old, untyped" in check.words


def test_each_partition_is_checked(cluster):
    cluster()
    checks = preflight.slurm(dry([job(runtime=5)], gpu_job(runtime=5), gpu_job(gpu=9)))
    assert [c.state for c in checks if c.what == "partition"] == [OK, FAIL]


# As scontrol of SLURM 22.05 prints it; `old` is down, `guests` for another account.
SHOWN = """PartitionName=main
   AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL
   Default=YES RootOnly=NO MaxNodes=UNLIMITED MaxTime=1-00:00:00 MaxCPUsPerNode=UNLIMITED
   State=UP TotalCPUs=48 TotalNodes=2 DefMemPerCPU=500 MaxMemPerNode=100000

PartitionName=gpu
   AllowGroups=ALL AllowAccounts=lab_a RootOnly=NO MaxNodes=1 MaxTime=12:00:00
   State=UP TotalCPUs=32 TotalNodes=1 DefMemPerCPU=500 MaxMemPerNode=UNLIMITED

PartitionName=old
   MaxTime=UNLIMITED State=DOWN TotalCPUs=8 TotalNodes=1 DefMemPerCPU=500

PartitionName=untyped
   AllowAccounts=guests MaxTime=UNLIMITED State=UP TotalCPUs=8 TotalNodes=1
"""
PARTITIONS = {
    "main": {"max_runtime": "1-00:00:00", "max_threads": 32, "max_mem_mb": 100000},
    "gpu": {"max_runtime": "12:00:00", "max_nodes": 1, "max_threads": 24, "max_mem_mb": 256000}
    | {"max_gpu": 4, "available_gpu_models": ["a100-80gb"]},
}


def test_file_of_partitions_has_what_nodes_have_for_this_user(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    cluster(scontrol_show_partition=SHOWN, sinfo=SINFO.replace("a100", "a100-80gb"))
    path = tmp_path / "slurm/partitions.yaml"
    lines = partitions.write(path)
    kept = yaml.safe_load(path.read_text())["partitions"]
    assert kept == PARTITIONS and [*kept["gpu"]] == [*PARTITIONS["gpu"]]  # time first
    assert lines[-2:] == [
        "old: left out: down, or without nodes",
        "untyped: left out: for the accounts guests alone",
    ]


def test_no_file_of_partitions_without_one_that_takes_jobs(cluster, tmp_path):
    cluster(scontrol_show_partition=SHOWN, sinfo=SINFO.replace("|up|", "|down|"))
    with pytest.raises(UserError, match="no partition takes jobs: gpu: left out"):
        partitions.write(tmp_path / "partitions.yaml")
    assert not (tmp_path / "partitions.yaml").exists()


@pytest.mark.parametrize(
    ("submission", "name"),
    [
        ([job(runtime=60)], "main"),  # GPUs are for those that ask for them
        ([job(runtime=60, gpu=1)], "gpu"),
        ([job(runtime=400), job(runtime=400)], "main"),
        ([job(runtime=400, gpu=1), job(runtime=400, gpu=1)], None),  # 800 minutes
        ([job(mem_mb=200000)], "gpu"),
        ([job(mem_mb=200000), job(mem_mb=150000)], "gpu"),  # the most of any, not their sum
        ([job(mem_mb=1000), job(mem_mb=200000)], "gpu"),
        ([job(mem_mb=200000), job(mem_mb=1000)], "gpu"),
        ([job(gpu=3), job(gpu=3)], "gpu"),
        ([job(gpu=3), job(gpu=5)], None),
        ([job(threads=32), job()], "main"),
        ([job(threads=33), job()], None),
        ([job(gpu=1, gpu_model="h100")], None),
        ([job(gpu=1, gpu_model="a100-80gb")], "gpu"),
    ],
)
def test_partition_that_the_executor_chooses(tmp_path, submission, name):
    (tmp_path / "partitions.yaml").write_text(yaml.safe_dump({"partitions": PARTITIONS}))
    assert partitions.chosen(tmp_path / "partitions.yaml", submission) == name


def test_jobs_are_checked_against_the_partitions_they_are_sent_to(cluster, tmp_path):
    cluster()
    path = tmp_path / "partitions.yaml"
    path.write_text(yaml.safe_dump({"partitions": PARTITIONS}))
    run = dry([job(runtime=60)], [job(runtime=60, gpu=1)], partition_config=path)
    words = [c.words for c in preflight.slurm(run) if c.what == "partition"]
    assert words == ["main: fits", "gpu: fits"]
    path.write_text("partitions: {gpu: {max_minutes: 1}}")
    (check,) = [c for c in preflight.slurm(run) if "partitions.yaml" in c.words]
    assert "cannot read it" in check.words and "--write-partitions" in check.words


@pytest.mark.parametrize(
    "text",
    [
        *("{gpu: {max_minutes: 1}}", "[]", "{1: {}}", "{'': {}}", "{gpu: {max_mem_mb: 100G}}"),
        *(f"{{gpu: {{max_runtime: {limit}}}}}" for limit in ("soon", ".nan", "inf")),
    ],
)
def test_a_file_of_partitions_that_the_executor_cannot_read_is_named(tmp_path, text):
    path = tmp_path / "p.yaml"
    path.write_text(f"partitions: {text}")
    with pytest.raises(UserError, match=r"p\.yaml: the SLURM executor cannot read it \(.*--write-"):
        partitions.chosen(path, [job(mem_mb=1)])


def test_jobs_that_the_executor_refuses_are_named_and_not_the_file(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(yaml.safe_dump({"partitions": PARTITIONS}))
    with pytest.raises(UserError, match=r"^train_cnn: the SLURM executor refuses .*\(GPU resource"):
        partitions.chosen(path, [job("train_cnn", gpu=1, gres="gpu:a100:1")])


def test_profile_reads_a_file_of_partitions_that_the_executor_takes():
    profile = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())
    assert partitions.chosen(ROOT / profile["slurm-partition-config"], [job()]) is None


@pytest.mark.parametrize(
    ("config", "status", "account", "state", "words"),
    [
        ("slurmdbd", "squeue", None, OK, "your default of lab_a, lab_b"),
        ("slurmdbd", None, "lab_b", OK, "account: lab_b"),
        (
            "slurmdbd",
            None,
            "lab_c",
            FAIL,
            "no account 'lab_c' of yours; slurm_account: one of lab_a",
        ),
        ("none", "squeue", None, WARN, "off on this cluster"),
        ("none", "auto", None, FAIL, "set slurm-status-command: squeue"),
        ("none", None, "lab_a", FAIL, "set slurm-status-command: squeue"),
    ],
)
def test_accounting(cluster, config, status, account, state, words):
    cluster(scontrol_show_config=f"AccountingStorageType = accounting_storage/{config}\nX = 1\n")
    wanted = {"slurm_account": account} if account else {}
    checks = preflight.slurm(dry([job(runtime=5, **wanted)], status_command=status))
    (check,) = [c for c in checks if c.what == "accounting"]
    assert check.state == state and words in check.words


def test_a_user_without_an_account_is_told(cluster, tmp_path):
    cluster(sacctmgr=" ")
    for wanted in ({}, {"slurm_account": "lab_a"}):
        checks = preflight.slurm(dry([job(runtime=5, **wanted)]))
        (check,) = [c for c in checks if c.what == "accounting"]
        assert check.state == WARN and "lists no account of" in check.words


def test_command_that_fails_is_a_warning_with_its_last_words(cluster, tmp_path):
    cluster()
    (tmp_path / "bin/sacctmgr").write_text(
        "#!/bin/sh\necho 'error: one' >&2\necho down >&2\nexit 1"
    )
    found = states(preflight.slurm(dry([job(runtime=5)])))
    assert Counter(found.values())[WARN] == 1
    (check,) = [c for c in preflight.slurm(dry([job(runtime=5)])) if c.state == WARN]
    assert check.words.endswith("format=account: down")


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [
        *(("infinite", None), ("30:00", 30), ("12:00:00", 720), ("1-00:00:00", 1440)),
        *(("2-12", 3600), ("1-02:30", 1590), ("45:30", 45.5), ("00:00:06", 0.1)),
    ],
)
def test_time_limits(limit, minutes):
    assert partitions.minutes(limit) == minutes


def test_the_disk_that_a_run_fills_is_said_by_folder(monkeypatch, capsys):
    needed = {"tmp": 2e6, "results": 5.04e9}
    monkeypatch.setattr(source_files, "movie_sizes", lambda study: {})
    monkeypatch.setattr(plan, "disk", lambda jobs, study, movies: needed)
    monkeypatch.setattr(preflight, "space", lambda needed: needed)
    monkeypatch.setattr(preflight, "windows", lambda study, movies: [])
    dry = DryRun([], [], "local")
    assert verb._disk_checks(dry, None) == [needed]
    assert capsys.readouterr().out == "disk: results 5.0 GB, tmp 2 MB\n\n"
    needed.clear()
    verb._disk_checks(dry, None)
    assert capsys.readouterr().out == ""


def test_recordings_shorter_than_a_window_are_named_before_the_run():
    """An image is of 3 frames; the GRU's window of 2 x 2 + 1 images spans 2 frames more."""
    gru = {"start_from": "cnn", "rnn": "gru", "cnn_weights": "frozen", "half_window": 2}
    config = STUDY | {"decoders": {"cnn": {}, "gru": gru, "mean": {"average_of": ["cnn", "gru"]}}}
    study = studies.resolve(config)
    first, *others = study.mouse_of

    def said(short, rest, **changes):
        movies = {first: (short, 1)} | dict.fromkeys(others, (rest, 1))
        return preflight.windows(studies.resolve(config | changes) if changes else study, movies)

    assert said(7, 7) == [] == said(0, 7)  # 0: still to be fetched
    (check,) = said(6, 7)
    assert check.state == "warn" and f"for want of as many: {first} (6);" in check.words
    assert "decoder 'gru' reads 7 frames at a time" in check.words
    image, window = said(2, 2)
    assert (image.state, window.state) == ("FAIL", "FAIL")
    assert "'cnn' reads 3 frames" in image.words and f"and {len(others) - 2} more" in image.words
    assert said(2, 2, frame_rate=10) == []  # there are other frames then


def test_what_is_not_decoded_at_the_start_is_longer_than_a_recording():
    """At 10 frames/s: 5 s of warm-up are 50 frames, 1 min is 600; a CNN's image is of 3."""
    cnn = {"causal": True, "warm_up": 5}
    few = {"adapted_from": "cnn", "few_shot": 1}
    first = {"adapted_from": "plain", "first_unlabelled": 0.1}
    raw = {"input": "rois", "model": "linear_svm", "causal": True, "warm_up": 90}
    raw |= {"normalise": "none", "baseline": None, "half_window": 1}
    config = STUDY | {"decoders": {"cnn": cnn, "few": few, "plain": {}, "first": first, "raw": raw}}
    config["recordings"] = STUDY["recordings"] | {"frame_rate": 10, "rois": "data/{session}.csv"}
    study = studies.resolve(config)

    def said(a1, a2, rest):
        movies = dict.fromkeys(study.mouse_of, (rest, 1)) | {"a1": (a1, 1), "a2": (a2, 1)}
        return [(check.state, check.words) for check in preflight.windows(study, movies)]

    assert said(300, 301, 601) == []
    ((state, words),) = said(300, 300, 601)
    assert state == FAIL and "decoder 'few' is given 1 min of each test mouse" in words
    assert "nothing is left to decode of a (1 min); lower its few_shot" in words
    others = {name: one for name, one in study.allocations.items() if one.test != ("a",)}
    movies = dict.fromkeys(study.mouse_of, (601, 1)) | {"a1": (300, 1), "a2": (300, 1)}
    assert 0 < len(others) < len(study.allocations)
    assert preflight.windows(replace(study, allocations=others), movies) == []  # a tests nothing
    assert said(53, 1000, 601) == [
        ("warn", "decoder 'first' reads 3 frames at a time after the first 60 (first_unlabelled); "
         "not decoded, for want of as many: a1 (53); see its half_window and first_unlabelled, or "
         "leave those out"),
    ]  # fmt: skip
    assert [words.split("'")[1] for _, words in said(52, 1000, 601)] == ["cnn", "first"]


LABELS = {"labels": np.arange(8) % 2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"behavior_labels": "run"}, "data/a1.mat: no 'run' in it; it holds: labels, two (8 x 2)"),
        ({"behavior_labels": "two:3"}, "two:3 is not there: 8 x 2 values are 2 columns"),
        ({"behavior_speed": "two"}, "data/a1.mat: two has shape (8, 2); needs one value a frame"),
        ({"behavior_time": "t"}, "no 't' in it"),
        ({"behavior": "data/{session}.csv"}, "data/a1.csv: neither 'runrest' nor 'speed_rs' in it"),
        ({"target": "pupil"}, "data/a1.mat: no 'pupil' in it; it holds: labels, two (8 x 2)"),
        ({"target": "states", "target_states": ["x", "y", "z"], "behavior_target": "s"}, "no 's'"),
    ],
)
def test_behaviour_files_that_lack_what_the_config_names(tmp_path, monkeypatch, change, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for session in studies.resolve(STUDY).mouse_of:
        held = LABELS | {"two": np.ones((8, 2))}
        scipy.io.savemat(f"data/{session}.mat", held)
        Path(f"data/{session}.csv").write_text("frame,heading\n0,1.5\n1,2.5\n")
    target = {key: change[key] for key in {"target"} & {*change}}
    asked = {key: value for key, value in change.items() if key != "target"}
    decoders = {"decoders": {"cnn": {}}} if target else {}
    config = STUDY | {"recordings": STUDY["recordings"] | asked} | target | decoders
    (check,) = heads.named(studies.resolve(config))
    assert (check.what, check.state) == ("behaviour", FAIL if words else OK)
    assert words in check.words and ("\n" not in check.words)
    assert check.words.endswith(
        "(and 5 more files)" if words else "6 files hold what the config names"
    )


def test_one_line_for_each_fault_of_behaviour_files_and_none_for_made_recordings(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    study = studies.resolve(STUDY)
    for session in study.mouse_of:
        scipy.io.savemat(f"data/{session}.mat", LABELS if session != "c1" else {"x": 1})
    Path("data/d1.mat").write_bytes(b"MATLAB 7.3, cut short")
    Path("data/e1.mat").unlink()  # `data` says so
    cut, empty = sorted(check.words for check in heads.named(study))[::-1]
    assert cut.startswith("data/d1.mat: ") and "more" not in cut
    assert empty.startswith("data/c1.mat: neither 'runrest'") and "it holds: x" in empty
    (tmp_path / "results/lab/recordings").mkdir(parents=True)
    for session in ("c1", "d1"):
        (tmp_path / f"results/lab/recordings/{session}.h5").touch()
    assert [(check.state, check.words[:7]) for check in heads.named(study)] == [(OK, "3 files")]


def test_roi_files_whose_names_are_not_those_of_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    roi = {"input": "rois", "model": "linear_svm"}
    recordings = STUDY["recordings"] | {"rois": "data/{session}.csv"}
    config = STUDY | {"recordings": recordings, "decoders": {"svm": roi}}
    study = studies.resolve(config)

    def write(session, *names):
        rows = [",".join(["time", *names]), *(f"{i},{i % 2}.5,1.5" for i in range(4))]
        Path(f"data/{session}.csv").write_text("\n".join(rows))

    for session in study.mouse_of:
        scipy.io.savemat(f"data/{session}.mat", LABELS)
        write(session, "M1", "V1")
    assert [check.words[:1] for check in heads.named(study)] == ["6", "6"]
    write("b1", "V1", "M1")
    write("c1", "M1", "S1")
    write("d1", "M1", "S1")
    _, turned, other = heads.named(study)
    ends = ", beside data/a1.csv; all sessions need the same ROIs in the same order (areas in the "
    ends += "config matches them by name)"
    assert turned.words == f"data/b1.csv: has ROIs in another order{ends}"
    assert other.words == f"data/c1.csv: lacks ROI V1 and has ROI S1 more{ends} (and 1 more file)"
    by_name = studies.resolve(config | {"areas": "common"})
    assert [check.state for check in heads.named(by_name)] == [OK, OK]


@pytest.mark.parametrize(
    ("suffix", "lacks"),
    [("mat", "no variable 'sig' in it; it holds: dat_roi"), ("h5", "no dataset 'sig' in it")],
)
def test_roi_files_without_the_dataset_that_the_config_names(tmp_path, monkeypatch, suffix, lacks):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    recordings = STUDY["recordings"] | {"rois": "data/{session}_r." + suffix}
    config = STUDY | {"decoders": {"svm": {"input": "rois", "model": "linear_svm"}}}
    for session in studies.resolve(STUDY).mouse_of:
        scipy.io.savemat(f"data/{session}.mat", LABELS)
        scipy.io.savemat(f"data/{session}_r.mat", {"dat_roi": np.ones((2, 8))})
        with h5py.File(f"data/{session}_r.h5", "w") as file:
            file["rois"] = np.ones((2, 8))
    for dataset, state in ((None, OK), ("sig", FAIL)):
        named = config | {"recordings": recordings | {"roi_dataset": dataset}}
        _, check = heads.named(studies.resolve(named))
        assert check.state == state and (state == OK or lacks in check.words)


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        ("frame_times", np.arange(8) / 30, ""),
        ("frame_times", np.arange(7) / 30, "has 7 time stamps"),
        ("frame_times", np.arange(8) / 3, "3 frames/s"),
        ("light_sources", np.tile([0, 1], 4), ""),
        ("light_sources", np.tile([0, 1], 2), "has 4 light sources, but the movie has 8 frames"),
        ("roi_masks", np.eye(4), ""),
        ("roi_masks", np.ones((5, 4)), "5 x 4 px"),
        ("brain_mask", np.ones((4, 5)), "4 x 5"),
        ("dark_frame", np.ones((4, 5)), "4 x 5"),
    ],
)
def test_what_is_read_with_a_movie_fits_it_before_jobs_start(
    tmp_path, monkeypatch, capsys, key, values, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    named = {key: f"data/{{session}}_{key}.npy"}
    own = {"movie": "data/{session}.npy"} | (named if key not in correction_table.FILES else {})
    corrections = {"signal_channel": 0, "dff": "mean"} if key == "light_sources" else {}
    corrections |= named if key in correction_table.FILES else {}
    config = STUDY | {"recordings": STUDY["recordings"] | own, "corrections": corrections}
    study = studies.resolve(config)
    for session in study.mouse_of:
        scipy.io.savemat(f"data/{session}.mat", LABELS)
        np.save(f"data/{session}.npy", np.ones((8, 4, 4), np.uint16))
        np.save(f"data/{session}_{key}.npy", values)
    _, check = heads.named(study)
    assert (check.what, check.state) == ("with movies", FAIL if words else OK)
    assert words in check.words and "\n" not in check.words
    assert check.words.startswith(f"data/a1_{key}.npy: " if words else "6 files ")
    assert "npy" not in capsys.readouterr().err  # preprocessing says what it takes them for


def test_hours_of_rules_stand_in_a_table(monkeypatch, capsys):
    lines = [
        plan.Estimate("train_cnn", 20, 20, 123.45, 10.0, 0, False),
        plan.Estimate("fit_linear", 5, 1, 9.994, 0.0, 5, False),
        plan.Estimate("all", 1, 0, 0.0, 0.0, 0, True),
    ]
    monkeypatch.setattr(plan, "estimates", lambda dry: lines)
    verb._print_jobs(DryRun([None] * 26, [None] * 21, "slurm"))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[:5]]
    assert rows == [
        ["rule", "jobs", "submitted", "core-hours", "GPU-hours", "hours", "from"],
        ["train_cnn", "20", "20", "123.5", "10.0", "limit"],
        ["fit_linear", "5", "1", "9.99", "0.00", "measured"],
        ["all", "1", "0", "local"],
        ["total", "26", "21", "133.4", "10.0"],
    ]
    verb._print_jobs(DryRun([None] * 26, [], "local"))
    assert "submitted" not in capsys.readouterr().out


def test_maps_of_pixels_that_cannot_be_made_are_said():
    gru = {"start_from": "other", "rnn": "gru"}
    decoders = {"cnn": {"backbone": "test_convnext"}, "other": {"backbone": "test_efficientnet"}}
    config = STUDY | {"decoders": decoders | {"gru": gru}}

    def checked(**importance) -> list:
        study = studies.resolve(config | {"importance": importance})
        return [(one.what, one.state) for one in verb._explained(study)]

    assert checked(cut={"decoder": "cnn", "masks": "squares"}) == []
    seen = {"areas": "squares"}
    assert checked(one=seen | {"decoder": "gru"}) == [("importance", OK)]
    both = checked(one=seen | {"decoder": "gru"}, two=seen | {"decoder": "cnn"})
    assert both == [("importance", FAIL)]
