"""The workflow without running it: which jobs a config makes, and which an edit makes again."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from make import (
    ALL,
    LINEAR,
    ROI_STUDY,
    ROOT,
    STUDY,
    add_files,
    check_commands,
    fails,
    plan,
    snakemake,
    with_importance,
)
from mesodecode.report import given, sections
from mesodecode.study import study as studies
from mesodecode.study.mouse_allocations import allocate

GRU = {"start_from": "cnn", "rnn": "gru", "cnn_weights": "frozen"}

# jobs of every study of these mice
ALWAYS = {
    "resolved_config": 1,
    "allocations": 1,
    "preprocess": 6,
    "recordings_of_mouse": 5,
    "cohort": 1,
    "qc": 1,
    "auc": 1,
    "figure_auc": 1,
    "runtimes": 1,
    "cohort_figure": 1,
    "quality_table": 1,
    "calibrate": 1,
    "image_shift": 1,
    "shift_report": 1,
    "report": 1,
    "all": 1,
}
TESTS = {"compare": 1, "comparisons": 1, "infer": 1, "inference": 1}  # of one comparison


# Which jobs a config makes. Each of five mice is tested once; at 3:1:1 there are 5 x 4 = 20
# allocations in all, at 2:1:1 thrice as many but for each_pair. Allocations with the same training
# mice share a training, through which their other mice are passed: 10 sets of three mice, 2 others.

FETCH = {"fetch_weights": 1}  # one download for all allocations
ONE = {"predictions_of_decoder": 1, "quality": 1, "shift": 1}  # of one decoder


def quality(decoders: int) -> dict[str, int]:
    """Jobs of the quality of decoders, of the shift report, and a list of predictions, one each."""
    return dict.fromkeys(ONE, decoders)


VARIANTS = {
    "only linear": ({}, {"fit_linear": 5, "keep_linear": 5, "pass_pixels": 10} | ONE),
    "all": (
        {"allocation": ALL},
        {"fit_linear": 10, "keep_linear": 20, "pass_pixels": 20} | ONE,
    ),
    "each pair": (  # 10 sets of two mice, five of them without one of the three others
        {"allocation": {"train": 2, "choose": "each_pair"}},
        {"fit_linear": 10, "keep_linear": 20, "pass_pixels": 25} | ONE,
    ),
    "CNN and frozen GRU": (
        {"decoders": {"cnn": {}, "gru": GRU}},
        FETCH
        | {"train_cnn": 5, "train_rnn": 5, "figure_loss": 1}
        | {"pass_images": 10, "pass_features": 10, "choose_and_predict": 10}
        | {"extract": 25, "join_features": 5}  # of all mice; joined for the shift report
        | {"made_by": 2}
        | quality(2),
    ),
    "all allocations of a frozen GRU that looks at some frames": (
        {
            "decoders": {"cnn": {"frame_step": 2}, "gru": GRU | {"frame_step": 2}},
            "allocation": ALL,
        },
        FETCH
        | {"train_cnn": 10, "train_rnn": 10, "figure_loss": 1}
        | {"pass_images": 20, "pass_features": 20, "choose_epoch": 40}
        | {"extract": 50, "join_features": 20, "predict_features": 40, "made_by": 2}
        | quality(2),
    ),
    "CNN and fine-tuned GRU": (
        {"decoders": {"cnn": {}, "gru": GRU | {"cnn_weights": "finetuned"}}},
        FETCH
        | {"train_cnn": 5, "finetune": 5, "made_by": 1, "figure_loss": 1}
        | {"pass_images": 20, "choose_and_predict": 10}
        | quality(2),
    ),
    "two CNNs, GRUs on one, compared twice": (
        {
            "decoders": {
                "lin": LINEAR,
                "cnn": {},
                "small": {"like": "cnn", "backbone": "efficientnet_lite0"},
                "gru": GRU,
                "lstm": {"like": "gru", "rnn": "lstm"},
            },
            "comparisons": {
                "x": {"decoders": ["cnn", "gru"]},
                "y": {"decoders": ["lin", "small", "lstm"]},
            },
        },
        {
            "fetch_weights": 2,
            "fit_linear": 5,
            "train_cnn": 10,
            "extract": 25,  # of the CNN that feeds frozen ones
            "join_features": 5,
            "made_by": 3,
            "pass_images": 20,
            "pass_pixels": 10,
            "keep_linear": 5,
            "choose_and_predict": 20,
            "train_rnn": 10,
            "pass_features": 20,
            "compare": 2,
            "figure_auc": 2,
            "figure_loss": 1,
            "comparisons": 1,
            "infer": 2,
            "inference": 1,
        }
        | quality(5),
    ),
    "ROI decoders": (
        {
            "recordings": STUDY["recordings"] | {"rois": "my data/{session}_roi.mat"},
            "decoders": {
                "roi_gru": {"input": "rois", "rnn": "gru"},
                "roi_svm": {"input": "rois", "model": "linear_svm"},
            },
        },
        {"train_roi": 5, "fit_roi": 5, "roi_correlation": 1, "figure_loss": 1}
        | {"pass_signals": 20, "choose_and_predict": 5, "keep_classical": 5}
        | quality(2),
    ),
    "ROI decoders side by side": (  # the ten sets of training mice of five, of two lines
        {
            "allocation": ALL,
            "stack": True,
            "mice": {mouse: [f"{mouse}1", f"{mouse}2"] for mouse in "abcde"},
            "recordings": STUDY["recordings"] | {"rois": "my data/{session}_roi.mat"},
            "decoders": {
                "gru": {"input": "rois", "rnn": "gru"},
                "seed": {"like": "gru", "seed": 2},
                "null": {"like": "gru", "labels": "permuted_between_sessions"},
                "lstm": {"like": "gru", "rnn": "lstm"},
                "tcn": {"like": "gru", "rnn": "tcn"},
            },
        },
        {"preprocess": 10, "stack_roi": 2, "choose_roi": 80}
        | {"train_roi": 10, "pass_signals": 20, "choose_and_predict": 20}  # of the TCN
        | {"roi_correlation": 1, "figure_loss": 1, "chance": 1}
        | quality(5)
        | {"shift": 4},  # permuted labels shift nothing
    ),
    "linear and ROI decoders adapted": (
        {
            "recordings": STUDY["recordings"] | {"rois": "my data/{session}_roi.mat"},
            "decoders": {
                "lin": LINEAR,
                "svm": {"input": "rois", "model": "linear_svm"},
                "past": {"adapted_from": "svm", "normalise": "past"},
                "few": {"adapted_from": "lin", "few_shot": 2, "C": 1e-5},
            },
        },
        {"fit_linear": 5, "fit_roi": 5, "adapt": 10, "roi_correlation": 1}
        | {"pass_pixels": 10, "pass_signals": 10, "keep_linear": 5, "keep_classical": 5}
        | quality(4),
    ),
    "ceilings, without dates": (  # two arms of ten sessions
        {
            "mice": {mouse: [f"{mouse}1", f"{mouse}2"] for mouse in "abcde"},
            "ceilings": {"decoders": ["linear"]},
        },
        {"preprocess": 10, "fit_linear": 5, "keep_linear": 5, "pass_pixels": 10}
        | {"hold_out": 20, "ceilings": 1}
        | ONE,
    ),
    "two cohorts, each tested from itself and the other": (  # six mice, from two trainings of each
        {
            "mice": {mouse: [f"{mouse}1"] for mouse in "abcdef"},
            "cohorts": {"lab": ["a", "b", "c"], "other": ["d", "e", "f"]},
            "allocation": {"train": 1, "choose": "each_test", "cohorts": "across"},
        },
        # each mouse trains for the mouse before it, and for one of the other cohort: it passes
        # that validates, those that are tested
        {"fit_linear": 6, "keep_linear": 12, "pass_pixels": 18, "recordings_of_mouse": 6}
        | {"cohorts": 1, "cohort_shift": 1}
        | ONE,
    ),
    "ceilings of a CNN by dates": (  # of two sessions of four the others are as far
        {
            "mice": {m: [f"202401{day}{m}" for day in ("01", "03", "07", "05")] for m in "abcde"},
            "decoders": {"cnn": {"pretrained": "none"}},
            "nwb": {"session_start": "%Y%m%d"},
            "ceilings": {"decoders": ["cnn"]},
        },
        {"preprocess": 20, "train_cnn": 5, "pass_images": 10, "choose_and_predict": 5}
        | {"figure_loss": 1, "hold_out_images": 80, "ceilings": 1}
        | ONE,
    ),
    "average of two seeds": (
        {
            "decoders": {
                "cnn": {"pretrained": "none"},
                "cnn2": {"like": "cnn", "seed": 2},
                "avg": {"average_of": ["cnn", "cnn2"]},
            },
            "comparisons": {"x": {"decoders": ["cnn", "avg"]}},
        },
        {"train_cnn": 10, "pass_images": 20, "choose_and_predict": 10, "average": 5}
        | {"figure_loss": 1}
        | TESTS
        | quality(3),
    ),
}


@pytest.mark.parametrize(("change", "jobs"), VARIANTS.values(), ids=VARIANTS)
def test_jobs_of_a_config(lab, change, jobs):
    add_files(lab, STUDY | change)
    found, lines = plan(lab, config=STUDY | change)
    assert found == ALWAYS | jobs
    check_commands(lines, found)
    assert not (lab / "results").exists()


def test_jobs_of_a_study_of_a_trace(lab):
    """Scores in the place of AUCs, nothing of probabilities; the shift report is of the scores."""
    config = STUDY | {"target": "speed", "decoders": {"linear": {"model": "ridge"}}}
    add_files(lab, config)
    found, lines = plan(lab, config=config)
    of_run = {"auc", "quality_table", "quality", "calibrate"}
    usual = ALWAYS | VARIANTS["only linear"][1] | {"score": 1}
    assert found == {rule: n for rule, n in usual.items() if rule not in of_run}
    check_commands(lines, found)
    (line,) = (line for line in lines if line.startswith("mesodecode shift-report "))
    assert "--sessions results/lab/tables/session_regression.tsv " in line


def test_average_and_losses_read_what_their_decoders_wrote(lab):
    decoders = {
        "linear": LINEAR,
        "cnn": {},
        "cnn2": {"like": "cnn", "seed": 2},
        "avg": {"average_of": ["cnn2", "linear", "cnn"]},
    }
    _, lines = plan(lab, config=STUDY | {"decoders": decoders})
    name = "train-b+c+d.valid-a.test-e"
    files = [f"results/lab/predictions/{x}/{name}.h5" for x in ("cnn2", "linear", "cnn", "avg")]
    valid = [file.replace("predictions", "validation") for file in files]
    assert (
        f"mesodecode average --predictions {' '.join(files[:3])} --of-validation "
        f"{' '.join(valid[:3])} --decoder avg --out {files[3]} --validation {valid[3]}"
    ) in lines
    (losses,) = [line for line in lines if line.startswith("mesodecode losses")]
    assert "--models results/lab/models --decoders cnn cnn2 --alloc" in losses
    (report,) = [line for line in lines if line.startswith("mesodecode report")]
    figures = [f"results/lab/figures/loss_{x}.svg" for x in ("cnn", "cnn2")]
    assert f" {' '.join(figures)} --out" in report
    words, config = shlex.split(report), studies.resolve(STUDY | {"decoders": decoders}).config
    tables, shown = words.index("--tables"), words.index("--figures")
    known = sections.names([name for part in sections.SECTIONS for name in part.tables], config)
    assert {Path(path).stem for path in words[tables + 1 : shown]} <= set(known)
    paths = words[shown + 1 : words.index("--out")]
    assert list(given.find_figures(config, paths).values()) == list(map(Path, paths))


def test_a_map_of_pixels_is_made_and_checked_in_each_allocation(lab):
    config = STUDY | {"decoders": {"cnn": {}, "frozen": GRU}}
    config |= {"importance": {"seen": {"decoder": "frozen", "areas": "areas.json"}}}
    add_files(lab, config)
    (lab / "areas.json").touch()
    jobs, lines = plan(lab, config=config)
    assert (jobs["shap_pixels"], jobs["pixels_check"], jobs["shap_summary"]) == (5, 5, 1)
    assert not {"shap", "shap_check", "cutout", "cutout_check"} & {*jobs}
    check_commands(lines, jobs)
    name = "train-b+c+d.valid-a.test-e"
    made, checked = (
        next(line for line in lines if line.startswith(f"mesodecode {verb} ") and name in line)
        for verb in ("shap-pixels", "pixels-check")
    )
    for line in (made, checked):
        assert (
            f"--weights results/lab/models/frozen/{name}.pt --cnn results/lab/models/cnn/" in line
        )
        assert "--recordings results/lab/recordings/e.txt --background-recordings " in line
        assert "--areas areas.json " in line
        assert " --windows 20 " in line and " --background 20 " in line
    summary = next(line for line in lines if line.startswith("mesodecode shap-summary"))
    assert "--rois" not in summary


def test_no_training_has_a_word_of_another_mouse_and_no_choice_one_of_the_test_mouse(lab):
    """Whatever the labels of a test mouse are, no weight and no choice can follow them."""
    decoders = {
        "lin": LINEAR,
        "cnn": {},
        "frozen": GRU,
        "tuned": GRU | {"cnn_weights": "finetuned"},
        "roi": {"input": "rois", "rnn": "gru"},
        "svm": {"input": "rois", "model": "linear_svm"},
    }
    recordings = STUDY["recordings"] | {"rois": "my data/{session}_roi.mat"}
    change = {"decoders": decoders, "recordings": recordings, "allocation": ALL}
    _, lines = plan(lab, config=STUDY | change)
    trained, chosen, shifts = 0, 0, 0
    for line in lines:
        verb = line.split()[1]
        if found := re.search(r"(?:--alone|--all-epochs) \S+/train-([a-e+]+)\.", line):
            mice = set(found[1].split("+"))
            read = re.findall(r"(?:recordings|features/cnn/train-\S+)/([a-e])\d?\.(?:txt|h5)", line)
            assert read and set(read) == mice, line
            # a fine-tuned decoder starts from epochs that validation mice have chosen
            assert verb == "finetune" or "passed/" not in line
            trained += 1
        if verb in ("choose", "keep-fitted"):
            name = re.search(r"--out \S+/train-[a-e+]+\.valid-([a-e])\.test-([a-e])\.", line)
            valid = line.partition("--valid ")[2].partition(" --")[0].split()
            assert [Path(path).stem for path in valid] == [name[1]], line
            assert f"/{name[2]}.h5" not in line.replace(line.partition("--test ")[2], "")
            chosen += 1
        if verb == "shift":  # of the CNN that a fine-tuned decoder started from none are its own
            reads = "--features results/lab/features/cnn " in line
            assert reads == (line.split()[3] in ("cnn", "frozen")), line
            shifts += 1
    assert (trained, chosen, shifts) == (6 * 10, 6 * 20, 6)


def test_demo_leaves_the_mice_of_config_yaml_out(tmp_path):
    # Snakemake merges --configfile into the config that the Snakefile names; ours replaces it
    shutil.copy(ROOT / "config.yaml", tmp_path)
    jobs, lines = plan(tmp_path, config=ROOT / "demo.yaml")
    assert jobs["predict_features"] == 40  # of the CNN and of what reads its features
    assert jobs["cutout"] == jobs["shap_check"] == 20  # all allocations
    assert jobs["simulate"] == jobs["preprocess"] == 10  # 5 mice x 2 sessions
    once = ["resolved_config", "allocations", "cohort", "auc", "comparisons", "report", "all"]
    once += ["cohort_figure", "quality_table"]
    assert {rule: jobs[rule] for rule in once} == dict.fromkeys(once, 1)
    check_commands(lines, jobs)
    assert not [line for line in lines if "Emx1G6" in line]
    simulated = [line for line in lines if line.startswith("mesodecode simulate")]
    (first,) = [line for line in simulated if "--session m1_s1 " in line]
    assert "--mouse m1 --run-share 0.36 " in first
    assert "fetch_weights" not in jobs  # its weights are packaged
    checks = [line for line in lines if line.startswith("mesodecode shap-check")]
    check, *more = [line for line in checks if ".test-m4.check.h5" in line]
    assert len(more) == 3
    truth = "results/demo/simulated/m4_s{}_truth.h5"
    assert f"--truth {truth.format(1)} {truth.format(2)} " in check
    assert " --frames 500 --draws 10 " in check
    assert " --maps results/demo/importance/shap/maps.txt " in check  # not all maps, in every job
    assert jobs["maps_of_analysis"] == 5  # of SHAP and of the cut-out, with checks; a null
    cut = [line for line in lines if line.startswith("mesodecode cutout-check")]
    assert all(" --frames 30 --draws none " in line for line in cut) and len(cut) == 20


@pytest.mark.e2e
def test_published_study_is_planned_within_15_seconds(tmp_path):
    shutil.copy(ROOT / "config.yaml", tmp_path)  # the config that is read without --configfile
    study = studies.load(ROOT / "config.yaml")
    for session in study.mouse_of:
        for kind in ("movie", "behavior", "rois"):
            if study.source(kind, session):
                path = tmp_path / study.source(kind, session)
                path.parent.mkdir(exist_ok=True)
                path.touch()
    jobs, lines = plan(tmp_path, main="mains:timed_plan")
    assert float((tmp_path / "seconds").read_text()) < 13  # of CPU, after 2 s of imports
    assert jobs["preprocess"] == 64
    assert (jobs["train_cnn"], jobs["fit_linear"]) == (10, 10)  # sets of three of five mice
    assert jobs["fetch_weights"] == 1
    assert jobs["compare"] == len(study.config["comparisons"])
    # cut-outs of squares, circles, pairs, edges and corners in two blocks of masks; left and right
    # of squares, circles and SHAP
    assert (jobs["cutout"], jobs["cutout_summary"], jobs["sides"]) == (5 * 20 * 2, 5, 3)
    check_commands(lines, jobs)


def test_profile_local_keeps_two_jobs_off_one_gpu(tmp_path):
    shutil.copytree(ROOT / "local", tmp_path / "local")
    recordings = tmp_path / "results" / "lab" / "recordings"
    recordings.mkdir(parents=True)
    for name in ("a1", "a2", "b1", "c1", "d1", "e1"):
        (recordings / f"{name}.h5").touch()
    config = STUDY | {"decoders": {"cnn": {"pretrained": "none"}}, "threads": 1}
    targets = [f"results/lab/trained/cnn/train-{mice}.pt" for mice in ("c+d+e", "a+d+e")]
    words = ("--profile", "local", "--cores", "4", "--", *targets)
    done = snakemake(tmp_path, *words, config=config, main="light_warm:timed")
    assert done.returncode == 0, done.stderr
    times = sorted(tuple(map(float, x.split())) for x in (tmp_path / "times").open())
    assert len(times) == 2
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(times))


def test_settings_from_the_command_line_and_image_size(lab):
    config = STUDY | {"decoders": {"cnn": {"epochs": 2, "pretrained": "file:my weights.pt"}}}
    (lab / "my weights.pt").touch()
    words = ("--cores", "2", "--config", "device=cpu", "threads=2", "image_size=96", "study=other")
    jobs, lines = plan(lab, *words, config=config)
    assert jobs["preprocess"] == 6
    (one,) = [line for line in lines if "--session=a2" in line]
    assert "--image-size=96" in one and "--mouse=a" in one
    assert "--out results/other/recordings/a2.h5 --measures results/other/measures/a2.h5" in one
    trained = [line for line in lines if line.startswith("mesodecode train-cnn")]
    (one,) = [line for line in trained if "train-b+c+d.pt" in line]
    recordings = "results/other/recordings"
    assert f"--train {recordings}/b.txt {recordings}/c.txt {recordings}/d.txt " in one
    assert "a.txt" not in one and "e.txt" not in one  # mice that validate and test
    assert "--epochs 2" in one and "--device cpu --threads 2" in one
    assert "--pretrained 'file:my weights.pt'" in one


def test_imagenet_weights_are_fetched_once_to_a_file_that_all_trainings_read(lab):
    decoders = {
        "cnn": {"backbone": "resnet18.a1_in1k"},
        "again": {"like": "cnn", "seed": 1},
        "lite": {"backbone": "efficientnet_lite0", "pretrained": "lite0"},
        "new": {"like": "cnn", "pretrained": "none"},
    }
    jobs, lines = plan(lab, config=STUDY | {"decoders": decoders})
    assert jobs["fetch_weights"] == 1
    (fetch,) = [line for line in lines if line.startswith("mesodecode fetch-weights")]
    weights = "results/weights/resnet18.a1_in1k.pt"
    assert fetch.endswith(f" --backbone resnet18.a1_in1k --out {weights}")
    trained = [line for line in lines if line.startswith("mesodecode train-cnn")]
    given = [re.search(r"--pretrained (\S+)", line)[1] for line in trained]
    asked = {"lite0": 5, "none": 5, f"file:{weights}": 10}
    assert {word: given.count(word) for word in given} == asked
    # another study finds the file, as does one without internet where it was copied
    (lab / weights).parent.mkdir(parents=True)
    (lab / weights).touch()
    (lab / f"{weights}.sha256").touch()
    jobs, _ = plan(lab, config=STUDY | {"decoders": decoders, "study": "other"})
    assert "fetch_weights" not in jobs


@pytest.mark.slow
def test_no_internet_is_one_line_on_the_terminal_of_snakemake(lab):
    weights = "results/weights/tf_efficientnet_b0.in1k.pt"
    config = STUDY | {"decoders": {"cnn": {}}}
    done = snakemake(lab, "--cores", "1", weights, config=config, main="light_warm:offline")
    assert done.returncode != 0
    lines = (done.stdout + done.stderr).splitlines()
    (line,) = [line for line in lines if line.startswith("mesodecode fetch-weights: error")]
    assert "'tf_efficientnet_b0.in1k'" in line and "Three ways out" in line
    assert all(way in line for way in ("HF_HOME", "file:PATH", "lite0"))
    assert not list(lab.glob("results/weights/*"))


@pytest.mark.e2e
def test_a_backbone_without_a_map_of_pixels_ends_the_run_before_its_first_job(lab):
    config = STUDY | {
        "decoders": {"cnn": {"backbone": "test_convnext", "pretrained": "none"}, "gru": GRU},
        "importance": {"pixels": {"decoder": "gru", "areas": "squares"}},
    }
    done = snakemake(lab, "--cores", "1", config=config)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert "backbone 'test_convnext' has no map of pixels" in text and "LayerNorm" in text
    assert not list(lab.glob("results/*/logs/*/*"))  # no job has begun
    # what needs no such map is made; what a job killed long ago has left is deleted before
    half = lab / "results/lab/trained/.cnn.k2_x9abc.pt"
    half.parent.mkdir(parents=True)
    half.touch(0o600)
    os.utime(half, (0, 0))
    done = snakemake(lab, "--cores", "1", "results/lab/allocations.tsv", config=config)
    assert done.returncode == 0, done.stderr
    assert not half.exists()


CONDA = """#!/bin/sh
# answers as conda does; the Python of an environment that it creates refuses whatever it is asked
case "$*" in
  --version) echo conda 25.1.0 ;;
  "info --json") echo '{"conda_prefix": "PREFIX", "platform": "linux-64"}' ;;
  config*) echo '{"get": {"channel_priority": "strict"}}' ;;
  *create*) while [ "$1" != --prefix ]; do shift; done
    mkdir -p "$2/bin"
    printf '#!/bin/sh\\necho "$0 $*" >> PREFIX/asked; echo no such map >&2; exit 1\\n' \
      > "$2/bin/python"
    chmod +x "$2/bin/python" ;;
