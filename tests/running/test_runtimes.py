"""Run times from benchmark files: sums, gaps, and files that are not of the study."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import re
from pathlib import Path

import pytest

from make import ROOT, STUDY
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.cli.running import runtimes as verb
from mesodecode.running import runtimes
from mesodecode.study import config_file, study
from mesodecode.study.kinds import KINDS

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
KNOWN = [{"t1", "t2", "t3"}, {"s1", "s2"}, {"cnn", "gru"}]


def add(folder: Path, name: str, seconds: float, memory: object = 100.0, cpu: object = 1.0) -> None:
    path = folder / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEAD}{seconds}\t0:00:01\t{memory}\t1\t1\t1\t0\t0\t50\t{cpu}\n")


def test_jobs_are_summed_by_rule(tmp_path):
    add(tmp_path, "train_cnn/cnn/t1", 3600, 800, 7200)
    add(tmp_path, "train_cnn/cnn/t2", 1800, 900, 3600)
    add(tmp_path, "train_cnn/cnn/t3", 1800, 700, 1800)
    add(tmp_path, "preprocess/s1", 36, 50, 18)
    rows = runtimes.collect(tmp_path, KNOWN)
    assert [row["rule"] for row in rows] == ["preprocess", "train_cnn"]
    assert rows[1] == {
        **{"rule": "train_cnn", "jobs": 3, "missing": 0, "unmeasured": 0},
        **{"wall_hours": 2.0, "longest_hours": 1.0, "cpu_hours": 3.5, "max_memory_mb": 900.0},
    }
    assert (rows[0]["jobs"], rows[0]["missing"]) == (1, 1)  # s2
    assert rows[0]["wall_hours"] == pytest.approx(0.01)


def test_missing_files_are_counted_in_every_folder(tmp_path):
    for name in ("train_rnn/gru/t1", "train_rnn/cnn/t1", "train_rnn/cnn/t2"):
        add(tmp_path, name, 1)
    (row,) = runtimes.collect(tmp_path, KNOWN)
    assert (row["jobs"], row["missing"]) == (3, 3)
    # what a folder is of is the set that has all its names, though another has some of them
    (row,) = runtimes.collect(tmp_path, [{"t1", "t7", "t8", "t9"}, *KNOWN])
    assert (row["jobs"], row["missing"]) == (3, 3 + 1)


def test_files_of_other_studies_are_left_out(tmp_path):
    add(tmp_path, "train_cnn/cnn/t1", 10)
    add(tmp_path, "train_cnn/cnn/t9", 1000)  # of a mouse that is gone
    add(tmp_path, "train_cnn/old/t1", 1000)  # of a decoder that was renamed
    add(tmp_path, "finetune/old/t1", 1000)
    (row,) = runtimes.collect(tmp_path, KNOWN)
    assert row["wall_hours"] == pytest.approx(10 / 3600)
    assert (row["jobs"], row["missing"]) == (1, 2)


def test_what_a_warm_server_did_is_not_measured_as_its_clients(tmp_path):
    add(tmp_path, "train_cnn/cnn/t1", 3600, 13.7, 0.02)
    (row,) = runtimes.collect(tmp_path, KNOWN)
    assert row["wall_hours"] == 1 and row["unmeasured"] == 1
    assert math.isnan(row["cpu_hours"]) and math.isnan(row["max_memory_mb"])


@pytest.mark.parametrize("gap", ["NA", "-"])
def test_jobs_too_short_to_be_measured(tmp_path, gap):
    add(tmp_path, "preprocess/s1", 0.2, gap, gap)
    (row,) = runtimes.collect(tmp_path, KNOWN)
    assert row["unmeasured"] == 1 and row["wall_hours"] == pytest.approx(0.2 / 3600)
    assert math.isnan(row["cpu_hours"]) and math.isnan(row["max_memory_mb"])
    add(tmp_path, "preprocess/s2", 0.2, 70, 36)
    (row,) = runtimes.collect(tmp_path, KNOWN)
    assert (row["unmeasured"], row["cpu_hours"], row["max_memory_mb"]) == (1, 0.01, 70)
    for half in ((gap, 36), (70, gap)):  # of which the other half is not known
        add(tmp_path, "preprocess/s1", 0.2, *half)
        (row,) = runtimes.collect(tmp_path, KNOWN)
        assert (row["unmeasured"], row["cpu_hours"], row["max_memory_mb"]) == (1, 0.01, 70)


def test_table_is_read_as_it_was_written(tmp_path):
    add(tmp_path / "b", "preprocess/s1", 0.2, "NA", "NA")
    add(tmp_path / "b", "train_cnn/cnn/t1", 3600, 800, 7200)
    rows = runtimes.collect(tmp_path / "b", KNOWN)
    runtimes.write(rows, tmp_path / "t.tsv")
    again = runtimes.read(tmp_path / "t.tsv")
    assert again[1] == rows[1] and math.isnan(again[0]["cpu_hours"])
    runtimes.write(runtimes.collect(tmp_path / "none", KNOWN), tmp_path / "t.tsv")
    assert runtimes.read(tmp_path / "t.tsv") == []


@pytest.mark.parametrize(
    "text", ["a\tb\n1\t2\n", HEAD + "quick\n", HEAD + "1\t0\t2\n", HEAD + "\xff"]
)
def test_other_files_are_named(tmp_path, text):
    path = tmp_path / "preprocess/s1.tsv"
    path.parent.mkdir()
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"preprocess/s1\.tsv: not a benchmark file of Snakemake"):
        runtimes.collect(tmp_path, KNOWN)
    with pytest.raises(UserError, match=r"s1\.tsv: not a table of `mesodecode runtimes`"):
        runtimes.read(path)


@pytest.mark.parametrize("cells", ["preprocess\t1", "x\ty\t1\t1\t1\t1\t1\t1", "\xff"])
def test_a_damaged_table_of_run_times_is_named(tmp_path, cells):
    head = "\t".join(runtimes.COLUMNS)
    (tmp_path / "t.tsv").write_text(f"{head}\n{cells}\n", encoding="latin-1")
    with pytest.raises(UserError, match=r"t\.tsv: not a table of `mesodecode runtimes`; make it"):
        runtimes.read(tmp_path / "t.tsv")


def test_verb_takes_the_names_from_the_config(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(STUDY))
    mice = study.resolve(STUDY)
    training, *others = mice.trainings("linear")
    add(tmp_path / "b", f"fit_linear/linear/{training}", 1)
    for mouse in list(mice.mice)[-2:]:  # of these none is expected
        add(tmp_path / "b", f"pass/linear/{training}.{mouse}", 1)
    add(tmp_path / "b", f"pass/linear/{training}.z", 1)
    add(tmp_path / "b", f"keep/linear/{next(iter(mice.allocations))}", 1)
    add(tmp_path / "b", "preprocess/a2", 1)
    add(tmp_path / "b", "preprocess/z1", 1)
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    words = ("--config", "config.json", "--benchmarks", "b", "--out", "out.tsv")
    paths = [word if word.startswith("--") else str(tmp_path / word) for word in words]
    verb.run(parser.parse_args(paths))
    rows = runtimes.read(tmp_path / "out.tsv")
    assert [(r["rule"], r["jobs"], r["missing"]) for r in rows] == [
        ("fit_linear", 1, len(others)),
        ("keep", 1, len(mice.allocations) - 1),
        ("pass", 2, 0),
        ("preprocess", 1, 5),
    ]


def test_what_an_analysis_took_that_is_no_longer_asked_for_is_left_out():
    mice = {mouse: [f"{mouse}1", f"{mouse}2"] for mouse in STUDY["mice"]}

    def analyses(*decoders: str) -> dict:
        chosen = {key: {"decoders": [*decoders]} for key in ("ceilings", "shift", "confounds")}
        return verb._analyses(study.resolve(STUDY | {"mice": mice} | chosen))

    asked, gone = analyses("linear"), analyses()
    assert all(asked.values()) and asked["control_signals"] == mice
    assert {rule for rule, of in gone.items() if of} == {"calibrate"}


def test_a_rule_counts_for_what_it_is_still_asked_for(tmp_path):
    for name in ("shift/cnn", "shift/gru", "image_shift", "calibrate", "preprocess/s1"):
        add(tmp_path, name, 1)
    only = {"shift": ["gru"], "image_shift": [], "calibrate": ["calibrate"]}
    rows = runtimes.collect(tmp_path, KNOWN, only=only)
    assert [(row["rule"], row["jobs"]) for row in rows] == [
        *(("calibrate", 1), ("preprocess", 1), ("shift", 1)),
    ]


def test_every_rule_that_is_measured_counts(tmp_path):
    demo = config_file.read(ROOT / "demo.yaml")
    demo |= {
        "mice": {mouse: [f"{mouse}_s{number}" for number in "123"] for mouse in demo["mice"]},
        **{key: {"decoders": ["cnn"]} for key in ("ceilings", "shift", "confounds")},
        "variants": {"raw": {"image_size": 64, "decoders": ["cnn"]}},
    }
    (tmp_path / "config.json").write_text(json.dumps(demo))
    mice = study.resolve(demo)
    (split, *_), (variant, *_) = mice.ceilings["cnn"], mice.variants
    names = {"decoder": "cnn", "allocation": next(iter(mice.allocations)), "session": "m1_s1"}
    names |= {"training": next(iter(mice.trainings("cnn"))), "mouse": "m4", "test": "m5"}
    names |= {"split": split, "variant": variant}
    names |= {"importance": "cutout", "block": "1"}
    rules = [p for p in (ROOT / "workflow/rules").glob("*.smk") if p.name != "encoding.smk"]
    text = "".join(path.read_text() for path in rules)
    patterns = re.findall(r'"benchmarks/(\S+)\.tsv"', text)
    of_kinds = re.findall(r'"benchmarks" / kind\.(\w+)\.(\w+) / "(\S+)\.tsv"', text)
    for (does, rule, rest), kind in itertools.product(of_kinds, KINDS.values()):
        if done := getattr(kind, does):
            patterns.append(f"{getattr(done, rule)}/{rest}")
    known = set(patterns)
    for pattern in known:
        add(tmp_path / "b", pattern.format(**names), 1)
    flags = {"--config": "config.json", "--benchmarks": "b", "--out": "out.tsv"}
    words = [word for flag, name in flags.items() for word in (flag, str(tmp_path / name))]
    assert main(["runtimes", *words]) == 0
    counted = {row["rule"] for row in runtimes.read(tmp_path / "out.tsv")}
    assert counted == {pattern.split("/")[0] for pattern in known} and "train_cnn" in counted


REPORT = """,JobID,JobName,RuleName,Elapsed_sec,CPU Efficiency (%),Memory Usage (%)
0,7.0,x,rule_train_cnn_wildcards_cnn_train-a,300,50.0,20.0
1,8.0,x,rule_train_cnn_wildcards_cnn_train-b,100,90.0,40.5
2,9.0,x,train_roi_train_roi,60,99.0,10.0
"""


def test_efficiency_of_slurm_is_added_by_rule(tmp_path):
    (tmp_path / "efficiency.csv").write_text(REPORT)
    rows = [
        dict.fromkeys(runtimes.COLUMNS, 1.0) | {"rule": rule}
        for rule in ("train_cnn", "train_roi", "auc")
    ]
    found = runtimes.with_efficiency(rows, tmp_path / "efficiency.csv")
    cnn, roi, auc = [[row[key] for key in runtimes.EFFICIENCY] for row in found]
    assert (cnn, roi) == ([60.0, 40.5], [99.0, 10.0])  # (300 x 50 + 100 x 90) / 400
    assert all(number != number for number in auc)  # it ran where Snakemake did
    runtimes.write(found, tmp_path / "runtimes.tsv")
    assert runtimes.read(tmp_path / "runtimes.tsv")[0]["cpu_used_percent"] == 60.0


@pytest.mark.parametrize(
    "text",
    [
        *("a,b\n1,2\n", REPORT.replace("RuleName", "Comment"), REPORT.replace("300", "soon")),
        *(REPORT + "3,9.0\n", REPORT + "3,9.0,x,rule_auc,300\n", REPORT.replace("train", "\xff")),
    ],
)
def test_other_reports_of_efficiency_are_named(tmp_path, text):
    (tmp_path / "other.csv").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"other\.csv: not an efficiency report"):
        runtimes.with_efficiency([], tmp_path / "other.csv")
