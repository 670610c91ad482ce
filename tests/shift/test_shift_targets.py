"""The shift report of decoders of a trace and of named states, on planted truth."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
from dataclasses import dataclass

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from drawn import as_drawn
from make import ROOT
from make_recordings import write_recording
from mesodecode.base.files import UserError
from mesodecode.base.metrics import SCORES
from mesodecode.cli import main
from mesodecode.decoders import predictions, validation
from mesodecode.decoders.fitted import linear
from mesodecode.decoders.inputs import SessionFeatures
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.decoders.weights import Trained
from mesodecode.recordings.recording import read_recording, with_labels_of
from mesodecode.shift import (
    cohort_losses,
    columns,
    distances,
    features,
    measures,
    predicted_auc,
    shift_figure,
    shift_verdicts,
)
from mesodecode.study import schema
from mesodecode.study.targets import RUN, Target
from tabled import as_tabled
from texts import as_read

PX = Target("pupil", unit="px")
NAMED = Target("states", ("rest", "walk", "groom"))
BOTH = pytest.mark.parametrize("target", [PX, NAMED], ids=["trace", "states"])
MICE = tuple("abcde")
T = 1500


@dataclass
class Known:
    """What `measures` asks of a recording."""

    mouse: str
    labels: np.ndarray
    decoded: np.ndarray
    segment: None = None
    frame_rate: float = 10.0

    def __len__(self):
        return len(self.labels)


def truth_of(target, rng):
    """A slow trace of mean 40 and SD 5, or three states of 4 s each."""
    if target.states:
        return np.repeat(rng.permutation(np.arange(T // 40 + 1) % 3), 40)[:T]
    slow = np.convolve(rng.normal(size=T + 60), np.hanning(60), "valid")[:T]
    return 40 + 5 * (slow - slow.mean()) / slow.std()


def said_of(target, truth, noise, rng):
    """What a decoder says that sees the truth in so much white noise (SDs)."""
    if not target.states:
        seen = (truth - 40) / 5 + noise * rng.normal(size=T)
        return 40 + 5 * seen / (1 + noise**2)  # as regression shrinks it
    z = 3 * np.eye(3)[truth] + 3 * noise * rng.normal(size=(T, 3))
    z /= 1 + noise**2
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)


def cohort(target, noises):
    """The shift report of five mice, each tested once, and its sessions' scores."""
    shown, recordings = {}, {}
    for seed, (mouse, noise) in enumerate(zip(MICE, noises, strict=True)):
        rng = np.random.default_rng(seed)
        truth = truth_of(target, rng)
        made = said_of(target, truth, noise, rng)
        shown[mouse] = SessionPredictions(mouse, np.arange(T), truth, made)
        recordings[f"{mouse}1"] = Known(mouse, np.zeros(T, int), truth)
    rows, scores = [], []
    for mouse in MICE:
        valid = "c" if mouse == "b" else "b"  # not the mouse that is shifted
        train = "+".join(m for m in MICE if m not in (mouse, valid))
        about = "net", f"to-{mouse}", train, valid, mouse
        item = predictions.Predictions(*about, {f"{mouse}1": shown[mouse]}, target=target)
        rows += measures.rows(item, {f"{valid}1": shown[valid]}, [], recordings)
        keys = {"decoder": "net", "allocation": f"to-{mouse}", "session": f"{mouse}1"}
        own = shown[mouse].label, shown[mouse].probability
        scores.append(keys | {n: SCORES[n](*own) for n in target.kind.scores})
    table = pd.DataFrame(rows, columns=columns.measure_columns(target.kind))
    return table, pd.DataFrame(scores)


@functools.cache
def report(target, noises):
    table, scores = cohort(target, noises)
    pictures = pd.DataFrame({"mouse": MICE, "session": [f"{m}1" for m in MICE]})
    pictures = pictures.reindex(columns=columns.IMAGE_COLUMNS, fill_value=1.0)
    made = shift_verdicts.report(table, scores, pictures, schema.defaults("shift"), target.kind)
    return made.set_index("test_mouse")


USUAL = (0.5, 0.6, 0.7, 0.8, 0.9)


