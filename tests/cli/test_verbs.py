"""What verbs write and say beside what their rooms compute."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from make import STUDY
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table, write_table
from mesodecode.cli.shift import shift
from mesodecode.decoders.predictions import Predictions
from mesodecode.encoding.columns import HISTORY
from mesodecode.shift.adapted_features import AdaptedFeatures
from mesodecode.study import study as studies


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Has functions of the package return values, by their names, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def put(of: dict[str, Any]) -> None:
        for name, value in of.items():
            value = value if callable(value) else mock.Mock(return_value=value)
            monkeypatch.setattr(f"mesodecode.{name}", value)

    return put


def test_allocations_are_written_with_a_line_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(yaml.safe_dump(STUDY))
    assert cli.main(["allocations", "--config", "c.yaml", "--out", "a.tsv"]) == 0
    assert Path("a.tsv").read_text() == f"{studies.load('c.yaml').allocation_table()}\n"


def test_responses_say_what_they_are_of(stub, capsys):
    made = SimpleNamespace(response=np.zeros((3, 4)), image=np.array([5, 5, 7]))
    stub({"encoding.readers.read_session": None, "encoding.responses.make_responses": made})
    stub({"encoding.responses.write_responses": None})
    Path("f.h5").touch()
    assert cli.main(["responses", "--file", "f.h5", "--session", "s", "--out", "o.h5"]) == 0
    assert capsys.readouterr().err == "s: 4 neurons, 3 presentations of 2 images\n"


@pytest.mark.parametrize("kept", [True, False])
def test_lines_of_a_sweep_are_kept_until_all_are_written(stub, kept):
    """Of more chunks than lines, one has none to keep."""
    stub({"cli.encoding._data.of_network": ({}, "cpu", None, None), "base.files.sha256": str})
    stub({"encoding.sweep.train_all": pd.DataFrame({"test_r2": [0.5]})})
    if kept:
        Path("p.jsonl").touch()
    line = "sweep-encoding --responses r --fold f --learning-rates 0.1 --momenta 0.9 --l2s 0.01 "
    line += "--initialisations xavier --chunk 1 --chunks 2 --out o.tsv --partial p.jsonl"
    assert cli.main(line.split()) == 0
    assert read_table("o.tsv")["test_r2"].tolist() == ["0.5"] and not Path("p.jsonl").exists()


def test_the_times_of_a_cutout_are_written(stub):
    table = pd.DataFrame({"mask": [1, 2], "lost": [0.25, 0.5]})
    recording = SimpleNamespace(frame_rate=30, pixel_mean=0, session="s")
    stub({"recordings.recording.read_recording": recording, "base.plots.save": None})
    stub({"explain.cutout_tables.read_rows": pd.DataFrame({"decoder": ["net"]})})
    masks = mock.Mock()
    stub({"explain.cutout_masks.masks_of": masks, "explain.cutout_tables.times_table": table})
    stub(dict.fromkeys(f"explain.cutout_times_figure.{name}" for name in ("draw", "caption")))
    line = "cutout-times --scores a.tsv --recording r --masks squares --out o.tsv --figure f"
    assert cli.main(line.split()) == 0
    ((settings, of),) = (call.args for call in masks.call_args_list)
    assert settings["masks"] == "squares" and of is recording
    write_table(table, "expected.tsv")
    assert Path("o.tsv").read_text() == Path("expected.tsv").read_text()


def test_partitions_are_shown_before_a_plan_is_made(stub, capsys):
    stub({"running.partitions.write": ["main: 2 nodes"]})
    stub({"study.study.load": mock.Mock(side_effect=UserError("c.yaml: none"))})
    assert cli.main(["plan", "--configfile", "c.yaml", "--write-partitions", "p.yaml"]) == 1
    assert capsys.readouterr().out == (
        "p.yaml:\nmain: 2 nodes\n"
        "the executor uses it where the profile has it as slurm-partition-config\n\n"
    )


@pytest.mark.parametrize("models", [None, Path("models")])
def test_the_shift_of_features_is_of_all_mice_of_an_allocation(stub, models):
    """Of a decoder without models there are no features, and frames alone are compared."""
    item = Predictions("cnn", "x", "b+a", "c", "d", {})
    mine = [SimpleNamespace(mouse=mouse, session=f"{mouse}1") for mouse in "abcde"]
    stub({"decoders.validation.read": "validated", "shift.measures.rows": lambda *args: args})
    stub({"cli.shift.shift._model_file": "x.pt", "recordings.recording.with_labels_of": None})
    stub({"decoders.feature_files.read_features": lambda *args: args})
    compared = []
    stub({"decoders.predictions.check_recorded": lambda *args: compared.append(args)})
    features = SimpleNamespace(of=lambda *args: args)
    folders = {"validation": Path("v"), "predictions": Path("p"), "features": Path("f")}
    args = SimpleNamespace(**folders, models=models, cnn=None)
    found = shift._measure(args, item, mine, features, "cpu")
    own = {one.session: one for one in mine[:4]}
    assert compared == [({}, own, Path("p/x.h5")), ("validated", own, Path("v/x.h5"))]
    featured = ("x.pt", (Path("f/x.h5"), [*"abcd"])) if models else []
    assert found == (item, "validated", featured, own)


def test_adapted_features_are_those_of_the_decoder_with_its_cnn(stub):
    class Of(AdaptedFeatures):
        def __init__(self):
            """Nothing is measured."""

        def of(self, *args):
            return args

    asked, same = [], []
    target = SimpleNamespace(check_same=lambda *args: same.append(args))
    item = Predictions("cnn", "x", "b+a", "c", "d", {})
    mine = [SimpleNamespace(mouse=mouse, session=mouse) for mouse in "abcd"]
    stub({"decoders.validation.read": None, "shift.measures.rows": lambda *args: args[2]})
    stub({"cli.shift.shift._model_file": lambda folder, name: f"{folder}/{name}"})
    stub({"recordings.recording.with_labels_of": lambda found, _: found})
    stub({"decoders.predictions.check_recorded": lambda *_: None})
    loaded = SimpleNamespace(target=target, decoder="net")
    stub({"decoders.applied.load": lambda *args: asked.append(args) or loaded})
    for cnn in (None, Path("cnns")):
        folders = {"validation": Path("v"), "predictions": Path("p"), "models": Path("models")}
        args = SimpleNamespace(**folders, cnn=cnn)
        assert shift._measure(args, item, mine, Of(), "cpu") == ("net", mine, ["b", "a"])
    assert asked == [("models/x", None, "cpu"), ("models/x", "cnns/x", "cpu")]
    assert same == [(item.target, "models/x")] * 2


@pytest.mark.parametrize("history", [[], ["--history", "h.tsv"]])
def test_a_diagnosis_is_four_tables_and_its_last_sentence(stub, capsys, history):
    names = ("checks", "neurons", "layers", "rates")
    tables = {name: pd.DataFrame({"sentence": [f"{name} 1", f"{name} 2"]}) for name in names}
    asked = []
    stub({"cli.encoding._data.of_network": ("settings", "cpu", "data", "split")})
    stub({"base.tables.read_table": lambda path, *columns: (path, *columns)})
    made = SimpleNamespace(**tables)
    stub({"encoding.diagnose.diagnose": lambda *args, **kw: asked.append((args, kw)) or made})
    words = ["diagnose", "--responses", "r", "--fold", "f", "--out", "d", *history]
    assert cli.main(words) == 0
    read = (Path("h.tsv"), HISTORY, HISTORY) if history else None
    assert asked == [(("data", "split", "settings"), {"history": read, "device": "cpu"})]
    for name, table in tables.items():
        write_table(table, "expected.tsv")
        assert Path(f"d_{name}.tsv").read_text() == Path("expected.tsv").read_text()
    assert capsys.readouterr().out == "checks 2\n"


@pytest.mark.parametrize(("model", "oracle"), [("image_mean", True), ("mean", False)])
def test_each_fold_of_a_closed_form_is_predicted_and_an_oracle_is_called_so(stub, model, oracle):
    made, written = [], []
    stub({"cli.encoding._data.read": {"s": "session"}, "encoding.study.make_folds": ["f1", "f2"]})
    stub({"cli.encoding._data.split": lambda args, sessions, fold: (f"data {fold}", fold)})
    stub({"encoding.linear.fit_predict": lambda data, split, settings: (data, settings["model"])})

    def predictions(*given):
        made.append(given)
        return SimpleNamespace(write=written.append)

    stub({"cli.encoding._data.predictions": predictions})
    line = f"fit-encoding --responses r --model {model} --name m --out o"
    assert cli.main(line.split()) == 0
    assert made == [
        ("m", fold, f"data {fold}", fold, (f"data {fold}", model), oracle) for fold in ("f1", "f2")
    ]
    assert written == [Path("o/f1.h5"), Path("o/f2.h5")]


def test_a_network_of_neurons_is_kept_with_its_settings(stub):
    history, written = pd.DataFrame({"epoch": [1, 2]}), []
    fitted = SimpleNamespace(history=history, state={"w": torch.ones(2)})
    stub({"cli.encoding._data.of_network": ({"units": 4}, "cpu", "data", "split")})
    stub({"encoding.train.train_network": (fitted, "predicted"), "base.files.sha256": str})
    made = SimpleNamespace(write=lambda path: written.append(path))
    asked = mock.Mock(return_value=made)
    stub({"cli.encoding._data.predictions": asked})
    line = "train-encoding --responses r --fold f --name net --out o.h5 --weights w.pt --history h"
    assert cli.main(line.split()) == 0
    asked.assert_called_once_with("net", "f", "data", "split", "predicted")
    write_table(history, "expected")
    assert Path("h").read_text() == Path("expected").read_text() and written == [Path("o.h5")]
    kept = torch.load("w.pt", weights_only=True)
    assert kept["settings"] == {"units": 4} and kept["state"]["w"].tolist() == [1, 1]
