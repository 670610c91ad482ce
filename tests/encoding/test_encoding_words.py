"""What the report of an encoding study says, by hand."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pandas as pd
import pytest

from mesodecode.encoding import methods, report, study, truth
from texts import as_read


def test_ridge_is_in_the_methods_of_a_study_that_has_it_alone():
    ridge = {"model": "ridge", "features": "pixels", "screen": None}
    assert methods.closed_form({"models": {"repeats": {"model": "repeats"}}}) == ""
    assert "Ridge regression [@hoerl1970]" in methods.closed_form({"models": {"pixels": ridge}})


def test_what_a_study_has_not_has_no_heading():
    made = {"kind": "encoding", "study": "e", "sessions": ["a", "b"]}
    made |= {"recordings": {"file": "{session}.h5", "events": "{session}.npz"}}
    config = study.resolve(made | {"models": {"mean": {"model": "mean"}}}).config
    headings = [heading for heading, _ in methods.blocks(config, {})]
    assert headings == ["Responses", "Held-out presentations", "Scores", "Software"]


def test_a_linear_model_on_the_maps_of_a_backbone_is_no_network_that_is_trained():
    ridge = {"model": "ridge", "features": "maps", "backbone": "vgg19", "screen": None}
    assert methods.networks({"models": {"maps": ridge}}) == ""


NETWORK = {"backbone": "vgg19", "epochs": 5, "readout": "fully_connected", "pretrained": "none"}
NETWORK |= {"initialisation": "default", "optimizer": "sgd", "screen": None}


@pytest.mark.parametrize(
    ("change", "works"),
    [
        ({}, {"simonyan2015"}),
        ({"backbone": "resnet18"}, set()),
        ({"readout": "factorised"}, {"simonyan2015", "klindt2017"}),
        ({"readout": "rnn"}, {"simonyan2015", "cho2014"}),
        ({"pretrained": "imagenet"}, {"simonyan2015", "deng2009"}),
        ({"initialisation": "kaiming"}, {"simonyan2015", "he2015"}),
        ({"optimizer": "adam"}, {"simonyan2015", "kingma2015"}),
    ],
)
def test_methods_cite_what_a_network_has_and_no_more(change, works):
    ridge = {"model": "ridge", "features": "maps", "backbone": "vgg19", "screen": None}
    config = {"models": {"net": NETWORK | change, "ridge": ridge}, "sweep": None}
    assert set(re.findall(r"@(\w+)", methods.networks(config))) == works
    assert ("Where it says screen" in methods.networks(config)) is False
    screened = {"models": {"net": NETWORK | change | {"screen": True}}, "sweep": None}
    assert "Where it says screen" in methods.networks(screened)


def test_initialisations_of_a_sweep_are_cited_too():
    sweep = {"initialisation": ["xavier", "default"]}
    words = methods.networks({"models": {"net": NETWORK}, "sweep": sweep})
    assert "glorot2010" in words and "he2015" not in words


@pytest.mark.parametrize("trains", [True, False])
def test_pytorch_is_named_where_a_network_is_trained(trains):
    other = {"model": "ridge", "features": "maps", "backbone": "vgg19", "screen": None}
    config = {"models": {"m": NETWORK if trains else other}}
    words = methods.software(config, {"torch": "2.1", "scipy": "1.5", "Python": "3.11"})
    assert ("PyTorch 2.1 [@paszke2019]" in words) == ("timm" in words) == trains
    assert "SciPy 1.5 [@virtanen2020]" in words and words.endswith("in Python 3.11.")


def test_what_was_planted_is_held_against_what_was_found(tmp_path):
    """Five neurons, three of which respond; one of these and one other are called responsive."""
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["responsive"] = np.array([1, 1, 0, 1, 0], bool)
    called = [1, 0, 1, 0, 0]
    best = {"fraction": [0.8, 0.6, 5.0, np.nan, 5.0], "p_chance": [0.01, 0.5, 0.05, 0.5, 0.06]}
    none = {"fraction": [np.nan] * 5, "p_chance": [1.0] * 5}
    neurons = pd.concat(
        pd.DataFrame({"model": name, "responsive": called} | values)
        for name, values in (("best", best), ("none", none))
    )
    first, second = as_read(truth.sentences(neurons, [tmp_path / "t.h5"]))
    assert first == (
        "Simulated truth: 3 of 5 neurons respond. 1 of them and 1 of the 2 others were called "
        "responsive."
    )
    # .8 and .6: mean .7, and 12.706 (t of one degree of freedom) standard errors of .1
    assert second == (
        "best: 70% of the ceiling of R² in neurons that respond (95 % CI −57% to 197%); of 2 that "
        "do not, 1 is above chance (p ≤ .05)."
    )


def test_settings_that_another_leaves_unused_are_not_shown():
    ridge = {"seed": 1, "features": "gabor", "backbone": "x", "pool": 4, "model": "ridge"}
    assert report.used(ridge) == {"model": "ridge", "features": "gabor"}
    assert list(report.used(ridge | {"features": "backbone"})) == [
        *("model", "seed", "features", "backbone", "pool")
    ]
    whole = {"readout": "rnn", "presentations": 3, "hidden": [8], "optimizer": "adam"}
    assert report.used(whole | {"momentum": 0.9}) == {
        key: whole[key] for key in ("readout", "presentations", "optimizer")
    }


def test_scores_of_a_report_are_those_of_each_kind_of_neurons():
    rows = [("a", "all", "fraction", 9, 0.1), ("a", "responsive", "fraction", 5, 0.2)]
    rows += [("a", "responsive", "r_single", 7, 0.3)]
    columns = ["model", "neurons", "score", "n_neurons", "mean"]
    (row,) = report.score_rows(pd.DataFrame(rows, columns=columns))
    assert (row["model"], row["neurons"], row["n"]) == ("a", "responsive", 7)
    assert (row["fraction"]["mean"], row["r_single"]["mean"], row["r2_single"]) == (0.2, 0.3, None)
    shown = [report.format_score(value) for value in (0.126, -0.125, -0.001, np.nan)]
    assert shown == ["0.13", "−0.12", "0.00", "–"]