@BOTH
def test_a_mouse_that_nothing_is_seen_of_is_predicted_low_and_no_other(target):
    kind = target.kind
    predicted, error, number, others = columns.predicted_of(kind)
    usual, shifted = report(target, USUAL), report(target, (9.0, *USUAL[1:]))
    as_tabled(shifted, f"shift_of_{target.name}")
    assert list(usual.reset_index()[columns.columns_of(kind)]) == columns.columns_of(kind)
    assert set(usual["verdict"]) == {"in distribution"} == set(shifted["verdict"][1:])
    assert (usual[predicted] - usual[kind.expected]).abs().max() < 0.1
    assert shifted[kind.expected]["a"] < kind.chance + 0.15 < usual[kind.expected]["a"] - 0.2
    assert shifted[predicted]["a"] < usual[predicted]["a"] - 0.15
    assert shifted["verdict"]["a"] != "in distribution" and "predicted" in shifted["why"]["a"]
    # nobody else's score tells this: the mean of the others stays, and is said beside it
    assert shifted[others]["a"] == usual[others]["a"]
    assert usual[others]["a"] == pytest.approx(usual[kind.expected][1:].mean())
    assert set(usual[number]) == {4} and (usual[error] > 0).all()


@BOTH
def test_a_score_is_predicted_without_the_labels_of_its_mouse(target):
    kind = target.kind
    table, scores = cohort(target, USUAL)
    table = table.merge(scores)
    before, own = predicted_auc.predict(table, kind), table["test_mouse"] == "c"
    lost = table.assign(**{kind.expected: table[kind.expected].where(~own, kind.chance)})
    after = predicted_auc.predict(lost, kind)
    assert np.array_equal(before[own], after[own])
    named = columns.predicted_of(kind)[0]
    assert (before[named][~own] != after[named][~own]).all()


def test_a_trace_that_is_predicted_to_be_constant_is_at_chance():
    table, scores = cohort(PX, USUAL)
    recording = Known("a", np.zeros(T, int), np.zeros(T))
    still = SessionPredictions("a", np.arange(T), np.zeros(T), np.full(T, 41.0, "f4"))
    seen = measures.of_output(still, recording, measures.Usual(3.0, 40.0, 5.0), PX)
    assert seen == pytest.approx({"slow": 0.0, "far": 0.04})
    own = table["test_mouse"] == "a"
    table = table.merge(scores).assign(**{k: table[k].where(~own, v) for k, v in seen.items()})
    assert predicted_auc.predict(table, PX.kind)["predicted_correlation"][own].item() == 0


def test_the_correlation_of_a_trace_is_predicted_by_fishers_z_by_hand():
    """Mice that all look alike: the mean z of the others, drawn to that of simulated mice."""
    kind, r = PX.kind, np.array([0.9, 0.7, 0.6, 0.5])
    table = pd.DataFrame({"test_mouse": list("abcd"), "correlation": r, "slow": 0.5, "far": 0.0})
    found = predicted_auc.predict(table, kind)
    # slow of .5 has a logit of 0, and far of 0 is 0: only the level is left
    level = predicted_auc.LEVELS["regression"]
    z = (np.arctanh(r[1:]).sum() + 3 * level) / 6
    assert found["predicted_correlation"][0] == pytest.approx(np.tanh(z))
    assert found["others_correlation"][0] == pytest.approx(0.6)
    assert predicted_auc.predict(table.assign(correlation=-r), kind).iloc[0, 0] == 0  # chance


def test_predictions_too_far_from_the_mean_of_known_mice_or_too_near_it_are_judged():
    row = {"far": 0.9, "far_reference": 0.1}  # a third or three times as far, by their roots
    turned = {"far": 0.1, "far_reference": 0.9}
    nothing = dict.fromkeys(columns.measure_columns(PX.kind), math.nan)
    nothing |= dict.fromkeys(columns.predicted_of(PX.kind), math.nan)
    for one in (row, turned):
        found = shift_verdicts.of_decoder(nothing | one, PX.kind)
        assert found["spread"] == pytest.approx(3) and "confidence" not in found
    assert "spread" not in columns.judged(RUN.kind) and "spread" not in columns.judged(NAMED.kind)


def test_values_are_cut_into_fifths_and_states_are_left():
    values = np.random.default_rng(0).permutation(np.arange(100.0))
    groups = distances.grouped(values, 5)
    assert np.bincount(groups).tolist() == [20] * 5
    assert [values[groups == g].max() for g in range(4)] == [19, 39, 59, 79]
    # two fifths at rest: one group
    still = np.concatenate([np.zeros(40), np.arange(1.0, 61)])
    assert np.unique(distances.grouped(still, 5), return_counts=True)[1].tolist() == [
        40,
        20,
        20,
        20,
    ]
    states = np.array([2, 0, 1])
    assert distances.grouped(states, 0) is states