esac
"""


@pytest.mark.slow
def test_with_environments_of_conda_the_python_in_them_says_so_before_the_first_job(
    lab, monkeypatch
):
    folder = lab / "bin"
    folder.mkdir()
    (folder / "activate").touch()
    (folder / "conda").write_text(CONDA.replace("PREFIX", str(lab)))
    (folder / "conda").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    config = STUDY | {
        "decoders": {"cnn": {"backbone": "test_convnext", "pretrained": "none"}},
        "importance": {"pixels": {"decoder": "cnn", "areas": "squares"}},
    }
    done = snakemake(lab, "--cores", "1", "--sdm", "conda", config=config)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert "no such map" in text, text
    assert not list(lab.glob("results/*/logs/*/*"))
    asked = (lab / "asked").read_text()
    assert re.fullmatch(r"\S+/bin/python -m mesodecode check-backbone --backbone \S+\n", asked)


# Bad input: one clear line before any job


def test_bad_config_gives_one_clear_line(lab):
    text = fails(lab, config=STUDY | {"comparisons": {"x": {"decoders": ["linear", "gru"]}}})
    assert [line for line in text.splitlines() if "config: " in line] == [
        "config: comparisons.x.decoders: no decoder 'gru'; known: linear"
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mice: {a: [a1]}\nmice: {b: [b1]}\n", "key 'mice' appears twice, at lines 1 and 2"),
        ("", "Config file must be given as JSON or YAML with keys at top level."),
        ("mice: [a\n", "Config file is not valid JSON or YAML."),
    ],
    ids=["duplicate key", "empty", "not YAML"],
)
def test_bad_file_gives_one_clear_line(tmp_path, text, words):
    (tmp_path / "bad.yaml").write_text(text)
    text = fails(tmp_path, config=tmp_path / "bad.yaml")
    assert len([line for line in text.splitlines() if words in line]) == 1


def test_missing_source_file_is_named(lab):
    (lab / "my data" / "c1.mat").unlink()
    text = fails(lab, config=STUDY)
    assert "Missing input files for rule preprocess" in text
    assert [line.strip() for line in text.splitlines() if "my data" in line] == ["my data/c1.mat"]


def test_roi_files_are_asked_for_where_the_config_names_them(lab):
    for path in (lab / "my data").glob("*_roi.mat"):
        path.unlink()
    _, lines = plan(lab, config=STUDY)
    assert not [line for line in lines if "--roi" in line]
    rois = STUDY["recordings"] | {"rois": "my data/{session}_roi.mat"}
    decoders = {"roi_gru": {"input": "rois", "rnn": "gru"}}
    text = fails(lab, config=STUDY | {"recordings": rois, "decoders": decoders})
    assert "my data/a1_roi.mat" in text


def test_movies_of_several_files_reach_the_verb(lab):
    for name in ("a1_2.tif", "a1_10.tif", "b1_1.tif"):
        (lab / "my data" / name).touch()
    (lab / "times").mkdir()
    recordings = {
        "movie": "my data/{session}_*.tif",
        "behavior": "my data/{session}.mat",
        "frame_times": "times/{session}.npy",
        "light_sources": "times/{session}_lights.npy",
        "min_bout": 0.5,
        "states": "speed",
    }
    for session in ("a1", "a2", "b1", "c1", "d1", "e1"):
        (lab / "my data" / f"{session}_1.tif").touch()
        (lab / "times" / f"{session}.npy").touch()
        (lab / "times" / f"{session}_lights.npy").touch()
    jobs, lines = plan(lab, config=STUDY | {"recordings": recordings})
    check_commands(lines, jobs)
    (line,) = [line for line in lines if "--session=a1" in line]
    assert "'--movie=my data/a1_*.tif'" in line and "--frame-times=times/a1.npy" in line
    assert "--light-sources=times/a1_lights.npy" in line
    assert "--min-bout=0.5" in line and "--states=speed" in line
    (lab / "my data" / "a1_11.tif").symlink_to("gone")  # each file is an input
    assert "my data/a1_11.tif" in fails(lab, config=STUDY | {"recordings": recordings})
    recordings["movie"] = ["my data/{session}_1.tif", "my data/{session}.tif"]
    jobs, lines = plan(lab, config=STUDY | {"recordings": recordings})
    check_commands(lines, jobs)
    assert any("--movie 'my data/a1_1.tif' 'my data/a1.tif' --" in line for line in lines)


def test_missing_recordings_are_fetched_by_name(lab):
    config = STUDY | {"fetch": "zenodo:10408334"}
    (lab / "my data" / "a2.tif").unlink()
    (lab / "my data" / "c1.mat").unlink()
    jobs, lines = plan(lab, config=config)
    check_commands(lines, jobs)
    fetched = sorted(line for line in lines if line.startswith("mesodecode fetch "))
    assert fetched == [
        f"mesodecode fetch zenodo:10408334 --only {name} --out 'my data'"
        for name in ("a2.tif", "c1.mat")
    ]


def test_a_record_writes_into_the_folder_of_the_study_only(lab):
    recordings = STUDY["recordings"] | {"movie": "../{session}.tif"}
    config = STUDY | {"fetch": "zenodo:10408334", "recordings": recordings}
    assert "fetch: ../a1.tif is missing, and is downloaded into" in fails(lab, config=config)
    for session in ("a1", "a2", "b1", "c1", "d1", "e1"):
        (lab.parent / f"{session}.tif").touch()
    jobs, _ = plan(lab, config=config)
    assert "fetch" not in jobs


def test_a_config_that_is_a_program_is_refused(lab):
    (lab / "theirs.yaml").write_text(yaml.safe_dump({"__use_yte__": True} | STUDY))
    assert "__use_yte__ makes a config a program" in fails(lab, config=lab / "theirs.yaml")


def test_no_word_of_a_config_reaches_the_shell_without_quotes(lab):
    recordings = {
        "movie": "my data/{session}.tif",
        "movie_dataset": "$(touch x)",
        "behavior": "my data/{session}.mat",
        "behavior_labels": "`touch x`; touch x",
        "rois": "my $(touch x)'&data/{session}.mat",
    }
    (lab / "my $(touch x)'&data").mkdir()
    for session in ("a1", "a2", "b1", "c1", "d1", "e1"):
        (lab / f"my $(touch x)'&data/{session}.mat").touch()
    more = {"note": "$(touch x)", "decoders": {"svm": {"input": "rois", "model": "linear_svm"}}}
    jobs, lines = plan(lab, config=STUDY | {"recordings": recordings} | more)
    check_commands(lines, jobs)
    assert sum("touch x" in line for line in lines) >= jobs["preprocess"] == 6
    for line in lines:
        assert not re.search(r"[`$;&|(]", re.sub(r"'[^']*'", "", line.replace("'\"'\"'", ""))), line


def test_masks_and_exchanged_labels_reach_the_verbs(lab):
    (lab / "my data" / "masks.tsv").touch()
    mice = {mouse: [f"{mouse}1", f"{mouse}2"] for mouse in "abcde"}
    config = STUDY | {
        "mice": mice,
        "recordings": STUDY["recordings"] | {"roi_masks": "my data/masks.tsv"},
        "decoders": {
            "null": {"input": "rois", "rnn": "gru", "labels": "permuted_between_sessions"}
        },
    }
    add_files(lab, config)
    jobs, lines = plan(lab, config=config)
    check_commands(lines, jobs)
    masked = [line for line in lines if "'--roi-masks=my data/masks.tsv'" in line]
    assert len(masked) == jobs["preprocess"] == 10
    (first,) = [line for line in lines if "train-roi" in line and "train-a+b+c.pt" in line]
    assert "--labels-of" in first and "a1=a2 a2=a1" in first and "d1=" not in first
    (other,) = [line for line in lines if "pass-signals" in line and "train-a+b+c/d.h5" in line]
    assert other.partition("--labels-of ")[2].startswith("d1=d2 d2=d1 ")


# A finished study: what an edit runs again

FINISHED = STUDY | {  # six allocations
    "mice": {mouse: STUDY["mice"][mouse] for mouse in "abc"},
    "allocation": {"train": 1},
    "decoders": {"linear": LINEAR, "cnn": {}, "gru": GRU},
    "comparisons": {"x": {"decoders": ["linear", "gru"]}},
}
# the config is written anew with every edit; where predictions are, what reads the tables follows
CONFIG = {"resolved_config": 1, "runtimes": 1, "report": 1, "all": 1}
TABLES = {"auc": 1, "figure_auc": 1, "shift_report": 1, "runtimes": 1, "report": 1, "all": 1}
TABLES |= TESTS
FITTED = {"fit_linear": 3, "pass_pixels": 6, "keep_linear": 6}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, Path]:
    """A folder in which every file of FINISHED is there, and the copy of the project that it is of.

    The files are empty; `--touch` writes Snakemake's records of them (inputs, params and code) as
    if the jobs had run. There are no benchmark files, and no job may run for want of one.
    """
    folder, project = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("project")
    copy_project(project)
    add_files(folder, FINISHED | {"mice": FINISHED["mice"] | {"d": ["d1"]}})
    finish(folder, FINISHED, project=project)
    return folder, project


def finish(folder: Path, config: dict, **where) -> None:
    """Make all files of a study, empty, and Snakemake's records of them."""
    words = ("--touch", "--forceall", "--cores", "1", "--quiet", "all")
    done = snakemake(folder, *words, config=config, main="mains:fast_touch", **where)
    assert done.returncode == 0, done.stderr
    assert not list((folder / "results/lab/benchmarks").rglob("*.tsv"))


