"""The demo at reduced size on a real SLURM, and what is asked of the cluster."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter

import yaml
from checkout import ROOT, Checkout


def test_the_study_runs_verbatim_each_job_once(undisturbed):
    jobs = undisturbed.jobs()
    alone = [(j.rule, j.wildcards) for j in jobs if j.wildcards]  # of a group none are told
    assert len(alone) == len(set(alone))
    assert {j.state for j in jobs} == {"COMPLETED"}
    assert (undisturbed.results / "report.html").exists()
    # localrules make no jobs: config, allocations, joined tables
    assert not {j.rule for j in jobs} & {"resolved_config", "allocations", "comparisons", "all"}
    assert not undisturbed.lock().exists()
    leftovers = [p for p in (undisturbed.results / "checkpoints").rglob("*") if p.is_file()]
    assert leftovers == []


def test_networks_of_images_ask_for_a_gpu_and_nothing_else_does(undisturbed):
    gpus = [(job.rule, job.gpus) for job in undisturbed.jobs() if job.gpus]
    # one each, alone or in a group
    named = ("train_cnn", "pass_images", "shift")
    assert set(gpus) == {(rule, 1) for rule in named}
    assert [job.wildcards for job in undisturbed.jobs("shift") if job.gpus] == ["cnn"]


def test_jobs_of_minutes_are_sent_together(undisturbed, allocations):
    rules = [job.rule for job in undisturbed.jobs()]
    # passes of images are sent alone: those of a fine-tuned decoder follow those of its CNN
    together = {"train_roi": 1, "quality": 1, "pass_images": 8, "pass_signals": 1, "pass_pixels": 1}
    together |= {"choose_and_predict": 1, "keep_linear": 1}
    assert {rule: rules.count(rule) for rule in together} == together
    made = ("predictions/cnn", "validation/cnn", "predictions/roi_gru")
    for folder in made:
        found = {path.stem for path in (undisturbed.results / folder).glob("*.h5")}
        assert found == set(allocations)


def test_members_of_a_group_share_memory_and_add_their_time(undisturbed):
    (train,) = undisturbed.jobs("train_roi")
    assert (train.memory, train.minutes) == (2000, 4 * 90)


def test_jobs_go_to_the_partitions_that_plan_writes(undisturbed, allocations):
    """Both have GPUs here; with those of one taken out, networks of images go to the other."""
    work = undisturbed.copy("partitions")
    planned = ("plan", "--configfile", "study.yaml", "--profile", "slurm", "--write-partitions")
    done = subprocess.run(
        [sys.executable, "-m", "mesodecode", *planned],
        cwd=work.folder,
        env=os.environ | {"PYTHONPATH": str(work.folder / "workflow")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    path = work.folder / "slurm" / "partitions.yaml"
    written = yaml.safe_load(path.read_text())
    cluster = undisturbed.cluster
    nodes = {"max_threads": cluster.cpus, "max_mem_mb": cluster.memory, "max_gpu": cluster.gpus}
    assert set(written["partitions"]) == {"main", "urgent"}
    assert all(limits.items() >= nodes.items() for limits in written["partitions"].values())
    del written["partitions"]["main"]["max_gpu"]
    path.write_text(yaml.safe_dump(written))
    assert_cnn_in_urgent(work, allocations[0])


def test_gpus_by_gres_in_a_partition_of_their_own(undisturbed, allocations):
    """`set-resources` of the profile, as docs/hpc.md has it."""
    work = undisturbed.copy("gres")
    page = (ROOT / "docs" / "hpc.md").read_text()
    (line,) = re.findall(r"`train_cnn: (\{slurm_partition: gpu, gpu: 0, gres: .*?\})`", page)
    asked = yaml.safe_load(line) | {"slurm_partition": "urgent"}
    profile = work.folder / "slurm" / "config.yaml"
    settings = yaml.safe_load(profile.read_text())
    settings["set-resources"] = {"train_cnn": asked, "pass_images": asked}
    profile.write_text(yaml.safe_dump(settings))
    assert_cnn_in_urgent(work, allocations[0])


def assert_cnn_in_urgent(work: Checkout, allocation: str) -> None:
    work.forget("cnn", allocation)
    assert work.run(f"results/cluster/models/cnn/{allocation}.pt") == 0, work.said()
    asked = {(job.rule, job.gpus, job.partition) for job in work.jobs()}
    choosing = ("choose_and_predict", 0, "main")
    assert asked == {("train_cnn", 1, "urgent"), ("pass_images", 1, "urgent"), choosing}


def test_a_mouse_more_runs_only_its_new_allocations(undisturbed):
    """6 allocations of three mice at 1:1:1; the fourth makes 24 of them, and one more fit."""
    # 18 members of a group one after another, as the profile has it, would take a minute more
    work = undisturbed.copy("mouse", "--group-components", "pass_pixels=3", "keep_linear=9")
    study = yaml.safe_load((work.folder / "study.yaml").read_text())
    study |= {
        "study": "mice",
        "decoders": {"linear": study["decoders"]["linear"]},
        "comparisons": {},
    }
    study["allocation"] = {"train": 1, "valid": 1, "test": 1}
    new = {"m4": study["mice"].pop("m4")}
    (work.folder / "study.yaml").write_text(yaml.safe_dump(study))
    assert work.run("tables", profile="local") == 0, work.said()
    results = work.folder / "results" / "mice"
    before = {path: path.stat().st_mtime_ns for path in results.glob("predictions/linear/*")}
    assert len(before) == 6
    finished = work.finished()
    study["mice"] |= new
    (work.folder / "study.yaml").write_text(yaml.safe_dump(study))
    assert work.run("tables") == 0, work.said()
    submitted = {
        "simulate": 1,
        "preprocess": 1,
        "fit_linear": 1,
        "pass_pixels": 6,  # the new mouse through the old fits, the others through its own
        "keep_linear": 18,
        "auc": 1,
    }
    here = ("allocations", "recordings_of_mouse", "predictions_of_decoder", "tables")
    assert work.finished() - finished == submitted | dict.fromkeys(here, 1)
    jobs = Counter(job.rule for job in work.jobs())
    assert jobs == dict.fromkeys(submitted, 1) | {"pass_pixels": 2, "keep_linear": 2}
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())
    assert len((results / "tables" / "auc.tsv").read_text().splitlines()) == 1 + 24
