"""How far a mouse is from those that a decoder knows: by hand, against slow code, simulated."""

from __future__ import annotations

import importlib.util
import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from mesodecode import schema, simulate
from mesodecode.cli import main
from mesodecode.datasets import SessionFeatures, Windows
from mesodecode.models import RNNDecoder
from mesodecode.scores import roc_auc
from mesodecode.shift import columns, distances, features, images, prediction, samples, verdicts

ROOT = Path(__file__).parents[1]
NAN = float("nan")


# --- what probabilities say ---------------------------------------------------------------------


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_expected_auc_is_that_of_labels_drawn_from_the_probabilities(tenths):
    p = np.array(tenths) / 10
    won = sum(a * (1 - b) * ((a > b) + 0.5 * (a == b)) for a, b in itertools.product(p, p))
    assert distances.expected_auc(p) == pytest.approx(won / (p.sum() * (1 - p).sum()))


def test_expected_auc_of_calibrated_probabilities_is_the_auc():
    rng = np.random.default_rng(1)
    p = rng.beta(0.5, 0.7, 40_000)
    label = rng.random(len(p)) < p
    assert distances.expected_auc(p) == pytest.approx(roc_auc(label, p), abs=0.01)


def test_energy_by_hand():
    assert distances.energy(np.array([0.5])) == pytest.approx(-math.log(2))
    # p = .9: z = ln 9, exp(z/2) + exp(-z/2) = 3 + 1/3
    assert distances.energy(np.array([0.9, 0.1])) == pytest.approx(-math.log(10 / 3))


def test_persistence_pairs_frames_of_one_segment_at_the_lag():
    rng = np.random.default_rng(2)
    z = rng.normal(size=12)
    p = 1 / (1 + np.exp(-z))
    frame = np.array([0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12])  # 4 was not decoded
    segment = np.repeat([0, 1], [7, 6])
    # frames 2 apart: not 2 -> 4, which was not decoded, nor 5 -> 7, which crosses the segments
    first = np.array([0, 1, 3, 7, 8, 9, 10])
    a, b = (z[np.searchsorted(frame, first + later)] for later in (0, 2))
    assert distances.persistence(frame, p, 2, segment) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert math.isnan(distances.persistence(frame, p, 20))


# --- what features say --------------------------------------------------------------------------