def copy_project(to: Path) -> None:
    shutil.copy(ROOT / "Snakefile", to)
    for name in ("workflow", "envs"):
        ignored = shutil.ignore_patterns(".*", "*.pyc.*")  # what another process is writing
        shutil.copytree(ROOT / name, to / name, ignore=ignored, dirs_exist_ok=True)


@contextlib.contextmanager
def edited(project: Path, **more: str) -> Iterator[None]:
    """Lines added to modules of a copy of the project, for a while."""
    modules = {project / "workflow/mesodecode" / f"{name}.py": line for name, line in more.items()}
    before = {path: path.read_text() for path in modules}
    try:
        for path, line in modules.items():
            path.write_text(f"{before[path]}{line}\n")
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)


@contextlib.contextmanager
def without(path: Path) -> Iterator[None]:
    """A file of the finished study lost, for a while; it comes back with its date."""
    away = path.rename(path.with_name("away"))
    try:
        yield
    finally:
        away.rename(path)


@pytest.mark.slow
def test_fourth_mouse_leaves_existing_allocations_alone(finished):
    folder, project = finished
    config = FINISHED | {"mice": FINISHED["mice"] | {"d": ["d1"]}}
    jobs, lines = plan(folder, config=config, project=project)
    # four mice have 4 x 3 x 2 = 24 allocations, 18 of them new, and as many trainings: it is passed
    # through those of the other three, and three mice through its own
    new = {"keep_linear": 18, "choose_and_predict": 2 * 18, "join_features": 18}
    new |= {"fit_linear": 1, "train_cnn": 1, "pass_pixels": 6, "pass_images": 6}
    # what new allocations chose of old CNNs is added to what was trained from them: a job a set
    new |= {"extract": 4 * 4, "train_rnn": 4, "pass_features": 4 * 3}
    follow = {
        "preprocess": 1,
        "recordings_of_mouse": 1,
        "image_shift": 1,
        "calibrate": 1,
        "cohort": 1,
        "cohort_figure": 1,
        "qc": 1,
    }
    follow |= CONFIG | TABLES | {"allocations": 1, "figure_loss": 1, "quality_table": 1}
    assert jobs == new | follow | quality(3)
    old = [a.id for a in allocate("abc", train=1)]
    assert len(old) == 6
    assert not [line for line in lines for name in old if name in line]


