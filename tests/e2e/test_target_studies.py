"""Studies of a trace and of named states, run as a user runs them, on planted truth."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

from make import demo, plan, run_study
from mesodecode.study.targets import kind_named as target_kind

pytestmark = [pytest.mark.slow, pytest.mark.e2e]
MICE = ("m1", "m2", "m3")
N_FRAMES = 400
HELD = ("ceilings", "confounds")  # what decoders are held against
DECODERS = {
    "speed": {
        "linear": {"model": "ridge", "pixels": 8, "C": 0.001},
        "aligned": {"adapted_from": "linear", "coral": True},
    },
    "pupil": {
        "linear": {"model": "ridge", "pixels": 16, "C": 0.001},
        "gru": {
            **{"input": "rois", "rnn": "gru", "half_window": 3, "epochs": 6, "hidden_size": 16},
            **{"max_lr": 0.02, "normalise": "zscore", "baseline": None},
        },
    },
    "states": {
        "linear": {"model": "logistic_regression", "pixels": 16, "C": 0.001},
        "trees": {"input": "rois", "model": "gradient_boosting", "half_window": 3, "trees": 30},
    },
}


def table_mean(table: pd.DataFrame) -> float:
    """The mean score of `linear`, each of whose allocations has a test mouse of its own."""
    return table.loc[table["decoder"] == "linear", "macro_auc"].mean()


def tiny(target: str) -> dict:
    """Three mice of 13 s at 32 px, with strong signals of run and of the pupil."""
    config = demo(image_size=32, n_frames=N_FRAMES, run_signal=0.1, pupil_signal=0.08)
    config["mice"] = {mouse: [f"{mouse}_s1"] for mouse in MICE}
    config["allocation"] = {"train": 1, "valid": 1, "test": 1, "choose": "each_test"}
    config |= {"target": target, "decoders": DECODERS[target], "comparisons": {}}
    if target == "states":
        states = ["rest=0", "small=1", "large=2"]
        config["recordings"] = {"behavior_target": "state", "target_states": states}
    few = {"frames": 100, "draws": 3}
    cut = {"decoder": "linear", "masks": "squares", "size": 8, "blocks": 1, "checks": few}
    importance = {"cut": cut | {"stride": 8}}
    if target == "pupil":
        importance["shap"] = {"decoder": "gru", "background": 40, "windows": 60, "checks": few}
    if len(DECODERS[target]) > 1:
        config["comparisons"] = {"two": {"decoders": [*DECODERS[target]]}}
    if target == "states":  # a second session of each mouse, as a ceiling needs
        config["mice"] = {mouse: [f"{mouse}_s1", f"{mouse}_s2"] for mouse in MICE}
        config |= {key: {"decoders": ["linear"]} for key in HELD}
    if target == "speed":
        config["tune"] = {"linear": {"trials": 2, "search": {"C": [0.0003, 0.003]}}}
    kept = {k: v for k, v in config.items() if k != "shift"}
    return kept | {"importance": {} if target == "speed" else importance}


@pytest.fixture(scope="module", params=["speed", "pupil", "states"])
def study(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    done = run_study(folder, tiny(request.param))
    assert done.returncode == 0, done.stdout + done.stderr
    return request.param, folder


def test_planted_truth_is_found_in_mice_never_seen_and_told_in_the_report(study):
    target, folder = study
    results = folder / "results/demo"
    name, metric = ("states", "macro_auc") if target == "states" else ("regression", "r2")
    table = pd.read_csv(results / f"tables/{name}.tsv", sep="\t")
    sessions = pd.read_csv(results / f"tables/session_{name}.tsv", sep="\t")
    assert table.groupby("decoder").size().to_dict() == dict.fromkeys(DECODERS[target], 3)
    assert len(sessions) == len(table) * (1 + (target == "states"))
    means = table.groupby("decoder")[metric].mean()
    if target == "speed":  # of which the movie knows no more than run and rest
        assert (table["correlation"] > 0.4).all(), table
    else:
        assert (means > {"pupil": 0.4, "states": 0.75}[target]).all(), means
    assert (table["p_shift"] < 0.1).all()
    report = (results / "report.html").read_text()
    for mean in means:
        assert f"{mean:.3f}" in report
    assert ("rest, small or large" if target == "states" else target) in report
    made = next((results / "predictions/linear").glob("*.h5"))
    with h5py.File(made) as file:
        group, *_ = file.values()
        if target == "states":
            assert {*group} == {
                "frame",
                "state",
                *(f"probability_{s}" for s in file.attrs["target_states"]),
            }
        else:
            with h5py.File(results / f"recordings/{group.name[1:]}.h5") as recording:
                kept = recording["target"][:][group["frame"][:]]
            np.testing.assert_array_equal(group["value"][:], kept)
    if target == "states":
        confusion = pd.read_csv(results / "tables/confusion.tsv", sep="\t")
        assert len(confusion) == 9 * len(table)
    assert not (results / "tables/auc.tsv").exists()
    shift = pd.read_csv(results / "tables/shift.tsv", sep="\t")
    own = [*target_kind(target).scores, *(["far"] if metric == "r2" else ["energy"])]
    assert len(shift) == len(sessions) and shift[own].notna().all(axis=None)
    assert shift["why"].str.contains("2 other mice are too few to predict a").all()
    assert 'id="shift"' in report
    for name in tiny(target)["importance"]:
        checks = pd.read_csv(results / f"tables/importance_{name}_checks.tsv", sep="\t")
        found = checks.set_index("check")["value"]
        assert found["planted truth"] > 0.5 and found["deletion"] > 0, checks
        assert f"<h3>{name}</h3>" in report
    if target == "states":  # planted in the same way in all mice: none of them gains by its own
        ceilings, confounds = (
            pd.read_csv(results / f"tables/{name}.tsv", sep="\t") for name in HELD
        )
        means = ceilings.groupby("arm")["macro_auc"].mean()
        assert means["own"] > 0.75 and abs(means["own"] - means["others"]) < 0.1, means
        assert np.allclose(confounds["macro_auc_decoder"].dropna(), table_mean(table), atol=1e-4)
        assert all(f'<section id="{name}">' in report for name in HELD)
    if target != "speed":
        assert {"pupil": "R²", "states": "macro AUC"}[target] + "(intact)" in report
    assert plan(folder, config=tiny(target))[0] == {}
