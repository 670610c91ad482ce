"""Encoding studies in the workflow: the config, its jobs, and a demo from simulation to report."""

from __future__ import annotations

import copy
import shlex

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from make import ROOT, plan, snakemake
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table
from mesodecode.encoding import readers, responses, simulate, study
from mesodecode.study import schema

DEMO = yaml.safe_load((ROOT / "examples/encoding-demo.yaml").read_text())
STUDY = {
    "kind": "encoding",
    "study": "lab",
    "sessions": ["a", "b"],
    "recordings": {"file": "my data/{session}.nwb"},
    "folds": {"k": 4},
    "models": {"ridge": {"model": "ridge"}, "net": {"backbone": "resnet18", "convolutions": 3}},
}


# The config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": {}}, "models: "),
        ({"modles": {}}, "modles: no such key"),
        ({"models": {"m": {"model": "ridge", "epochs": 3}}}, "models.m.epochs: no such key"),
        ({"models": {"m": {"like": "n"}}}, "models.m.like: 'n' names no model; known: m"),
        ({"models": {"m": {"like": "m"}}}, "models.m.like: 'm' is a circle"),
        ({"models": {"m": {"covariates": True}}}, "models.m.covariates: there are none"),
        (
            {"models": {"m": {"readout": "rnn", "train_on": "averages"}}},
            "models.m.train_on: averages have no readout rnn",
        ),
        (
            {
                "models": {"m": {"covariates": True, "screen": True}},
                "responses": {"covariates": ["speed"]},
            },
            "models.m.screen: neurons that answer no image may follow the covariates",
        ),
        (
            {
                "models": {"m": {"model": "image_mean", "covariates": True}},
                "responses": {"covariates": ["speed"]},
            },
            "models.m.covariates: an image_mean takes none",
        ),
        ({"responses": {"colour": 1}}, "responses.colour: no such key"),
        ({"responses": {"signal": "colour"}}, "responses.signal: 'colour' is not one of"),
        ({"simulate": {"colour": 1}}, "simulate.colour: no such key"),
        ({"simulate": {"neurons": 0}}, "simulate.neurons: 0 is less than the minimum"),
        ({"folds": {"colour": 1}}, "folds.colour: no such key"),
        ({"diagnose": ["ridge"]}, "diagnose: no network 'ridge'; known: net"),
        ({"sweep": {"model": "ridge"}}, "sweep.model: no network 'ridge'"),
        ({"sweep": {"model": "net", "chunks": 2}}, "sweep.chunks: 2 jobs for 1 trainings"),
        ({"folds": {"by": "sessions"}, "sessions": ["a"]}, "folds.by: sessions needs two"),
        ({"recordings": {}}, "recordings: 'file' says where"),
        ({"recordings": {"file": "data/a.nwb"}}, "must hold {session}, no other braces"),
        ({"recordings": {"file": "{session}{0}"}}, "must hold {session}, no other braces"),
    ],
)
def test_bad_config_names_the_key(change, words):
    with pytest.raises(UserError) as caught:
        study.resolve(STUDY | change)
    assert str(caught.value).startswith("config: ") and words in str(caught.value)


def test_sweep_of_the_study_is_six_thousand_trainings_in_a_hundred_jobs():
    found = study.resolve(yaml.safe_load((ROOT / "examples/encoding.yaml").read_text()))
    swept = found.config["sweep"]
    rates = swept["learning_rate"]
    assert (len(rates), len(swept["momentum"]), len(swept["l2"])) == (20, 10, 10)
    assert (rates[0], rates[-1]) == (1e-5, 1.0)
    assert np.ptp(np.diff(np.log(rates))) < 0.02  # evenly on a logarithmic axis
    assert swept["initialisation"] == ["default", "kaiming", "xavier"]
    assert (found.n_swept, swept["chunks"]) == (6000, 100)
    network = found.models["connected_5"].settings
    assert (network["backbone"], network["convolutions"]) == ("vgg19", 5)
    assert network["hidden"] == [4096, 1000, 250] and network["optimizer"] == "sgd"