@pytest.mark.slow
def test_a_session_more_trains_the_allocations_that_read_its_mouse(finished):
    folder, project = finished
    (folder / "my data" / "a9.tif").touch()
    (folder / "my data" / "a9.mat").touch()
    mice = FINISHED["mice"] | {"a": [*FINISHED["mice"]["a"], "a9"]}
    jobs, _ = plan(folder, config=FINISHED | {"mice": mice}, project=project)
    assert (jobs["preprocess"], jobs["recordings_of_mouse"]) == (1, 1)
    # of three trainings one is its own; two mice are passed through that, and it through the others
    assert (jobs["fit_linear"], jobs["train_cnn"]) == (1, 1)
    assert jobs["pass_pixels"] == jobs["pass_images"] == 2 * 2
    assert (jobs["extract"], jobs["choose_and_predict"]) == (9, 2 * 6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decoder", "settings", "jobs"),
    [
        (
            "gru",
            GRU | {"epochs": 9},
            {"train_rnn": 3, "pass_features": 6, "choose_and_predict": 6, "made_by": 1}
            | {"figure_loss": 1}
            | ONE,
        ),
        (  # whatever starts from the CNN follows it
            "cnn",
            {"epochs": 9},
            {"train_cnn": 3, "extract": 9, "train_rnn": 3, "join_features": 6, "figure_loss": 1}
            | {"made_by": 1}
            | {"pass_images": 6, "pass_features": 6, "choose_and_predict": 12}
            | quality(2),
        ),
        ("linear", LINEAR | {"C": 0.1}, FITTED | ONE),
        ("ridge", LINEAR | {"C": 0.1}, FITTED | ONE),  # a new line, old ones stay
    ],
)
def test_edited_decoder_runs_again_with_what_follows(finished, decoder, settings, jobs):
    folder, project = finished
    config = FINISHED | {"decoders": FINISHED["decoders"] | {decoder: settings}}
    found, lines = plan(folder, config=config, project=project)
    assert found == CONFIG | TABLES | jobs | {"quality_table": 1, "calibrate": 1}
    fitted = [line for line in lines if line.startswith("mesodecode fit-linear")]
    assert all(f"trained/{decoder}/" in line for line in fitted)