def test_the_loss_of_r2_goes_with_the_difference_that_was_planted():
    labs = {"lab": [f"l{i}" for i in range(4)], "rig": [f"r{i}" for i in range(4)]}
    rows, mice = [], [*labs["lab"], *labs["rig"]]
    for members, mouse in itertools.product(labs.values(), mice):
        across, at = mouse not in members, int(mouse[1])
        known = next(m for m in members if m != mouse)
        row = dict.fromkeys(columns.columns_of(PX.kind), 0.1) | {"decoder": "net"}
        row |= {"train_mice": known, "test_mouse": mouse, "session": mouse}
        # R² has no lower end: the last mouse is far below 0, and counts as one rank
        rows.append(row | {"r2": 0.5 - across * 10.0**at, "rotation_shift": 9.0 * at * across})
    rates = dict.fromkeys(mice, 30.0)
    found = cohort_losses.table(pd.DataFrame(rows), labs, rates, PX.kind)
    found = as_tabled(found, "cohort_losses_of_r2").set_index("difference")
    assert found.loc["rotation", "rho"] == pytest.approx(1) and found.loc["rotation", "p"] < 0.01
    assert np.isnan(found.loc["brightness", "rho"])


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.parametrize("name", ["speed", "states"])
def test_predicted_scores_fall_with_the_true_ones_as_a_simulated_mouse_is_turned(tmp_path, name):
    spec = importlib.util.spec_from_file_location("bench", ROOT / "benchmarks" / "shift.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    small = bench.COHORT | {"n_frames": 500, "image_size": 48, "seed": 3}
    small |= {"pupil_signal": bench.PUPIL} if name == "states" else {}
    target = bench.TARGETS[name]
    table = bench.judged(
        "linear", "each_test", bench.conditions(tmp_path, {"rotation": [24]}, target, **small)
    )
    score, predicted = target.kind.expected, columns.predicted_of(target.kind)[0]
    own = table[table["test_mouse"] == bench.SHIFTED].groupby("value")[[score, predicted]].mean()
    assert (own.loc[24] < own.loc[0] - 0.05).all(), own
    turned = table[(table["test_mouse"] == bench.SHIFTED) & (table["value"] == 24)]
    assert "in distribution" not in set(turned["verdict"])


# --- from files to a table -----------------------------------------------------------------------


def write_of(path, target, mouse, seed, n=240):
    """A recording whose values or states the brightness of a corner follows."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(200, 300, (n, 8, 8)).astype(np.uint16)
    if target.states:
        values = (np.arange(n) // 20 % 3).astype(np.uint8)
        for state in range(3):
            frames[values == state, state, :4] += 150
    else:
        values = (40 + 5 * np.sin(np.arange(n) / 9 + seed)).astype(np.float32)
        frames[:, :4, :4] += np.uint16(20 * (values - 35))[:, None, None]
    write_recording(path, frames, mouse=mouse, labels=np.zeros(n))
    with h5py.File(path, "a") as file:
        file["target"] = values
        file["target"].attrs.update(target.attributes())
    return read_recording(path)


@pytest.fixture(params=[PX, NAMED], ids=["trace", "states"])
def decoded(request, tmp_path):
    """A linear decoder of four mice: its files as the workflow lays them, and the recordings."""
    target = request.param
    found = [write_of(tmp_path / f"{m}1.h5", target, m, i) for i, m in enumerate("abcd")]
    learned = with_labels_of(found, None)
    model = linear.fit_linear(learned[:2], pixels=8, C=0.01, frame_step=1)
    how = {"pixels": 8, "baseline": None}
    weights = linear.weights_of(model, how, ("a", "b"), ("c",), target=target)
    name = "train-a+b.valid-c.test-d"
    folders = {part: tmp_path / part for part in ("models", "predictions", "validation")}
    for folder in folders.values():
        folder.mkdir()
    weights.save(folders["models"] / f"{name}.npz")
    made = linear.predict_linear(model, learned[2:], pixels=8)
    item = predictions.Predictions(
        *("linear", name, "a+b", "c", "d"), {"d1": made["d1"]}, target=target
    )
    item.write(folders["predictions"] / f"{name}.h5")
    about = {"decoder": "linear", "allocation": name, "valid_mouse": "c"}
    checked = {"c1": made["c1"]}
    validation.write(folders["validation"] / f"{name}.h5", checked, target, **about)
    (tmp_path / "a.tsv").write_text(f"allocation\n{name}\n")
    words = ["shift", "--decoder", "linear", "--allocations", tmp_path / "a.tsv", "--frames", 60]
    words += [w for part, folder in folders.items() for w in (f"--{part}", folder)]
    words += ["--recordings", *(one.path for one in found), "--out", tmp_path / "o.tsv"]
    return target, found, item, checked, [str(word) for word in words]


def test_the_verb_measures_decoders_of_a_target_as_by_hand(decoded, tmp_path):
    target, found, item, checked, words = decoded
    assert main(words) == 0
    table = pd.read_csv(tmp_path / "o.tsv", sep="\t")
    assert [*table] == columns.measure_columns(target.kind) and len(table) == 1
    row = table.iloc[0]
    model = tmp_path / "models" / f"{item.allocation}.npz"
    seen = features.Features(60).of(model, with_labels_of(found, None))
    train = seen[:2]
    values = np.concatenate([one.labels for one in train])
    if not target.states:
        values = np.searchsorted(np.quantile(values, [0.2, 0.4, 0.6, 0.8]), values)
    assert len(set(values)) == (3 if target.states else 5)
    space = distances.known(np.concatenate([one.features for one in train]), values)
    assert row["mahalanobis"] == pytest.approx(distances.mahalanobis(space, seen[3].features))
    assert 0.5 < row["mahalanobis"] / row["mahalanobis_reference"] < 2
    does = measures.usual(found[:3], target)
    output = measures.of_output(item.sessions["d1"], found[3], does, target)
    reference = measures.of_output(checked["c1"], found[2], does, target)
    for name in columns.OF_OUTPUT[target.kind.name]:
        assert row[name] == pytest.approx(output[name], rel=1e-5, nan_ok=True)
        assert row[f"{name}_reference"] == pytest.approx(reference[name], rel=1e-5, nan_ok=True)


def test_a_decoder_and_recordings_of_other_targets_are_refused(decoded, tmp_path, capsys):
    target, found, item, _, words = decoded
    other = Target("whisking") if not target.states else Target("states", ("rest", "run", "eat"))
    for one in found:
        with h5py.File(one.path, "a") as file:
            file["target"].attrs.update(other.attributes())
    assert main(words) == 1
    said = capsys.readouterr().err
    assert f"{item.allocation}.h5: decodes {target.told}, but the target of the recordings" in said
    model = tmp_path / "models" / f"{item.allocation}.npz"
    moved = with_labels_of([read_recording(one.path) for one in found], None)
    with pytest.raises(UserError, match=r"npz: decodes .*, but the target of the recordings"):
        features.Features(9).of(model, moved)


def test_kept_features_are_of_the_target_that_their_cnn_decodes(tmp_path):
    rows = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float16)
    values = np.linspace(40, 41, 12, dtype="f4")
    session = SessionFeatures("s", "m", rows, values, None, target=PX)
    for name, target in {"px": PX, "run": RUN}.items():
        about = {"backbone": "net"} | target.settings()
        trained = Trained("cnn", about, ("a",), ("b",), {"bias": torch.zeros(1)})
        trained.save(tmp_path / f"{name}.pt")
    (one,) = features.Features(3).of(tmp_path / "px.pt", [session])
    np.testing.assert_array_equal(one.labels, values[[1, 5, 10]])  # as they are, for `grouped`
    with pytest.raises(UserError, match=r"run.pt: decodes run, but the target of the recordings"):
        features.Features(3).of(tmp_path / "run.pt", [session])


def test_the_figure_and_its_caption_are_of_the_score_that_is_predicted():
    table = report(PX, USUAL).reset_index()
    page = as_drawn(shift_figure.page(table, schema.defaults("shift")), "shift")
    shown = [t for f in page.subfigs for a in f.axes for t in (a.get_xlabel(), a.get_ylabel())]
    shown += [t.get_text() for t in page.subfigs[1].axes[0].get_xticklabels()]
    told = {
        "Predicted correlation",
        "predicted correlation",
        "Correlation of the session",
        "spread",
    }
    assert told <= {*shown} and "confidence" not in shown
    assert "of the mean correlation of the other mice" in as_read(shift_figure.caption(table))