def cloud(shift=0.0, n=400, seed=0, mice=1):
    """Two states 6 apart along the first of 5 axes, SD 1; moved along the second."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    rows = rng.normal(size=(n, 5))
    rows[:, 0] += 6 * labels
    rows[:, 1] += shift
    return rows @ np.diag([1, 2, 2, 2, 2.0]), labels  # axes of other scales: distances do not see


def test_mahalanobis_is_in_sds_of_known_mice_and_one_for_their_like():
    space = distances.known(*cloud(n=4000))
    assert distances.mahalanobis(space, cloud(seed=1)[0]) == pytest.approx(1, abs=0.05)
    moved = distances.mahalanobis(space, cloud(shift=4, seed=1)[0])
    k = space.components.shape[1]
    assert k == 5
    assert moved == pytest.approx(math.sqrt(1 + 16 / k), rel=0.05)


def test_neighbours_and_two_sample_grow_with_the_shift():
    space = distances.known(*cloud())
    near, far, further = (cloud(shift=s, seed=1)[0] for s in (0, 3, 6))
    assert (
        distances.neighbours(space, near)
        < distances.neighbours(space, far)
        < distances.neighbours(space, further)
    )
    assert distances.two_sample(space, near) == pytest.approx(0.5, abs=0.08)
    assert distances.two_sample(space, far) > 0.95


def test_more_features_than_frames_are_the_same_space_as_a_turned_one():
    rows, labels = cloud(n=60)
    wide = np.concatenate([rows, np.zeros((60, 200))], axis=1)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(205, 205)))[0]
    other = cloud(shift=2, n=60, seed=1)[0]
    a = distances.mahalanobis(distances.known(rows, labels), other)
    padded = np.concatenate([other, np.zeros((60, 200))], axis=1) @ turn
    assert distances.mahalanobis(distances.known(wide @ turn, labels), padded) == pytest.approx(a)


def test_what_the_last_layer_reads_gives_the_logits():
    torch.manual_seed(0)
    network = RNNDecoder(4, cell="gru", hidden_size=6).eval()
    rows = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    source = Windows([SessionFeatures("s", "m", rows, np.zeros(40), None)], 3, 3)
    at = source.centres[::3]
    read = features.read_by_last_layer(network, source, at)
    assert read.shape == (len(at), 6)
    logits = network.head(torch.from_numpy(read))[:, 0].detach()
    assert torch.allclose(logits, source.logits(network, at), atol=1e-6)


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    n=st.integers(1, 40),
    reach=st.integers(0, 3),
    run_length=st.integers(1, 8),
)
def test_runs_cross_no_segment_and_are_no_longer_than_asked(lengths, n, reach, run_length):
    segment = np.repeat(np.arange(len(lengths)), lengths)
    for start, stop in samples.runs(len(segment), n, reach, segment, run_length):
        assert 0 <= start < stop <= len(segment)
        assert len(set(segment[start:stop])) == 1
        assert 1 <= stop - start - 2 * reach <= run_length


# --- what images say ----------------------------------------------------------------------------


def described(**settings):
    given_settings = {"n_frames": 200, "image_size": 64, "photons": 1000} | settings
    made = simulate.simulate_session(
        mouse="m1", session="s", run_share=0.5, **schema.defaults("simulate", **given_settings)
    )
    return made.frames.mean(0)


def test_a_turned_scaled_and_darkened_mouse_is_described_as_such():
    straight = described()
    turned = images.place(described(rotation=12), straight)
    assert turned["rotation"] == pytest.approx(12, abs=1) and turned["match"] > 0.9
    usual = images.look(straight)
    small = images.look(described(scale=0.8))
    assert small["extent"] / usual["extent"] == pytest.approx(0.8, abs=0.03)
    assert images.look(described(missing_left=0.9))["left_right"] < usual["left_right"] - 0.5
    bright = images.look(2 * straight)
    assert bright["brightness"] - usual["brightness"] == pytest.approx(1)
    assert bright["sharpness"] == pytest.approx(usual["sharpness"])


def test_differences_count_mice_alike():
    table = pd.DataFrame(
        [["a", "a1", 0.0], ["a", "a2", 0.0], ["b", "b1", 6.0], ["c", "c1", 5.0]],
        columns=["mouse", "session", "x"],
    ).reindex(columns=columns.IMAGE_COLUMNS, fill_value=0.0)
    assert images.differences(table, "c1", ["a", "b"])["x"] == 2  # 5 - (0 + 6) / 2


# --- the AUC to expect --------------------------------------------------------------------------


def cohort_table(mice=5, slope=1.0) -> pd.DataFrame:
    """Test sessions whose AUC follows the AUC that their probabilities expect."""
    rng = np.random.default_rng(4)
    rows = []
    for mouse, session in itertools.product(range(mice), range(2)):
        expected = 0.7 + 0.05 * mouse + 0.01 * session
        rows.append(
            {
                **dict.fromkeys(columns.MEASURE_COLUMNS, 1.0),
                **{"decoder": "d", "allocation": f"a{mouse}", "test_mouse": f"m{mouse}"},
                **{"session": f"m{mouse}_{session}", "train_mice": "x+y", "valid_mouse": "z"},
                **{"expected_auc": expected, "persistence": 0.3},
                "auc": expected**slope + rng.normal(0, 0.002),
            }
        )
    return pd.DataFrame(rows)


def test_prediction_does_not_look_at_the_labels_of_its_mouse():
    table = cohort_table()
    before = prediction.predict(table)
    own = table["test_mouse"] == "m2"
    after = prediction.predict(table.assign(auc=table["auc"].where(~own, 0.5)))
    assert np.array_equal(before[own], after[own])
    assert (before["predicted_auc"][~own] != after["predicted_auc"][~own]).all()


def test_prediction_ranks_mice_and_says_how_wrong_it_was():
    table = cohort_table()
    found = prediction.predict(table)
    assert spearmanr(found["predicted_auc"], table["auc"])[0] > 0.9
    missed = np.abs(found["predicted_auc"] - table["auc"]).mean()
    assert missed / 3 < found["predicted_error"].mean() < 3 * missed
    assert set(found["predicted_from"]) == {4}


def test_too_few_mice_predict_nothing_and_the_verdict_says_so():
    table = cohort_table(mice=3)
    found = prediction.predict(table)
    assert found["predicted_auc"].isna().all() and set(found["predicted_from"]) == {2}
    row = table.join(found).iloc[0].to_dict()
    row |= {"energy": -1.0, "energy_reference": -1.0, "persistence": 1.0}
    judged = verdicts.judge(row, pictures(), schema.defaults("shift"))
    assert judged["verdict"] == "in distribution"
    assert judged["why"] == "2 other mice are too few to predict an AUC"


# --- verdicts -----------------------------------------------------------------------------------


def pictures(**own) -> pd.DataFrame:
    rows = [{"mouse": "x", "session": "x1"}, {"mouse": "y", "session": "y1"}]
    rows.append({"mouse": "m0", "session": "m0_0"} | own)
    return pd.DataFrame(rows, columns=columns.IMAGE_COLUMNS).fillna(
        dict.fromkeys(columns.IMAGE_NUMBERS, 1.0)
    )


def judged(row=None, **own):
    usual = cohort_table().iloc[0].to_dict() | {"energy": -1.0, "energy_reference": -1.0}
    usual |= {"predicted_auc": 0.9, "predicted_from": 4, "persistence": 1.0}
    return verdicts.judge(usual | (row or {}), pictures(**own), schema.defaults("shift"))


def test_verdicts_by_hand():
    assert judged()["verdict"] == "in distribution"
    assert judged()["why"] == "nothing beyond its threshold"
    turned = judged(rotation=31.0)
    assert (turned["verdict"], turned["rotation_shift"]) == ("shifted", 30)
    assert turned["why"] == "turned by 30° against them"
    assert judged({"predicted_auc": 0.79})["verdict"] == "shifted"
    worst = judged({"predicted_auc": 0.6}, rotation=31.0)
    assert worst["verdict"] == "unusable" and worst["why"] == "predicted AUC 0.60"
    # as near as 1 / 4 of the usual distance is as odd as four times as far
    for distance in (0.25, 4.0):
        far = judged({"mahalanobis": distance})
        assert far["mahalanobis_shift"] == 4 and far["verdict"] == "unusable"
    # a decoder that knows nothing: energy -ln 2
    assert judged({"energy": -math.log(2)})["confidence_shift"] == 0
    assert judged({"energy": -math.log(2)})["verdict"] == "unusable"


def test_rotations_are_compared_around_the_circle():
    assert judged(rotation=1 + 358.0)["rotation_shift"] == pytest.approx(2)


# --- a mouse shifted by degrees, as benchmarks/shift.py scores it --------------------------------


@pytest.mark.slow
def test_predicted_auc_falls_with_the_true_one_as_a_mouse_is_turned(tmp_path):
    spec = importlib.util.spec_from_file_location("bench", ROOT / "benchmarks" / "shift.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    small = bench.COHORT | {"n_frames": 500, "image_size": 48, "seed": 3}
    cohorts = bench.conditions(tmp_path, {"rotation": [12, 24]}, **small)
    table = bench.judged("linear", "each_test", cohorts)
    own = table[table["test_mouse"] == "m1"].groupby("value")
    auc, predicted = own["auc"].mean(), own["predicted_auc"].mean()
    assert auc[0] > auc[12] > auc[24] and predicted[0] > predicted[12] > predicted[24]
    turned = own["rotation_shift"].mean()
    assert turned[24] - turned[12] == pytest.approx(12, abs=3)
    assert "in distribution" not in set(table.loc[table["value"] == 24, "verdict"][:2])


def test_verbs_name_what_is_missing(tmp_path, capsys):
    (tmp_path / "a.tsv").write_text("decoder\nd\n")
    words = ["shift-report", "--shift", "a.tsv", "--images", "i", "--sessions", "s"]
    words += ["--out", str(tmp_path / "o.tsv"), "--figure", str(tmp_path / "f")]
    words[2] = str(tmp_path / "a.tsv")
    assert main([*words, "--thresholds", '{"rotatoin": [1, 2]}']) == 1
    assert "did you mean 'rotation'" in capsys.readouterr().err
    assert main(words) == 1
    assert "a.tsv: no column allocation" in capsys.readouterr().err