@pytest.mark.slow
def test_edited_reading_preprocesses_again(finished):
    folder, project = finished
    recordings = FINISHED["recordings"] | {"speed_threshold": 1.0}
    jobs, _ = plan(folder, config=FINISHED | {"recordings": recordings}, project=project)
    assert jobs["preprocess"] == 4 and jobs["train_cnn"] == 3


@pytest.mark.slow
def test_an_edit_of_config_and_code_at_once_misses_nothing(finished):
    folder, project = finished
    with edited(project, **{"shift/distances": "X = 1", "scores/quality": "X = 1"}):
        found, _ = plan(folder, config=FINISHED | {"note": "seen"}, project=project)
    assert found["resolved_config"] == 1
    assert found["shift"] == found["quality"] == 3


@pytest.mark.slow
def test_how_and_where_to_compute_trains_nothing_again(finished):
    folder, project = finished
    change = {"threads": 2, "device": "cpu", "note": "seen"}
    jobs, _ = plan(folder, config=FINISHED | change, project=project)
    assert jobs == CONFIG


@pytest.mark.slow
def test_edited_code_runs_its_stage_again(finished):
    folder, project = finished
    with edited(project, **{"decoders/train": "# a comment", "decoders/fitted/linear": "X = 1"}):
        found, _ = plan(folder, config=FINISHED, project=project)
    linear = FITTED | {"quality_table": 1, "calibrate": 1} | ONE
    assert found == linear | {"shift": 3} | TABLES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gone", "jobs"),
    [  # of what the decoder that is edited is trained on; of another, for the table of scores
        ("recordings/a1.h5", {"preprocess": 1, "recordings_of_mouse": 1}),
        (
            "predictions/gru/train-a.valid-b.test-c.h5",
            {"choose_and_predict": 1, "predictions_of_decoder": 2},
        ),
    ],
)
def test_what_was_deleted_is_made_again_for_a_job_that_needs_it(finished, gone, jobs):
    """Also where that depends on a list of files, which is still there."""
    folder, project = finished
    decoders = FINISHED["decoders"] | {"linear": LINEAR | {"C": 0.1}}
    with without(folder / "results/lab" / gone):
        found, _ = plan(folder, config=FINISHED | {"decoders": decoders}, project=project)
    assert found.items() >= (FITTED | jobs).items()


