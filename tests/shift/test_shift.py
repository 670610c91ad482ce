"""How far a mouse is from those that a decoder knows: by hand, against slow code, simulated."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from drawn import as_drawn
from make import ROOT
from make_recordings import write_recording
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.cli.shift import shift as verb
from mesodecode.decoders import applied, predictions
from mesodecode.decoders.inputs import SessionFeatures, Windows
from mesodecode.decoders.networks import RNNDecoder
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.decoders.weights import Trained
from mesodecode.recordings import alignment, sample
from mesodecode.shift import (
    adapted_features,
    columns,
    distances,
    features,
    images,
    measures,
    predicted_auc,
    shift_figure,
    shift_verdicts,
)
from mesodecode.simulation import simulate
from mesodecode.study import schema
from mesodecode.study.targets import RUN
from tabled import as_tabled
from texts import as_read, as_written

NAN = float("nan")


# --- what probabilities say ---------------------------------------------------------------------


def test_energy_by_hand():
    assert distances.energy(np.array([0.5])) == pytest.approx(-math.log(2))
    # p = .9: z = ln 9, exp(z/2) + exp(-z/2) = 3 + 1/3
    assert distances.energy(np.array([0.9, 0.1])) == pytest.approx(-math.log(10 / 3))


def test_means_cross_no_gap_and_no_segment():
    frame = np.array([0, 1, 2, 4, 5, 6, 7, 8])  # 3 was not decoded
    segment = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1])
    values = np.array([3, 0, 0, 6, 0, 0, 9, 3.0])
    means = distances.averaged(frame, values, 3, segment)
    # the last value is repeated at either end: (3 + 3 + 0) / 3, ...
    assert means.tolist() == [2, 1, 0, 4, 2, 0, 7, 5]
    every_other = distances.averaged(2 * np.arange(4), np.array([0, 3, 0, 6.0]), 6)
    assert every_other.tolist() == [1, 1, 3, 4]  # 6 frames: 3 values
    assert distances.averaged(np.array([5]), np.array([1.0]), 3).tolist() == [1]


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_two_states_is_the_best_of_all_cuts(values):
    values = np.array(values, float)
    shares = [0.0]
    for cut in np.unique(values)[1:]:
        low, high = values[values < cut], values[values >= cut]
        between = len(low) * (low.mean() - values.mean()) ** 2
        between += len(high) * (high.mean() - values.mean()) ** 2
        shares.append(between / (len(values) * values.var()))
    assert distances.two_states(values) == pytest.approx(max(shares))


def test_two_states_of_known_distributions():
    rng = np.random.default_rng(0)
    assert distances.two_states(np.array([1, 1, 5, 5, 5.0])) == pytest.approx(1)
    assert distances.two_states(rng.normal(size=100_000)) == pytest.approx(2 / math.pi, abs=0.01)
    assert distances.two_states(rng.random(100_000)) == pytest.approx(3 / 4, abs=0.01)
    assert distances.two_states(np.full(9, 0.3)) == 0


def output(states, distance, noise):
    """A session at 30/s whose logits are `distance` apart in run and rest, with normal noise."""
    z = distance * (states - 0.5) + noise * np.random.default_rng(1).normal(size=len(states))
    session = SessionPredictions("m1", np.arange(len(z)), states, 1 / (1 + np.exp(-z)))
    return session, SimpleNamespace(frame_rate=30.0, segment=None)


def test_a_few_very_sure_frames_change_little():
    states = (np.arange(6000) // 100 % 2).astype(np.uint8)
    session, recording = output(states, 4, 1.0)
    usual = measures.of_probabilities(session, recording, 100 / 30)
    session.probability[:60] = 1 - 1e-7  # a hundredth of the frames, logits of 16
    sure = measures.of_probabilities(session, recording, 100 / 30)
    for name in ("two_states", "slow"):
        assert sure[name] == pytest.approx(usual[name], abs=0.02)


def test_states_that_last_are_told_from_noise():
    states = (np.arange(6000) // 100 % 2).astype(np.uint8)  # bouts of 100 frames
    clear, noisy, none = (
        measures.of_probabilities(*output(states, *made), 100 / 30)
        for made in ((4, 0.1), (4, 4.0), (0, 1.0))
    )
    assert clear["two_states"] > 0.95 > noisy["two_states"]
    # 25 frames about it: 4 - 4 / 6 of variance 4; of noise, 1 / 25
    assert clear["slow"] == pytest.approx(math.sqrt(10 / 3 / 4), abs=0.01)
    assert noisy["slow"] == pytest.approx(math.sqrt((10 / 3 + 16 / 25) / (4 + 16)), abs=0.02)
    assert none["two_states"] == pytest.approx(2 / math.pi, abs=0.03)
    assert none["slow"] == pytest.approx(1 / 5, abs=0.03)


def test_bouts_of_a_few_frames_do_not_say_what_is_slow():
    states = (np.arange(300) // 4 % 2).astype(np.uint8)
    found = measures.of_probabilities(*output(states, 4, 0.1), 4 / 30)
    assert math.isnan(found["slow"]) and found["two_states"] > 0.95
    for frames, known in ((7, False), (8, True)):  # a quarter of which is two
        found = measures.of_probabilities(*output(states, 4, 0.1), frames / 30)
        assert math.isfinite(found["slow"]) == known


@dataclass
class Labelled:
    labels: np.ndarray
    segment: np.ndarray | None
    frame_rate: float = 10.0
    mouse: str = "v"

    def __len__(self):
        return len(self.labels)


def test_the_median_bout_ends_with_a_segment():
    labels = np.repeat([0, 1, 0], [10, 20, 30]).astype(np.uint8)
    one = Labelled(labels, np.repeat([0, 1], [40, 20]))  # bouts of 10, 20, 10, 20 frames
    assert measures.median_bout([one]) == pytest.approx(1.5)
    # and with 10, 20, 30 of another mouse: the middle of 10, 10, 10, 20, 20, 20, 30
    assert measures.median_bout([one, Labelled(labels, None)]) == pytest.approx(2.0)


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


def test_neighbours_are_as_far_as_the_tenth_known_frame():
    rows = np.arange(20.0)[:, None]
    one = np.eye(1)
    space = distances.Known(np.zeros(1), one, one, rows, rows[:2])
    assert distances.neighbours(space, np.array([[0.0], [-1]])) == pytest.approx((9 + 10) / 2)


def test_samples_of_a_recording_are_kept_for_one_way_to_normalise(monkeypatch):
    monkeypatch.setattr(features, "ready", lambda one, settings: settings["baseline"])
    monkeypatch.setattr(features, "sample", lambda made, *how: (made, *how))
    kept, one = features.Features(7), SimpleNamespace(session="s")
    for settings in ({"baseline": None}, {"baseline": 20}, {"baseline": None}):
        assert kept._sample(one, settings, 3, 1) == (settings["baseline"], 7, 3, 1)
    assert kept._sample(one, settings, 4, 1) == (None, 7, 4, 1)
    again = kept._sample(one, settings, 4, 1)
    assert again is kept._sample(one, settings, 4, 1)


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
    read = applied.read_by_last_layer(network, source, at)
    assert read.shape == (len(at), 6)
    logits = network.head(torch.from_numpy(read))[:, 0].detach()
    assert torch.allclose(logits, source.logits(network, at), atol=1e-6)


def test_features_are_of_so_many_frames_evenly_spread(tmp_path):
    """Of ten images in twelve frames the first, the fifth and the last; of two frames none."""
    rows = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float16)
    labels = np.arange(12) % 3 == 1
    sessions = [SessionFeatures(f"s{n}", "m3", rows[:n], labels[:n], None) for n in (12, 2)]
    Trained("cnn", {"backbone": "net"}, ("m1",), ("m2",), {"bias": torch.zeros(1)}).save(
        tmp_path / "cnn.pt"
    )
    one, none = features.Features(3).of(tmp_path / "cnn.pt", sessions)
    assert (one.session, one.mouse, none.session) == ("s12", "m3", "s2")
    np.testing.assert_array_equal(one.features, rows[[1, 5, 10]].astype(np.float32))
    assert one.labels.tolist() == [1, 0, 1] and none.features.shape == (0, 4)
    five, _ = features.Features(5).of(tmp_path / "cnn.pt", sessions)  # 2.25 frames apart
    np.testing.assert_array_equal(five.features, rows[[1, 3, 5, 8, 10]].astype(np.float32))

    network = RNNDecoder(4, cell="gru", hidden_size=6, bidirectional=False).eval()
    sizes = {"rnn": "gru", "hidden_size": 6, "num_layers": 1, "bidirectional": False}
    settings = sizes | {"dropout": 0.0, "half_window": 2}
    Trained("cnn_rnn", settings, ("m1",), ("m2",), network.state_dict()).save(tmp_path / "rnn.pt")
    one, none = features.Features(3).of(tmp_path / "rnn.pt", sessions)
    windows = np.stack([rows[t - 2 : t + 3] for t in (3, 5, 8)]).astype(np.float32)
    logits = network.head(torch.from_numpy(one.features))[:, 0]
    torch.testing.assert_close(logits, network(torch.from_numpy(windows)))
    assert one.labels.tolist() == [0, 0, 0] and len(none.features) == 0
    every, _ = features.Features(99).of(tmp_path / "rnn.pt", sessions)
    assert len(every.features) == 6


@pytest.mark.parametrize(("half_window", "length"), [(None, 1), (2, 10)])
def test_few_frames_are_single_ones_or_runs_whose_windows_share_images(
    tmp_path, monkeypatch, half_window, length
):
    frames = np.arange(246.0)[:, None, None] + np.zeros((1, 4, 4))
    recording = write_recording(tmp_path / "s.h5", frames)
    monkeypatch.setattr(adapted_features, "SAMPLED", 20)
    monkeypatch.setattr(features, "ready", lambda one, _: one)
    decoder = SimpleNamespace(half_window=half_window, reach=3, normalising={})
    decoder.based, decoder.source = lambda one, past: one, lambda one: one
    few, at = adapted_features.AdaptedFeatures(20, {})._frames(recording, decoder, False)
    for made in (few, features.Features(20)._source(decoder, recording)):
        runs = np.unique(made.segment, return_counts=True)[1]
        assert runs.tolist() == [length + 6] * (20 // length)  # three more on each side
        assert made.frames[:, 0, 0].tolist() == at.tolist()
    assert (at[0], at[-1]) == (0, 245)


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    n=st.integers(1, 40),
    reach=st.integers(0, 3),
    run_length=st.integers(1, 8),
)
def test_runs_cross_no_segment_and_are_no_longer_than_asked(lengths, n, reach, run_length):
    segment = np.repeat(np.arange(len(lengths)), lengths)
    for start, stop in sample.runs(len(segment), n, reach, segment, run_length):
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
    turned = alignment.place(described(rotation=12), straight)
    assert turned["rotation"] == pytest.approx(12, abs=1) and turned["match"] > 0.9
    usual = images.look(straight)
    small = images.look(described(scale=0.8))
    assert small["extent"] / usual["extent"] == pytest.approx(0.8, abs=0.03)
    assert images.look(described(missing_left=0.9))["left_right"] < usual["left_right"] - 0.5
    bright = images.look(2 * straight)
    assert bright["brightness"] - usual["brightness"] == pytest.approx(1)
    assert bright["sharpness"] == pytest.approx(usual["sharpness"])


def test_differences_are_from_the_nearest_mouse_of_each_measure():
    table = pd.DataFrame(
        [
            *(["a", "a1", 0.0, 170], ["a", "a2", 2.0, 170]),
            *(["b", "b1", 9.0, 0], ["b", "b2", NAN, 0], ["d", "d1", 5.5, 0]),
            ["c", "c1", 5.0, -175],
        ],
        columns=["mouse", "session", "x", "rotation"],
    ).reindex(columns=columns.IMAGE_COLUMNS, fill_value=0.0)
    found = images.differences(table, "c1", ["a", "b"])
    assert found["x"] == 5 - (0 + 2) / 2  # -4 from b is as near; d was not asked for
    assert found["rotation"] == 15  # from 170 to 185
    assert found["y"] == 0
    alone = images.differences(table.assign(x=NAN), "c1", ["a", "b"])
    assert math.isnan(alone["x"]) and alone["rotation"] == 15


# --- the AUC to expect --------------------------------------------------------------------------


def cohort_table(mice=5) -> pd.DataFrame:
    """Test sessions whose AUC grows with how clearly their output falls into two states."""
    rng = np.random.default_rng(4)
    rows = []
    for mouse, session in itertools.product(range(mice), range(2)):
        share = 0.7 + 0.05 * mouse + 0.01 * session
        rows.append(
            {
                **dict.fromkeys(columns.measure_columns(), 1.0),
                **{"decoder": "d", "allocation": f"a{mouse}", "test_mouse": f"m{mouse}"},
                **{"session": f"m{mouse}_{session}", "train_mice": "x+y", "valid_mouse": "z"},
                **{"two_states": share, "slow": 0.7},
                "auc": share + rng.normal(0, 0.002),
            }
        )
    return pd.DataFrame(rows)


def test_prediction_does_not_look_at_the_labels_of_its_mouse():
    table = cohort_table()
    before = predicted_auc.predict(table)
    own = table["test_mouse"] == "m2"
    after = predicted_auc.predict(table.assign(auc=table["auc"].where(~own, 0.5)))
    assert np.array_equal(before[own], after[own])
    assert (before["predicted_auc"][~own] != after["predicted_auc"][~own]).all()


def test_prediction_ranks_mice_and_says_how_wrong_it_was():
    table = cohort_table()
    found = predicted_auc.predict(table)
    assert spearmanr(found["predicted_auc"], table["auc"])[0] > 0.9
    missed = np.abs(found["predicted_auc"] - table["auc"]).mean()
    assert missed / 3 < found["predicted_error"].mean() < 3 * missed
    assert set(found["predicted_from"]) == {4}


def test_the_error_of_a_prediction_is_of_mice_that_it_was_not_fitted_to():
    """Slowly: of each other mouse, predicted from the table without it and without the mouse."""
    table = cohort_table()
    found = predicted_auc.predict(table)
    for name, own in table.groupby("test_mouse"):
        left = table[table["test_mouse"] != name]
        again = predicted_auc.predict(left)  # each of the four from the three others
        misses = ((again["predicted_auc"] - left["auc"]) ** 2).groupby(left["test_mouse"]).mean()
        expected = np.sqrt(misses.mean())
        np.testing.assert_allclose(found.loc[own.index, "predicted_error"], expected)


def test_a_prediction_is_least_squares_of_other_mice_and_of_simulated_ones():
    """Slowly: rows of a mouse share its weight, and three mice more say what simulated ones do."""
    rng = np.random.default_rng(7)
    table = cohort_table(6).assign(slow=rng.uniform(0.3, 0.9, 12)).drop(index=[3, 8])
    table.loc[0, "slow"] = NAN  # is taken to be as usual
    found = predicted_auc.predict(table)["predicted_auc"]
    slopes, spread = np.array([*predicted_auc.PRIORS["run"].values()]).T
    x, y = (
        np.log(values / (1 - values)) for values in (table[["two_states", "slow"]], table["auc"])
    )
    for name, own in table.groupby("test_mouse"):
        others = table[(table["test_mouse"] != name)].groupby("test_mouse").groups.values()
        rows = np.concatenate([*others])
        share = np.concatenate([np.full(len(one), 1 / len(one)) for one in others])
        known = x.loc[rows].notna().to_numpy() * share[:, None]
        usual = (x.loc[rows].fillna(0).to_numpy() * known).sum(0) / known.sum(0)
        level = np.mean([y[one].mean() for one in others])
        z = ((x - usual) / spread).fillna(0)
        given = np.concatenate([z.loc[rows] * np.sqrt(share)[:, None], np.sqrt(3) * np.eye(2)])
        wanted = [*((y[rows] - level) * np.sqrt(share)), *(np.sqrt(3) * slopes * spread)]
        fit = np.linalg.lstsq(given, np.array(wanted))[0]
        drawn = (5 * level + 3 * (predicted_auc.LEVELS["run"] + slopes @ usual)) / 8
        expected = 1 / (1 + np.exp(-(drawn + z.loc[own.index] @ fit)))
        np.testing.assert_allclose(found[own.index], np.maximum(expected, 0.5), rtol=1e-9)


def test_the_mean_of_the_other_mice_stands_beside_a_prediction():
    table = cohort_table(mice=4)
    table["auc"] = [0.9, 0.7, 0.6, 0.6, 0.7, NAN, 0.5, 0.5]  # of two sessions a mouse
    third = table.iloc[[0]].assign(auc=0.8 + 0.03, session="m0_2")  # and one more: mean .81
    found = predicted_auc.predict(pd.concat([table, third], ignore_index=True))
    assert found["others_auc"][0] == pytest.approx((0.6 + 0.7 + 0.5) / 3)
    assert found["others_auc"][5] == pytest.approx((0.81 + 0.6 + 0.5) / 3)


def test_what_predictions_were_worth_by_hand():
    """Of three mice: predicted .9 .8 .7, true .8 .85 .6; by the others, .7 each."""
    rows = [
        ("d", "a", 0.92, 0.8),
        ("d", "a", 0.88, 0.8),
        ("d", "b", 0.8, 0.85),
        ("d", "c", 0.7, 0.6),
    ]
    rows += [
        ("d", "c", 0.1, NAN),
        ("d", "e", NAN, 0.5),
        ("few", "a", NAN, 0.9),
        ("two", "a", 0.7, 0.6),
    ]
    rows += [("two", "b", 0.9, 0.9)]
    table = pd.DataFrame(rows, columns=["decoder", "test_mouse", "predicted_auc", "auc"])
    found = predicted_auc.held_against(table.assign(others_auc=0.7))
    as_tabled(found[found.columns[:5]], "predictions_worth")  # two of d are as far
    d, two = found.to_dict("records")
    assert (d["decoder"], d["n_mice"], two["decoder"], two["n_mice"]) == ("d", 3, "two", 2)
    assert d["missed"] == pytest.approx((0.1 + 0.05 + 0.1) / 3)
    assert d["others_missed"] == pytest.approx((0.1 + 0.15 + 0.1) / 3)
    assert d["rank"] == pytest.approx(0.5)  # ranks 3 2 1 and 2 3 1: 1 - 6 (1 + 1) / (3 · 8)
    assert d["worst"] in "ac" and two["worst"] == "a" and math.isnan(two["rank"])
    assert (two["worst_predicted"], two["worst_had"]) == (0.7, 0.6)
    assert predicted_auc.held_against(table[table["decoder"] == "few"]).empty


def test_words_say_whether_a_prediction_was_worth_more_than_the_other_mice():
    table = pd.DataFrame({"decoder": "d", "test_mouse": list("abc"), "auc": [0.9, 0.8, 0.6]})
    good = table.assign(predicted_auc=[0.9, 0.8, 0.7], others_auc=[0.7, 0.75, 0.85])
    (words,) = as_read(predicted_auc.in_words(good))
    assert words == (
        "d: the predicted AUC of 3 mice missed by 0.033 (the mean of the other mice by 0.167, rank "
        "correlation 1.00); c, the farthest, was predicted 0.70 and had 0.60. Here the prediction "
        "is nearer than the mean of the other mice."
    )
    (words,) = as_read(predicted_auc.in_words(good[1:]))  # two mice have no ranks
    assert words.endswith("the prediction is nearer than the mean of the other mice.")
    # as near, and in the wrong order; in order, and farther
    for predicted, others in (
        ([0.75, 0.8, 0.85], [0.7, 0.8, 0.7]),
        ([0.75, 0.8, 0.85], [0.5, 0.8, 0.9]),  # nearer, and in the wrong order
        ([0.99, 0.97, 0.96], [0.7, 0.8, 0.7]),
    ):
        bad = good.assign(predicted_auc=predicted, others_auc=others)
        (words,) = as_read(predicted_auc.in_words(bad))
        assert "worth no more than the mean of the other mice" in words


def test_an_output_of_one_value_is_at_chance_and_not_below():
    table = cohort_table()
    mute = table["test_mouse"] == "m4"
    table.loc[mute, ["two_states", "slow"]] = 0.0, NAN
    assert (predicted_auc.predict(table)["predicted_auc"][mute] == 0.5).all()


def test_too_few_mice_predict_nothing_and_the_verdict_says_so():
    table = cohort_table(mice=3)
    found = predicted_auc.predict(table)
    assert found["predicted_auc"].isna().all() and set(found["predicted_from"]) == {2}
    row = table.join(found).iloc[0].to_dict()
    row |= {"energy": -1.0, "energy_reference": -1.0}
    judged = shift_verdicts.judge(row, pictures(), schema.defaults("shift"))
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
    usual |= {"predicted_auc": 0.9, "predicted_error": 0.07, "predicted_from": 4}
    return shift_verdicts.judge(usual | (row or {}), pictures(**own), schema.defaults("shift"))


def test_images_are_held_against_the_nearest_of_all_training_mice():
    """Of x and y, of which y is turned as much as this mouse."""
    turned = pictures(rotation=31.0)
    turned.loc[turned["mouse"] == "y", "rotation"] = 30.0
    row = cohort_table().iloc[0].to_dict() | {"energy": -1.0, "energy_reference": -1.0}
    row |= {"predicted_auc": 0.9, "predicted_error": 0.07, "predicted_from": 4}
    for mice, apart in (("x+y", 1), ("y+x", 1), ("y", 1), ("x", 30)):
        found = shift_verdicts.judge(row | {"train_mice": mice}, turned, schema.defaults("shift"))
        assert found["rotation_shift"] == apart


def test_verdicts_by_hand():
    assert judged()["verdict"] == "in distribution"
    assert judged()["why"] == "nothing beyond its threshold"
    turned = judged(rotation=31.0)
    assert (turned["verdict"], turned["rotation_shift"]) == ("shifted", 30)
    assert turned["why"] == "turned by 30° against them"
    assert judged({"predicted_auc": 0.79})["verdict"] == "shifted"
    worst = judged({"predicted_auc": 0.6}, rotation=31.0)
    assert worst["verdict"] == "unusable"
    assert worst["why"] == "predicted AUC 0.60 (wrong by 0.07 in the other mice)"
    # as near as 1 / 4 of the usual distance is as odd as four times as far
    for distance in (0.25, 4.0):
        far = judged({"mahalanobis": distance})
        assert far["mahalanobis_shift"] == 4 and far["verdict"] == "unusable"
    # frames that are nearer to known ones than those of known mice are odd in no way
    assert judged({"neighbours": 0.25})["verdict"] == "in distribution"
    assert judged({"neighbours": 2.5})["verdict"] == "shifted"
    # a decoder that knows nothing: energy -ln 2
    assert judged({"energy": -math.log(2)})["confidence_shift"] == 0
    assert judged({"energy": -math.log(2)})["verdict"] == "unusable"


def test_what_known_mice_have_nothing_of_is_no_ratio():
    """A reference of 0, or below: not known, and so within its threshold."""
    for name, shift in (
        ("neighbours", "neighbours"),
        ("mahalanobis", "mahalanobis"),
        ("energy", "confidence"),  # a validation mouse of which the decoder knows nothing: -ln 2
    ):
        for reference in (0.0, -1e-3) if name != "energy" else (-math.log(2), -0.69):
            found = judged({f"{name}_reference": reference})
            assert math.isnan(found[f"{shift}_shift"]) and found["verdict"] == "in distribution"


def test_what_images_differ_by_is_measured_by_hand():
    """All measures of the known mice are 1."""
    assert judged(x=4.0, y=5.0)["position_shift"] == pytest.approx(5)  # 3 and 4 %
    assert judged(x=4.0)["position_shift"] == judged(y=4.0)["position_shift"] == pytest.approx(3)
    assert judged(extent=3.0)["extent_shift"] == pytest.approx(3)
    assert judged(extent=0.5)["extent_shift"] == pytest.approx(2)  # or its inverse
    for name, column in {"spectrum": "spatial_slope", "speed": "temporal_hz"}.items():
        assert judged(**{column: -1.5})[f"{name}_shift"] == pytest.approx(2.5)
    for name in ("left_right", "brightness", "sharpness", "noise"):
        assert judged(**{name: 0.25})[f"{name}_shift"] == pytest.approx(0.75)
    # of a session told from known ones by .9, as known mice are by .7
    found = judged({"two_sample": 0.9, "two_sample_reference": 0.7})
    assert found["two_sample_shift"] == pytest.approx(0.2)


@pytest.mark.parametrize(("name", "beyond"), [("rotation", 1e-9), ("predicted_auc", -1e-9)])
def test_a_limit_itself_is_within(name, beyond):
    limits = [0.7, 0.6] if name == "predicted_auc" else [15.0, 30.0]
    found = [shift_verdicts.beyond_of(name, at, limits) for at in limits]
    assert found == [0, 1]
    found = [shift_verdicts.beyond_of(name, at + beyond, limits) for at in limits]
    assert found == [1, 2]


def test_light_of_the_left_over_that_of_the_right_by_hand():
    image = np.ones((6, 7))  # a middle column belongs to neither half
    image[:, :3], image[:, 3] = 4, 100
    image[0] *= 50  # above is not left
    found = images.look(image)
    assert found["left_right"] == pytest.approx(2)
    assert images.look(image[:, ::-1])["left_right"] == pytest.approx(-2)


@pytest.mark.parametrize("rate", [10.0, 40.0])
def test_speed_and_noise_of_known_movies(tmp_path, rate):
    """A wave that goes on at a tenth of the frame rate; and noise from frame to frame."""
    t = np.arange(640)[:, None, None]
    bright = np.random.default_rng(1).uniform(0.5, 1.5, (16, 16))
    wave = 1000 + 100 * np.sin(2 * np.pi * t / 10) * bright
    noise = np.random.default_rng(0).normal(1000, 100, (640, 16, 16))
    found = {}
    for name, frames in {"wave": wave, "noise": noise}.items():
        path = tmp_path / f"{name}.h5"
        made = write_recording(path, frames.astype(np.float32), labels=t.ravel() // 40 % 2)
        found[name] = images.dynamics(replace(made, frame_rate=rate))
    assert 2 ** found["wave"]["temporal_hz"] == pytest.approx(rate / 10, rel=0.1)
    # the mean of two neighbours leaves 1 - cos(2π / 10) of a wave, and its square of the variance
    assert found["wave"]["noise"] == pytest.approx((1 - np.cos(np.pi / 5)) ** 2 / 1.5, rel=0.02)
    assert found["noise"]["noise"] == pytest.approx(1, abs=0.02)
    assert found["noise"]["spatial_slope"] == pytest.approx(0, abs=0.1)


def test_the_table_of_images_is_against_the_first_recording(tmp_path):
    """The second is the first, 3 px to the right and 2 down, of twice the light."""
    brain = described() + 50
    moved = np.roll(brain, (2, 3), (0, 1)) * 2
    flicker = 1 + 0.01 * (-1.0) ** np.arange(12)[:, None, None]
    made = [
        write_recording(tmp_path / f"{name}.h5", (image * flicker).astype("f4"), mouse=name[0])
        for name, image in (("b2", brain), ("a1", moved))
    ]
    table = images.table(made)
    assert list(table) == columns.IMAGE_COLUMNS
    assert table[["mouse", "session"]].to_numpy().tolist() == [["b", "b2"], ["a", "a1"]]
    np.testing.assert_allclose(table["x"], [0, 100 * 3 / 64], atol=0.3)
    np.testing.assert_allclose(table["y"], [0, 100 * 2 / 64], atol=0.3)
    np.testing.assert_allclose(table["rotation"], 0, atol=0.5)
    np.testing.assert_allclose(table["brightness"].diff()[1], 1, atol=1e-6)
    # the share of the image that is brighter than Otsu's threshold, as the side of a square
    square = np.ones((20, 30))
    square[4:10, 5:21] = 9
    assert images.look(square)["extent"] == pytest.approx(100 * math.sqrt(6 * 16 / 600))


@pytest.mark.parametrize(("n", "known"), [(7, False), (8, True)])
def test_a_recording_too_short_for_a_spectrum_has_none(tmp_path, n, known):
    frames = np.random.default_rng(0).normal(100, 9, (n, 16, 16)).astype(np.float32)
    found = images.dynamics(write_recording(tmp_path / "s.h5", frames))
    assert list(found) == ["noise", "spatial_slope", "temporal_hz"]
    assert np.isfinite(list(found.values())).tolist() == [known] * 3


def test_a_mouse_of_more_sessions_says_no_more_of_the_others():
    table = cohort_table()
    own = table["test_mouse"] == "m1"
    more = pd.concat([table, table[own].assign(session="again")], ignore_index=True)
    found, again = predicted_auc.predict(table), predicted_auc.predict(more)
    for name in ("predicted_auc", "predicted_error"):
        np.testing.assert_allclose(again[name][: len(table)][~own], found[name][~own])


def test_rotations_are_compared_around_the_circle():
    assert judged(rotation=1 + 358.0)["rotation_shift"] == pytest.approx(2)


# --- a mouse shifted by degrees, as benchmarks/shift.py scores it --------------------------------


@pytest.mark.slow
@pytest.mark.e2e
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
    words[2] = words[6] = str(tmp_path / "a.tsv")
    assert main([*words, "--thresholds", '{"rotatoin": [1, 2]}']) == 1
    assert "did you mean 'rotation'" in capsys.readouterr().err
    assert main(words) == 1
    assert "a.tsv: no column allocation" in capsys.readouterr().err
    for text, said in (("{", "not JSON"), ('{"few_shto": 1}', "did you mean 'few_shot'")):
        with pytest.raises(UserError, match=f"--adapted.*{said}"):
            verb._adapted(text)


# --- averages and adapted decoders ----------------------------------------------------------------


def test_an_average_is_judged_without_features():
    rng = np.random.default_rng(0)
    item, validation = (
        predictions.SessionPredictions(
            mouse, np.arange(300), rng.integers(0, 2, 300), rng.random(300)
        )
        for mouse in "tv"
    )
    about = "avg", "train-a+b.valid-v.test-t", "a+b", "v", "t"
    made = predictions.Predictions(*about, {"t1": item}, "strict")
    recordings = {  # twice as long as what could be decoded of them
        f"{one.mouse}1": Labelled(np.tile(one.label, 2), None, mouse=one.mouse)
        for one in (item, validation)
    }
    (row,) = measures.rows(made, {"v1": validation}, [], recordings)
    assert (row["session"], row["n_frames"], row["test_mouse"]) == ("t1", 300, "t")
    for name in columns.OF_FEATURES:
        assert math.isnan(row[name]) and math.isnan(row[f"{name}_reference"])
    assert row["energy"] == distances.energy(item.probability)
    assert row["energy_reference"] == distances.energy(validation.probability)
    # in a table these cells are empty, and what is not known is within its threshold
    known = cohort_table().assign(**dict.fromkeys(columns.OF_FEATURES, NAN))
    assert predicted_auc.predict(known)["predicted_auc"].notna().all()
    assert judged(dict.fromkeys(columns.OF_FEATURES, NAN))["verdict"] == "in distribution"


def test_a_session_is_of_one_mouse_where_several_are_tested_together():
    rng = np.random.default_rng(0)
    shown = {
        f"{mouse}1": SessionPredictions(
            mouse, np.arange(90), np.arange(90) // 9 % 2, rng.random(90)
        )
        for mouse in "tuv"
    }
    validation = {"v1": shown.pop("v1")}
    made = predictions.Predictions("d", "x", "a", "v", "t+u", shown, "strict")
    recordings = {
        f"{m}1": Labelled(np.arange(90) // 9 % 2, None, mouse=m) for m in ("a", "t", "u", "v")
    }
    rows = measures.rows(made, validation, [], recordings)
    assert [(row["test_mouse"], row["session"]) for row in rows] == [("t", "t1"), ("u", "u1")]


def test_the_reference_of_a_mouse_is_of_the_others_by_hand():
    """Training mice against each other, validation mice against both; the test mouse, both."""
    sessions = {
        name: distances.Featured(f"{name}1", name, *cloud(shift, n=80, seed=seed))
        for seed, (name, shift) in enumerate({"a": 0, "b": 6, "v": 15, "w": 25, "t": 40}.items())
    }

    def known(*names):
        chosen = [sessions[name] for name in names]
        rows, labels = (
            np.concatenate([getattr(s, k) for s in chosen]) for k in ("features", "labels")
        )
        return distances.known(rows, labels)

    # w, which validates too, has most bouts of all: 30 of 2 s; others six of 1 s
    states = {m: np.arange(60) // 10 % 2 for m in "abvt"} | {"w": np.arange(600) // 20 % 2}
    rng = np.random.default_rng(0)
    shown = {
        mouse: SessionPredictions(mouse, np.arange(60), states[mouse][:60], rng.random(60))
        for mouse in "vwt"
    }
    made = predictions.Predictions("d", "x", "a+b", "v+w", "t", {"t1": shown["t"]}, "strict")
    recordings = {f"{m}1": Labelled(states[m], None, mouse=m) for m in sessions}
    validation = {f"{m}1": shown[m] for m in "vw"}
    (row,) = measures.rows(made, validation, list(sessions.values()), recordings)
    of = {m: measures.of_probabilities(shown[m], recordings[f"{m}1"], 2.0) for m in "vwt"}
    for name in columns.OF_PROBABILITIES:
        assert row[name] == pytest.approx(of["t"][name])
        assert row[f"{name}_reference"] == pytest.approx((of["v"][name] + of["w"][name]) / 2)
    pairs = *((known("a", "b"), mouse) for mouse in "vw"), (known("b"), "a"), (known("a"), "b")
    for name in columns.OF_FEATURES:
        each = [getattr(distances, name)(space, sessions[of].features) for space, of in pairs]
        assert row[f"{name}_reference"] == pytest.approx(np.mean(each))
        own = getattr(distances, name)(known("a", "b"), sessions["t"].features)
        assert row[name] == pytest.approx(own)


def test_a_mouse_counts_once_however_many_sessions_it_has():
    two = [distances.Featured(f"a{i}", "a", *cloud(9 * i, n=80, seed=i)) for i in (0, 1)]
    other = distances.Featured("b1", "b", *cloud(3, n=80, seed=2))
    space = distances.known(other.features, other.labels)
    each = [distances.mahalanobis(space, one.features) for one in two]
    both = distances.known(
        *(np.concatenate([getattr(s, k) for s in two]) for k in ("features", "labels"))
    )
    expected = np.mean([np.mean(each), distances.mahalanobis(both, other.features)])
    found = measures._reference([*two, other], ["a", "b"], [], RUN.kind)
    assert found["mahalanobis"] == pytest.approx(expected)


@pytest.mark.parametrize(("limits", "verdict"), [([25, 40], "shifted"), ([31, 40], None)])
def test_the_verb_judges_by_the_thresholds_that_it_is_given(tmp_path, monkeypatch, limits, verdict):
    saved = []
    monkeypatch.setattr(
        "mesodecode.base.plots.save", lambda *given, **text: saved.append((*given, text))
    )
    monkeypatch.setattr(shift_figure, "page", lambda _, settings: settings)  # tested by itself
    table = cohort_table()
    files = {"shift": table[columns.measure_columns()], "images": pictures(rotation=31.0)}
    usual = table[["test_mouse", "session"]].set_axis(["mouse", "session"], axis=1)[1:]
    usual = usual.assign(**dict.fromkeys(columns.IMAGE_NUMBERS, 1.0))
    files["images"] = pd.concat([files["images"], usual])
    files["sessions"] = table.assign(n_frames=9, n_run=3, accuracy=0.5)
    words = ["--thresholds", json.dumps({"rotation": limits}), "--figure", tmp_path / "f"]
    for name, rows in files.items():
        rows.to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
        words += [f"--{name}", tmp_path / f"{name}.tsv"]
    assert main(["shift-report", *map(str, words), "--out", str(tmp_path / "o.tsv")]) == 0
    made = pd.read_csv(tmp_path / "o.tsv", sep="\t").set_index("session")
    turned = made["why"].str.contains("turned by 30")
    assert turned[turned].index.tolist() == (["m0_0"] if verdict else [])
    assert not verdict or made.loc["m0_0", "verdict"] == verdict
    ((settings, prefix, text),) = saved
    assert settings["rotation"] == limits and str(prefix) == str(tmp_path / "f")
    assert text["caption"] == shift_figure.caption(made.reset_index())


def test_the_figure_counts_the_sessions_of_each_verdict():
    verdicts = ["shifted", "in distribution", "shifted", "unusable", "shifted", "in distribution"]
    table = pd.DataFrame({"decoder": "net", "test_mouse": list("aaabcc"), "verdict": verdicts})
    axes = Figure().subplots()
    shift_figure.verdicts(axes, table, ["net"], ["a", "b", "c"])
    assert [text.get_text() for text in axes.texts] == ["1 / 2 / 0", "0 / 0 / 1", "1 / 1 / 0"]
    (cells,) = axes.collections
    assert np.ravel(cells.get_array()).tolist() == [1, 2, 1]  # the median; of a tie the worse


def test_the_share_of_rows_beyond_the_first_threshold_is_drawn_of_each_mouse():
    """Of turns, beyond 8°; a row without the measure does not count."""
    names = [columns.column(name) for name in (*columns.of_decoder(RUN.kind), *columns.OF_IMAGES)]
    table = pd.DataFrame(0.0, range(5), names).assign(test_mouse=[*"aaaab"])
    table[["predicted_auc", "confidence_shift"]] = 0.9
    table["rotation_shift"] = [8, 8.1, 31, NAN, NAN]
    axes = Figure().subplots()
    shift_figure.beyond(axes, table, ["a", "b"], schema.defaults("shift"))
    at = names.index("rotation_shift")
    shown = {text.get_position(): text.get_text() for text in axes.texts}
    assert {where: text for where, text in shown.items() if text != "·"} == {(at + 0.5, 0.5): "67"}
    assert len(shown) == 2 * len(names)


def test_a_decoder_with_too_few_mice_has_its_panel_and_says_so():
    rows = {"predicted_auc": [np.nan, 0.8], "auc": [0.9, np.nan], "test_mouse": ["a", "b"]}
    axes = Figure().add_subplot()
    shift_figure.predicted(axes, pd.DataFrame(rows), ["a", "b"], 0.62)
    (text,) = axes.texts
    assert text.get_text() == "too few mice" and text.get_transform() == axes.transAxes
    assert axes.get_xlim() == axes.get_ylim() == (0.55, 1.01) and len(axes.lines) == 1
    as_drawn(axes.figure, "predicted_of_too_few")


def test_the_caption_counts_the_rows_that_were_predicted_and_have_an_auc():
    table = pd.DataFrame(
        {
            **{"decoder": "net", "allocation": list("aabb"), "test_mouse": list("mmnn")},
            "predicted_auc": [0.8, NAN, 0.7, 0.6],
            "others_auc": [0.75, NAN, 0.75, 0.75],
            "auc": [0.9, 0.8, NAN, 0.8],
        }
    )
    text = as_written(shift_figure.caption(table), "shift")
    assert "error over 2 points: 0.150" in text  # .1 and .2
    assert "at nothing: 0.100." in text  # .15 and .05


def test_decoders_of_images_are_read_onto_the_device_that_is_asked_for(monkeypatch):
    class Asked(Exception):
        pass

    def load(model, **options):
        raise Asked(model, options)

    monkeypatch.setattr(features, "load", load)
    with pytest.raises(Asked) as seen:
        features.Features(3, "cuda:1").of("m.pt", [SimpleNamespace()])
    assert seen.value.args == ("m.pt", {"device": "cuda:1"})