def test_folds_of_images_and_of_sessions():
    images = study.resolve(STUDY).folds
    assert list(images) == [f"{s}.fold-{n}" for s in "ab" for n in (1, 2, 3, 4)]
    assert images["b.fold-2"] == study.Fold("b.fold-2", ("b",), "b", 2)
    sessions = study.resolve(STUDY | {"folds": {"by": "sessions"}}).folds
    assert list(sessions.values()) == [
        study.Fold("test-a", ("b",), "a"),
        study.Fold("test-b", ("a",), "b"),
    ]


def test_chunks_of_a_sweep_hold_every_line_once():
    from mesodecode.encoding.sweep import grid

    lines = grid([0.1, 0.2, 0.3], [0, 0.9], [0], ["xavier"])
    parts = [lines[start::4] for start in range(4)]
    dealt = [str(line) for part in parts for line in part]
    assert len(lines) == 6 and sorted(dealt) == sorted(map(str, lines))


# Jobs


def test_jobs_of_a_study(tmp_path):
    (tmp_path / "my data").mkdir()
    for session in "ab":
        (tmp_path / "my data" / f"{session}.nwb").touch()
    sweep = {"model": "net", "learning_rate": [0.1, 1e-05], "chunks": 2}
    config = STUDY | {"sweep": sweep, "diagnose": ["net"]}
    config["models"] = STUDY["models"] | {"readout": {"like": "net", "frozen": True}}
    jobs, lines = plan(tmp_path, config=config)
    assert jobs == {
        **{"resolved_config": 1, "responses": 2, "fit_encoding": 1, "train_encoding": 8},
        **{"train_readout": 8},  # of frozen backbones: the cluster takes several at a time
        **{"score_encoding": 1, "diagnose": 1, "sweep_encoding": 2, "sweep_table": 1},
        **{"figure_encoding": 5, "runtimes": 1, "encoding_report": 1, "all": 1},
    }
    parser = cli.parser()
    for line in lines:
        parser.parse_args(shlex.split(line)[1:])  # SystemExit if a flag is unknown or missing
    assert len(lines) == sum(jobs.values()) - 3  # the config, the joined table and all
    (one,) = [line for line in lines if "--fold b.fold-2 " in line and "--name net " in line]
    assert "--responses results/lab/responses/b.h5 --by images --folds 4 --fold-seed 0" in one
    assert "--file 'my data/a.nwb'" in "".join(lines)


def test_bad_config_of_the_workflow_is_one_line(tmp_path):
    done = snakemake(tmp_path, "-n", config=STUDY | {"diagnose": ["ridge"]})
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "config: " in line]
    assert lines == ["config: diagnose: no network 'ridge'; known: net"]
    assert done.returncode != 0


# End to end


def test_a_held_out_session_from_responses_to_scores(tmp_path):
    small = {"neurons": 12, "images": 10, "repeats": 6, "image_size": 16}
    settings = schema.defaults("encoding_simulate", **small)
    files = []
    for number, name in enumerate("ab"):
        made = simulate.simulate_population(**settings, number=number)
        source = readers.Session(
            *(made.images.astype(np.float32), made.image, made.start, made.end, made.time),
            *(made.events, np.arange(12)),
        )
        files.append(tmp_path / f"{name}.h5")
        found = responses.make_responses(source, name, reduce="max", image_size=16)
        responses.write_responses(found, files[-1])
    words = ["--responses", *files, "--by", "sessions", "--folds", "3", "--model", "ridge"]
    words += ["--name", "ridge", "--out", tmp_path / "p/ridge"]
    assert cli.main(["fit-encoding", *map(str, words)]) == 0
    words = ["--predictions", tmp_path / "p", "--models", "ridge", "--folds", "test-a", "test-b"]
    words += ["--permutations", "19", "--out", tmp_path / "t"]
    assert cli.main(["score-encoding", *map(str, words)]) == 0
    with h5py.File(tmp_path / "p/ridge/test-a.h5") as file:
        assert (file.attrs["session"], file.attrs["train_sessions"]) == ("a", "b")
        assert np.array_equal(file["image"], responses.read_responses(files[0]).image)
    neurons = pd.read_csv(tmp_path / "t_neurons.tsv", sep="\t")
    assert neurons.groupby("session").size().to_dict() == {"a": 12, "b": 12}
    summary = pd.read_csv(tmp_path / "t_summary.tsv", sep="\t").query("neurons == 'all'")
    n = summary.set_index("score")["n_neurons"]
    assert n["r2_single"] == n["r2_average"] == 12  # each once, though it was tested in both