@pytest.mark.slow
@pytest.mark.parametrize(("gone", "rule"), [("tables/auc.tsv", "auc"), ("figures/qc.svg", "qc")])
def test_a_table_or_figure_that_was_deleted_is_made_again(finished, gone, rule):
    """Also where the report that shows it is there."""
    folder, project = finished
    with without(folder / "results/lab" / gone):
        found, _ = plan(folder, config=FINISHED, project=project)
    assert found.get(rule) == 1 and "preprocess" not in found


@pytest.mark.e2e
def test_what_dates_do_not_tell_is_compared(tmp_path):
    """Files that the config names, by content; and settings whose flags stand beside files."""
    readers = {
        "masks.npy": "cutout",
        "brain.png": "control_signals",
        "first.pt": "train_cnn",
        "table.tsv": "compare",
    }
    shap = with_importance(mirror=2)["importance"]["shap"]
    config = ROI_STUDY | {
        "mice": {mouse: ROI_STUDY["mice"][mouse] for mouse in "abc"},
        "allocation": {"train": 1, "choose": "each_test"},
        "decoders": {
            "linear": LINEAR,
            "cnn": {"pretrained": "file:first.pt"},
            "gru": ROI_STUDY["decoders"]["gru"],
        },
        "importance": {"areas": {"decoder": "linear", "masks": "masks.npy"}, "shap": shap},
        "confounds": {"decoders": ["linear"], "brain_mask": "brain.png"},
        "comparisons": {"x": {"source": "table.tsv", "by": "model", "decoders": ["p", "q"]}},
        "frame_rate": 15,
        "areas": ["p", "q", "r", "s"],
    }
    add_files(tmp_path, config)
    for name in readers:
        (tmp_path / name).write_text("new")
    finish(tmp_path, config)
    # Snakemake passes over a param that is given `input`: no setting may be in such a one
    mirrored = config["importance"] | {"shap": shap | {"mirror": [[1, 2]]}}
    jobs, lines = plan(tmp_path, config=config | {"importance": mirrored})
    assert jobs["sides"] == 1 and "harmonise" not in jobs
    (sides,) = [words for words in lines if words.startswith("mesodecode sides")]
    assert "--mirror 1:2 " in sides
    for change in ({"frame_rate": 10}, {"areas": ["p", "q", "r", "t"]}):
        assert plan(tmp_path, config=config | change)[0].get("harmonise") == 6
    for name in readers:
        older = tmp_path / "older"
        older.write_text("old")
        os.utime(older, (1, 1))
        older.replace(tmp_path / name)
    jobs, _ = plan(tmp_path, config=config)
    assert {*readers.values()} <= {*jobs} and not {"preprocess", "fit_linear"} & {*jobs}