@pytest.mark.e2e
def test_a_small_vgg19_study_from_simulation_to_report(tmp_path):
    config = copy.deepcopy(DEMO)
    config["simulate"] |= {"neurons": 20, "images": 30, "repeats": 10, "image_size": 16}
    config["responses"]["image_size"] = 16
    config["folds"]["k"] = 3
    small = {"convolutions": 2, "hidden": [16], "epochs": 2}
    config["models"] = {
        "ridge_gabor": DEMO["models"]["ridge_gabor"],
        "vgg19": DEMO["models"]["vgg19_connected"] | small,
    }
    config |= {"sweep": None, "diagnose": [], "permutations": 99}
    done = snakemake(tmp_path, "--cores", "2", "--show-failed-logs", config=config, warm=True)
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "results" / "encoding-demo"
    table = read_table(results / "tables/encoding_neurons.tsv", numbers=["r2_average"])
    assert (table.groupby("model").size() == 20).all()
    summary = pd.read_csv(results / "tables/encoding_summary.tsv", sep="\t")
    ridge = summary.query("model == 'ridge_gabor' and neurons == 'responsive'")
    ridge = ridge.set_index("score")
    assert ridge.loc["r2_average", "p_chance"] == 0.01 and ridge.loc["r_average", "mean"] > 0.2
    history = pd.read_csv(results / "models/vgg19/s1.fold-2.history.tsv", sep="\t")
    assert history["epoch"].tolist() == [1, 2]
    page = (results / "report.html").read_text()
    assert "Training of vgg19" in page and "Scores of the models" in page
    assert "Simulated truth: 14 of 20 neurons respond." in page
    assert page.count("<svg ") == 2
    times = pd.read_csv(results / "tables/runtimes.tsv", sep="\t").set_index("rule")
    assert times["jobs"].to_dict() == {"fit_encoding": 1, "responses": 1, "train_encoding": 3}
    assert not times["missing"].any() and "<td>train_encoding</td>" in page
    bibtex = (results / "references.bib").read_text()
    for key in ("sahani2003", "simonyan2015", "hoerl1970"):
        assert f"{{{key}," in bibtex and f'<li id="ref-{key}">' in page
    assert "klindt2017" not in bibtex  # no factorised readout in this study
    # the sweep and the diagnosis of the same fold, by the verbs that the rules call
    words = f"--responses {results}/responses/s1.h5 --folds 3 --fold s1.fold-1 --backbone"
    words += " test_resnet --convolutions 1 --pool 4 --hidden 8 --train-on averages"
    swept = "--learning-rates 0.01 1e30 --momenta 0 --l2s 0 --initialisations kaiming --epochs 2"
    lines = [
        f"sweep-encoding {words} {swept} --out {tmp_path}/sweep.tsv --partial {tmp_path}/p.jsonl",
        f"diagnose {words} --out {tmp_path}/d",
        f"encoding-figures --kind sweep --tables {tmp_path}/sweep.tsv --out {tmp_path}/f1",
        f"encoding-figures --kind diagnosis --tables {tmp_path}/d_neurons.tsv "
        f"{tmp_path}/d_layers.tsv {tmp_path}/d_rates.tsv --out {tmp_path}/f2",
        f"encoding-report --config {results}/config.json "
        f"--summary {results}/tables/encoding_summary.tsv "
        f"--neurons {results}/tables/encoding_neurons.tsv --sweep {tmp_path}/sweep.tsv "
        f"--diagnosis vgg19 {tmp_path}/d_checks.tsv --figures {tmp_path}/f1.svg {tmp_path}/f2.svg "
        f"--out {tmp_path}/r.html",
    ]
    kept = (results / "config.json").read_text()
    swept = kept.replace('"sweep": null', '"sweep": {"model": "vgg19"}')
    (results / "config.json").write_text(swept)
    for line in lines:
        assert cli.main(line.split()) == 0
    page = (tmp_path / "r.html").read_text()
    checks = pd.read_csv(tmp_path / "d_checks.tsv", sep="\t")
    assert "2 trainings of vgg19 on the first fold, 1 of them diverged" in page
    assert all(check in page for check in checks["check"])
    assert not (tmp_path / "p.jsonl").exists()
