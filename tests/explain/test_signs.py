"""What maps keep beside their size: the sign and the time, on decoders whose weights are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from matplotlib.colors import Normalize

from drawn import as_drawn
from make_tables import map_of
from mesodecode import cli
from mesodecode.base import plots
from mesodecode.base.files import UserError
from mesodecode.decoders.networks import rnn_decoder
from mesodecode.decoders.weights import Trained
from mesodecode.explain import (
    check_files,
    cortex,
    deletion,
    map_check,
    map_measures,
    map_verdicts,
    shap_files,
    shap_maps,
    shap_tables,
    signed_figure,
)
from mesodecode.explain.removed_rois import Rois, evidence
from mesodecode.recordings.recording import Recording
from mesodecode.simulation import truth
from mesodecode.study import schema
from tabled import as_tabled
from texts import as_read

N_ROIS, N_FRAMES = 12, 300
SETTINGS = schema.defaults(
    "roi_rnn", rnn="rnn", hidden_size=1, half_window=0, baseline=None, normalise="zscore"
)
ANALYSIS = schema.defaults("importance_shap", background=80, windows=100, output="logit")
WEIGHTS = np.array([3.0, -2.0, 1.0, *np.zeros(N_ROIS - 3)])
MICE = ("d", "e", "f")


pytestmark = pytest.mark.usefixtures("one_thread")


def recording(mouse: str, like: tuple[int, int] | None = None) -> Recording:
    """Signals of which ROI 1 tells the state; ROI like[1] may be the copy of ROI like[0]."""
    rng = np.random.default_rng(sum(map(ord, mouse)))
    rois = rng.standard_normal((N_FRAMES, N_ROIS)).astype(np.float32)
    if like:
        rois[:, like[1] - 1] = rois[:, like[0] - 1]
    return Recording(
        path=Path(f"{mouse}.h5"),
        session=f"{mouse}_s1",
        mouse=mouse,
        frame_rate=30.0,
        labels=(rois[:, 0] > 0).astype(np.uint8),
        speed=None,
        segment=None,
        pixel_mean=None,
        stack_sd=1.0,
        rois=rois,
        shape=(N_FRAMES, 8, 8),
    )


def reader(weights: np.ndarray) -> Trained:
    """A decoder whose logit is weights x signals."""
    settings = SETTINGS | {"dropped": []}
    state = {k: torch.zeros_like(v) for k, v in rnn_decoder(N_ROIS, settings).state_dict().items()}
    state["rnn.weight_ih_l0"][0] = torch.as_tensor(1e-3 * weights)
    state["head.weight"][0, 0] = 1000
    return Trained("roi_rnn", settings, ("a", "b"), ("c",), state)


def mapped(weights: np.ndarray, mouse: str, like=None) -> shap_maps.ShapMap:
    return shap_maps.shap_map(reader(weights), [recording(mouse, like)], [], ANALYSIS, decoder="x")


def checked(weights, mouse, maps, like=None, scores=None) -> check_files.MapCheck:
    """Check the decoder on a mouse, by maps of other mice."""
    index = pd.MultiIndex.from_tuples([(m.allocation, m.test_mouse) for m in maps])
    index.names = ["allocation", "test_mouse"]
    columns = pd.Index([str(roi) for roi in range(1, N_ROIS + 1)], name="ROI")
    scores = [m.mean_abs.sum(axis=0) for m in maps] if scores is None else [scores] * len(maps)
    table = pd.DataFrame(scores, index, columns)
    return map_check.check_shap(
        reader(weights), [recording(mouse, like)], [], ANALYSIS, maps=table, signed=maps
    )


# Maps


def test_the_signed_map_of_a_linear_decoder_is_its_size_with_the_sign_of_the_weight():
    found = mapped(WEIGHTS, "d")
    np.testing.assert_allclose(found.signed, np.sign(WEIGHTS) * found.mean_abs, atol=1e-5)
    table = shap_tables.signed_table([found])
    assert table["toward"].tolist()[:4] == ["run", "rest", "run", "-"]
    assert found.mean_abs[0, 1] > 1  # where the plain mean of SHAP would be about 0
    plain = found.in_run * found.n_run + found.in_rest * (found.n_windows - found.n_run)
    assert np.abs(plain / found.n_windows).max() < 0.5


def test_each_state_has_the_mean_of_its_windows():
    found, one = mapped(WEIGHTS, "d"), recording("d")
    at = shap_maps.evenly(N_FRAMES, 100)
    signals = (one.rois - one.rois.mean(axis=0)) / one.rois.std(axis=0)
    drawn = np.sort(np.random.default_rng(ANALYSIS["seed"]).choice(N_FRAMES, 80, replace=False))
    values = WEIGHTS * (signals[at] - signals[drawn].mean(axis=0))
    run = one.labels[at] == 1
    assert found.n_run == run.sum()
    np.testing.assert_allclose(found.in_run[0], values[run].mean(axis=0), atol=2e-2)
    np.testing.assert_allclose(found.in_rest[0], values[~run].mean(axis=0), atol=2e-2)
    # ROI 1 tells the state: it speaks for the one that is
    assert found.in_run[0, 0] > 1 > -1 > found.in_rest[0, 0]


def test_a_map_of_one_state_has_nothing_of_the_other(tmp_path):
    one = dataclasses.replace(recording("d"), labels=np.ones(N_FRAMES, np.uint8))
    found = shap_maps.shap_map(reader(WEIGHTS), [one], [], ANALYSIS, decoder="x")
    assert np.isnan(found.in_rest).all() and np.isfinite(found.in_run).all()
    found.write(tmp_path / "m.h5")
    np.testing.assert_array_equal(shap_files.read(tmp_path / "m.h5").in_rest, found.in_rest)
    both = [found, mapped(WEIGHTS, "e")]
    np.testing.assert_array_equal(shap_tables.mean_of(both, "in_rest"), both[1].in_rest)


def test_tables_by_hand():
    one = map_of([[1, 0], [2, 0], [3, 1]], signed=np.array([[1, 0], [-2, 0], [3, -1.0]]))
    two = map_of([[1, 2], [0, 2], [1, 1]], "two", signed=np.array([[0, 0], [0, 0], [0, -3.0]]))
    table = as_tabled(shap_tables.signed_table([one, two]), "shap_signed")
    assert table["mean_abs"].tolist() == [4, 3] and table["signed"].tolist() == [1, -2]
    np.testing.assert_allclose(table["sd"], [np.sqrt(2), np.sqrt(2)])
    assert table["toward"].tolist() == ["run", "rest"]
    assert table["peak_frame"].tolist() == [1, -1]  # of ties the first
    np.testing.assert_allclose(table["peak_s"], [1 / 30, -1 / 30])
    np.testing.assert_allclose(table["in_run"], [2, 1.5])
    times = as_tabled(shap_tables.time_table([one, two]), "shap_by_time")
    assert times["roi"].tolist() == [1, 1, 1, 2, 2, 2]
    assert times["frame"].tolist() == [-1, 0, 1] * 2
    assert times["name"].tolist() == ["1"] * 3 + ["2"] * 3
    named = [dataclasses.replace(one, names=("V1", "M1")), two]  # by the first of them
    assert shap_tables.time_table(named)["name"].tolist() == ["V1"] * 3 + ["M1"] * 3
    assert shap_tables.signed_table(named)["name"].tolist() == ["V1", "M1"]
    assert shap_tables.roi_table(named)["name"].tolist() == ["V1", "M1"]
    for table in ("roi_table", "signed_table", "time_table"):  # that has some
        assert "V1" in getattr(shap_tables, table)(named[::-1])["name"].tolist()
    assert shap_files.units_of(named[0]) == ["1", "2"]  # however they are called
    pixels = dataclasses.replace(named[0], method=shap_files.OF_PIXELS)
    assert shap_files.units_of(pixels) == ["V1", "M1"]
    np.testing.assert_allclose(times["signed"], [0.5, -1, 1.5, 0, 0, -2])
    np.testing.assert_allclose(times["mean_abs"], [1, 1, 2, 1, 1, 1])
    rates = [one, dataclasses.replace(two, frame_rate=20.0)]
    assert shap_tables.time_table(rates)["time_s"].isna().all()


def test_the_peak_is_of_the_size_whatever_its_sign():
    one = map_of([[1, 0], [5, 0], [3, 1]], signed=np.array([[1, 0], [-5, 0], [3, -1.0]]))
    assert shap_tables.signed_table([one])["peak_frame"].tolist() == [0, 1]


def test_noise_is_in_what_is_explained_and_not_in_the_background():
    plain = mapped(WEIGHTS, "d")
    one = recording("d")
    noisy = shap_maps.shap_map(
        *(reader(WEIGHTS), [one], [], ANALYSIS),
        decoder="x",
        noise=np.random.default_rng(0),
    )
    assert noisy.base == plain.base
    assert not np.allclose(noisy.mean_abs, plain.mean_abs, rtol=0.05)


# Removing


def test_the_output_moves_by_the_size_of_each_removal():
    signals = np.random.default_rng(0).standard_normal((50, N_ROIS))
    windows = torch.as_tensor(signals, dtype=torch.float32)[:, None]
    rois = Rois(reader(WEIGHTS).build(), windows, torch.arange(50) % 2, np.arange(50))
    sizes = np.abs(WEIGHTS * (signals - signals.mean(axis=0))).mean(axis=0)
    order = [2, 0, 1]
    scores = np.zeros(N_ROIS)
    scores[order] = 3, 2, 1
    ((gone, logits),) = rois.one_by_one([scores])
    found = deletion.moved(gone, logits, np.array([1, 2, 3, N_ROIS]) / N_ROIS)
    np.testing.assert_allclose(found, np.cumsum(sizes[[*order, 3]]), rtol=1e-3)
    half = deletion.moved(gone, logits, [1.5 / N_ROIS])
    np.testing.assert_allclose(half, sizes[2] + sizes[0] / 2, rtol=1e-3)


def test_removals_of_several_passes_are_those_of_one(monkeypatch):
    windows = torch.as_tensor(np.random.default_rng(0).standard_normal((50, 1, N_ROIS))).float()
    rois = Rois(reader(WEIGHTS).build(), windows, torch.arange(50) % 2, np.arange(50))
    scores = [np.arange(N_ROIS), np.abs(WEIGHTS)]

    def found():
        return [*(made for _, made in rois.one_by_one(scores)), rois.by_sign([WEIGHTS[None]])]

    once = found()
    for size in (50, 130, 1):  # of 50 windows: a removal a pass, two, and one at least
        monkeypatch.setattr("mesodecode.explain.removed_rois.BATCH", size)
        for one, other in zip(once, found(), strict=True):
            np.testing.assert_allclose(other, one, rtol=0, atol=1e-5)


def test_evidence_counts_the_side_of_the_mean_and_not_how_far_it_is():
    signed = torch.tensor([[1.0, -2], [3, 4]])
    windows = torch.tensor([[[15.0, 1.9], [0, 3]], [[5, 2.1], [5.1, 2]]])
    # (1 - 3, 2 + 4); at the mean itself nothing is said: (0 + 3, -2 + 0)
    found = evidence(signed, windows, torch.tensor([5.0, 2]))
    assert found.tolist() == [[-2, 6], [3, -2]]


def test_without_all_that_speaks_for_one_state_what_speaks_for_the_other_is_left():
    signals = np.random.default_rng(3).standard_normal((60, N_ROIS))
    windows = torch.as_tensor(signals, dtype=torch.float32)[:, None]
    rois = Rois(reader(WEIGHTS).build(), windows, torch.arange(60) % 2, np.arange(60))
    without_rest, without_run = rois.by_sign([WEIGHTS[None]])[0].mean(axis=-1)
    parts = WEIGHTS * (signals - signals.mean(axis=0))
    says = np.sign(parts) * np.abs(WEIGHTS)
    loudest = [np.abs(parts)[range(60), (sign * says).argmax(axis=1)] for sign in (1, -1)]
    none = [(sign * says).max(axis=1) <= 0 for sign in (1, -1)]
    expected = np.sum(np.where(none, 0, loudest), axis=0).mean(), np.abs(parts).sum(axis=1).mean()
    found = (without_rest - without_run)[[0, -1]]  # one of twelve ROIs, and all that speak
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_shares_are_of_the_rois_that_vary():
    """Six of twelve: of 10 and 20 % one is removed, of 30 % two."""
    signals = np.random.default_rng(3).standard_normal((60, N_ROIS))
    signals[:, 6:] = 1
    windows = torch.as_tensor(signals, dtype=torch.float32)[:, None]
    weights = np.arange(N_ROIS) + 1.0
    rois = Rois(reader(weights).build(), windows, torch.arange(60) % 2, np.arange(60))
    found = rois.by_sign([weights[None]])[0].mean(axis=-1)
    np.testing.assert_allclose(found[:, 0], found[:, 1])
    assert (np.abs(found[:, 2] - found[:, 1]) > 0.1).all()


def test_what_cancels_is_seen_one_by_one_and_not_in_the_auc():
    """ROIs 2 and 3 are equal and pull to either side; ROI 1, which tells the state, hardly."""
    weights = np.array([0.5, 4.0, -4.0, *np.zeros(N_ROIS - 3)])
    maps = [mapped(weights, mouse, (2, 3)) for mouse in MICE]
    made = [checked(weights, mouse, maps, (2, 3)) for mouse in MICE]
    found = gathered(maps, made)
    table = map_verdicts.table(found).set_index("check")
    # 17 % are ROIs 2 and 3: both gone, the decoder is as good as before
    np.testing.assert_allclose(found.auc[:, 1], found.auc_intact, atol=0.01)
    row = table.loc["deletion one by one"]
    assert row["verdict"] == "pass" and row["value"] > 1
    wrong = [checked(weights, mouse, maps, (2, 3), scores=-np.abs(weights)) for mouse in MICE]
    row = map_verdicts.table(gathered(maps, wrong)).set_index("check").loc["deletion one by one"]
    assert row["verdict"] == "flag" and "moves no farther" in as_read(row["sentence"])


def test_removing_by_sign_passes_with_the_signs_of_the_decoder_and_fails_with_others():
    maps = [mapped(WEIGHTS, mouse) for mouse in MICE]
    for signs, expected in ((1, "pass"), (-1, "flag")):
        given = [dataclasses.replace(one, signed=signs * one.signed) for one in maps]
        made = [checked(WEIGHTS, mouse, given) for mouse in MICE]
        row = map_verdicts.table(gathered(given, made)).set_index("check").loc["deletion by sign"]
        assert row["verdict"] == expected and np.sign(row["value"]) == signs
    # without signs, all speak for run when active
    given = [dataclasses.replace(one, signed=one.mean_abs) for one in maps]
    made = [checked(WEIGHTS, mouse, given) for mouse in MICE]
    right = [checked(WEIGHTS, mouse, maps) for mouse in MICE]
    own, unsigned = (
        map_verdicts.table(gathered(maps, m)).set_index("check") for m in (right, made)
    )
    assert unsigned.loc["deletion by sign", "value"] < 0.7 * own.loc["deletion by sign", "value"]


def test_gains_of_removal_are_means_that_draws_reach_by_hand():
    own = np.array([[0.0, 1.0, 8.0], [1.0, 1.0, 1.0]])  # mean 2, median 1
    draws = np.array([[0.0, 0.0, 12.0], [2.0, 2.0, 2.0], [1.0, 1.0, 1.0]])
    draws = np.stack([draws, draws - [[0, 0, 0], [0, 0, 0], [1, 1, np.nan]]])
    # their means: 4, 2 (as well) and 0.6 of those that are known
    assert map_measures.apart_gain(own, draws) == (2.0, 2)


def test_only_other_mice_say_the_signs():
    own = dataclasses.replace(mapped(WEIGHTS, "d"), signed=-mapped(WEIGHTS, "d").signed)
    found = checked(WEIGHTS, "d", [own, mapped(WEIGHTS, "e")])
    assert found.apart.mean() > 0 and found.apart.shape == (1, 9)
    alone = checked(WEIGHTS, "d", [own])
    assert alone.apart.shape == alone.moved.shape == (0, 9)


def test_apart_by_hand():
    apart = np.array([[1.0, 2], [3, 4]])
    random = np.array([[[0.0, 0], [5, 5]], [[0, 0], [1, 0]]])  # draws: 0 and 2.75
    assert map_measures.apart_gain(apart, random) == (2.5, 1)
    moved = np.array([[1.0, 2]])
    assert map_measures.moved_gain(moved, np.array([[[0.5, 1], [1, 2]]])) == (0.375, 1)


# What is planted


def gathered(maps, made, **planted) -> map_verdicts.Evidence:
    made = [dataclasses.replace(one, **planted) for one in made]
    index = pd.MultiIndex.from_tuples([(m.allocation, m.test_mouse) for m in maps])
    index.names = ["allocation", "test_mouse"]
    columns = pd.Index([str(roi) for roi in maps[0].roi], name="ROI")
    scores = pd.DataFrame([m.mean_abs.sum(axis=0) for m in maps], index, columns)
    return map_verdicts.gather(scores, made, timed=maps)


def truth_of(path: Path, **attributes) -> Path:
    given = {
        **{"signal_rois": [2, 3], "signal_radius": 0.1, "image_size": 8, "run_signal": 0.02},
        **{"tau_rise_s": 0.1, "tau_decay_s": 0.1, "frame_rate": 10.0, "lead_s": 0.2},
    }
    with h5py.File(path, "w") as file:
        file["roi_xy"] = np.zeros((4, 2))
        file.attrs.update(given | attributes)
    return path


def test_planted_times_by_hand(tmp_path):
    path = truth_of(tmp_path / "t.h5")
    found = truth.planted_times([path], [1, 2], range(-3, 4))
    # (1 - exp(-10 t)) exp(-10 t) of its peak 0.25, at t = -0.1 ... 0.5 s: 0 0 .93 .47 .19 .07 .03
    expected = [0, 0, 1, np.nan, np.nan, np.nan, 0]
    np.testing.assert_array_equal(found[:, 1], expected)
    assert (found[:, 0] == 0).all()
    # brought to half the rate, frames are 0.2 s apart: t = -0.4 ... 0.8 s: 0 0 0 .47 .07 .01 0
    slow = truth.planted_times([path], [2], range(-3, 4), frame_rate=5.0)[:, 0]
    np.testing.assert_array_equal(slow, [0, 0, 0, np.nan, np.nan, 0, 0])
    led = truth_of(tmp_path / "led.h5", signal_leads_s=[0.1, -0.2])
    found = truth.planted_times([led], [3, 2], range(-3, 4))
    np.testing.assert_array_equal(found[:, 1], [0, 1, np.nan, np.nan, np.nan, 0, 0])  # earlier
    np.testing.assert_array_equal(found[:, 0], [0, 0, 0, 0, 1, np.nan, np.nan])
    both = truth.planted_times([path, led], [2], range(-3, 4))[:, 0]
    np.testing.assert_array_equal(both[[0, 1, 2, 5, 6]], [0, np.nan, np.nan, np.nan, 0])
    assert np.isnan(truth.planted_times([], [1, 2], [0])).all()
    nothing = truth_of(tmp_path / "n.h5", run_signal=0)
    assert (truth.planted_times([nothing], [1, 2], [0, 1]) == 0).all()


def test_planted_signs_are_those_of_the_gains(tmp_path):
    path = truth_of(tmp_path / "t.h5", signal_gains=[2.0, -0.5])
    assert truth.planted_signs([path], [1, 2, 3]).tolist() == [0, 1, -1]
    plain = truth_of(tmp_path / "p.h5")
    assert truth.planted_signs([plain], [3, 2]).tolist() == [1, 1]
    np.testing.assert_array_equal(truth.planted_signs([path, plain], [2, 3]), [1, np.nan])
    assert np.isnan(truth.planted_signs([], [1])).all()


@pytest.fixture(scope="module")
def plain():
    return [mapped(WEIGHTS, mouse) for mouse in MICE], [
        checked(WEIGHTS, mouse, [mapped(WEIGHTS, "z")]) for mouse in MICE
    ]


def with_frames(maps, size, signed):
    frame = np.arange(-1, 2)
    return [dataclasses.replace(m, mean_abs=size, signed=signed, frame=frame) for m in maps]


def test_a_flag_says_whether_planted_areas_differ_by_state(plain):
    """ROI 3 moves the output as far in run as in rest, and more than ROI 2, which is planted."""
    maps, made = plain
    planted, told = np.zeros(N_ROIS), np.zeros((3, N_ROIS))
    planted[:2], told[:, :2] = 1, [2, -1]
    size = np.full((3, N_ROIS), 0.1)
    size[:, :3] = [3, 1, 2]
    given = [
        dataclasses.replace(one, mean_abs=size, signed=size, in_run=told + 1, in_rest=1 + 0 * told)
        for one in maps
    ]
    given[0] = dataclasses.replace(given[0], in_rest=np.nan * told)  # which had no rest
    table = map_verdicts.table(gathered(given, made, planted=planted)).set_index("check")
    row = table.loc["planted truth"]
    assert row["verdict"] == "flag" and "1 of 2 planted ROIs are among the 2" in as_read(
        row["sentence"]
    )
    words = "By the size of in_run - in_rest, 2 of 2 are (average precision 1.00)"
    assert words in as_read(row["sentence"])


def test_a_map_must_be_larger_when_planted_areas_answer(plain):
    maps, made = plain
    times = np.zeros((3, N_ROIS))
    times[0, 0] = times[2, 1] = 1  # ROI 1 leads, ROI 2 lags
    size = np.full((3, N_ROIS), 0.1)
    size[:, 0], size[:, 1] = [3, 2, 1], [1, 2, 3]
    late = size * np.array([[1], [2], [9]])  # what a decoder reads last counts more, in all ROIs
    even = size.mean(0, keepdims=True) + 0 * size
    # both planted ROIs count the same at all times, another one at the middle alone
    elsewhere = even + 0 * size
    elsewhere[1, 2] = 9
    kinds = {"right": size, "late": late, "reversed": size[::-1], "even": even}
    kinds["elsewhere"] = elsewhere
    rows = {}
    for name, one in kinds.items():
        evidence = gathered(with_frames(maps, one, one), made, planted_times=times)
        rows[name] = map_verdicts.table(evidence).set_index("check").loc["planted times"]
    assert rows["right"]["verdict"] == rows["late"]["verdict"] == "pass"
    assert rows["right"]["value"] == pytest.approx(6 / 15)
    words = (
        "relevance mass {} over ROIs and frames, {} were all at the same times, 0.056 by chance; "
        "relevance rank {}, average precision {}."
    )
    assert words.format("0.400", "0.267", "1.00", "1.00") in rows["right"]["sentence"]
    # of the highest cells one is none, and six of 2 follow, of which two are planted
    assert words.format("0.167", "0.167", "0.00", "0.29") in rows["elsewhere"]["sentence"]
    assert rows["right"]["limit"] == pytest.approx(4 / 15)
    assert {rows[name]["verdict"] for name in ("reversed", "even", "elsewhere")} == {"flag"}
    assert rows["elsewhere"]["limit"] == pytest.approx(4 / (15 + 8.9))
    assert rows["reversed"]["value"] == pytest.approx(2 / 15)
    times[:, 1] = times[:, 0]
    times[1, :2] = np.nan  # both at once: no map could fail but for what the decoder prefers
    for given in ({}, {"planted_times": times}):
        table = map_verdicts.table(gathered(with_frames(maps, size, size), made, **given))
        assert "planted times" not in set(table["check"])


def test_planted_signs_must_all_be_right(plain):
    maps, made = plain
    signs = np.zeros(N_ROIS)
    signs[:2] = 1, -1
    row = map_verdicts.table(gathered(maps, made, planted_signs=signs)).set_index("check")
    row = row.loc["planted signs"]
    assert (row["verdict"], row["value"]) == ("pass", 1)
    assert "of 1 speaks for run, of 1 for rest" in as_read(row["sentence"])
    unsigned = [dataclasses.replace(m, signed=m.mean_abs) for m in maps]
    table = map_verdicts.table(gathered(unsigned, made, planted_signs=signs)).set_index("check")
    row = table.loc["planted signs"]
    assert row["verdict"] == "flag" and "ROI 2 is wrong (1 of 2 right)" in as_read(row["sentence"])


def test_relevance_mass_and_rank_by_hand():
    found = map_measures.planted_truth(np.array([4.0, -3, 2, 1]), np.array([1, 0, 1, 0.0]))
    assert found.mass == pytest.approx(0.6) and found.rank == 1
    ties = map_measures.planted_truth(np.ones(4), np.array([1, 0, 1, 0.0]))
    assert (ties.mass, ties.rank) == (0.5, 0)
    left_out = map_measures.planted_truth(np.array([4.0, 9, 1]), np.array([1, np.nan, 0]))
    assert left_out.mass == pytest.approx(0.8)
    assert map_measures.planted_truth(np.zeros(2), np.array([1, 0.0])).mass == 0


# The figure


def place(n_rois=2) -> cortex.Cortex:
    areas = np.zeros((n_rois, 16, 16), bool)
    for number in range(n_rois):
        areas[number, 2:6, 2 + 6 * number : 6 + 6 * number] = True
    image = np.random.default_rng(0).random((8, 8))
    return cortex.Cortex(image, (16, 16), [cortex.outline(area) for area in areas])


def test_an_outline_surrounds_its_pixels_and_no_others():
    rows, columns = np.mgrid[:20, :24]
    disc = np.hypot(rows - 9, columns - 11) < 6
    ring = disc & (np.hypot(rows - 9, columns - 11) > 3)
    edge = np.zeros((20, 24), bool)
    edge[:4, :5] = True
    for area in (disc, edge, ring):
        found = cortex.outline(area)
        if area is ring:  # a hole is one of its lines
            assert (found.codes == 1).sum() == 2
            continue
        points = np.column_stack([columns.ravel(), rows.ravel()])
        np.testing.assert_array_equal(found.contains_points(points), area.ravel())


def test_the_signed_figure_is_centred_on_0_and_shows_each_time():
    maps = [map_of(np.ones((7, 2)), signed=np.linspace(-1, 3, 14).reshape(7, 2))]
    figure = as_drawn(signed_figure.draw(maps, place()), "signed")
    images = [axes for axes in figure.axes if axes.images]
    titles = [axes.get_title() for axes in figure.axes]
    assert "−0.10 to −0.07 s" in titles and "0.10 s" in titles
    assert len([axes for axes in figure.axes if len(axes.patches) == 2]) == 1 + 6
    heat = next(axes for axes in images if axes.get_ylabel())
    np.testing.assert_array_equal(heat.images[0].get_array(), maps[0].signed)
    assert heat.images[0].norm.vmin == -heat.images[0].norm.vmax == -3
    red, blue = (cortex.mpl.colormaps[cortex.COLOURS](value) for value in (1.0, 0.0))
    assert red[0] > 0.3 > red[2] and blue[2] > 0.3 > blue[0]
    alone = as_drawn(signed_figure.draw(maps), "signed_alone")
    assert len([axes for axes in alone.axes if axes.images]) == 1
    assert "session" not in as_read(signed_figure.caption(maps, None))


@pytest.mark.parametrize("suffix", [".npy", ".h5", ".tif"])
def test_areas_are_drawn_where_they_were_recorded(tmp_path, suffix):
    """Of an image that is half as large as the movie; ROI 2 touches the edge."""
    labels = np.zeros((16, 24), np.uint8)
    labels[4:8, 6:10], labels[12:, 20:] = 1, 2
    path = tmp_path / f"areas{suffix}"
    if suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["atlas"], file["other"] = labels, labels[::-1]
    elif suffix == ".npy":
        np.save(path, labels)
    else:
        tifffile.imwrite(path, labels)
    image = np.random.default_rng(0).random((8, 12))
    one = dataclasses.replace(
        recording("d"), pixel_mean=image, shape=(3, 8, 12), recorded_size=(16, 24)
    )
    found = cortex.read_cortex(path, one, "atlas" if suffix == ".h5" else None)
    boxes = [outline.get_extents().extents for outline in found.outlines]
    np.testing.assert_allclose(boxes, [[5.5, 3.5, 9.5, 7.5], [19.5, 11.5, 23.5, 15.5]], atol=0.01)
    maps = [map_of(np.ones((1, 2)), frame=np.array([0]))]
    figure = signed_figure.draw(maps, found)  # of one frame
    (whole, *_) = [axes for axes in figure.axes if axes.patches]
    assert whole.images[0].get_extent() == [-0.5, 23.5, 15.5, -0.5]
    assert len([axes for axes in figure.axes if axes.patches]) == 2


def test_a_file_that_is_neither_areas_nor_truth_is_refused_in_one_line(tmp_path):
    (tmp_path / "bad.h5").write_text("no HDF5")
    one = dataclasses.replace(recording("d"), pixel_mean=np.ones((8, 8)))
    with pytest.raises(UserError, match=r"bad\.h5"):
        cortex.read_cortex(tmp_path / "bad.h5", one)
    with pytest.raises(FileNotFoundError, match=r"gone\.h5"):
        cortex.read_cortex(tmp_path / "gone.h5", one)


def test_rois_that_the_areas_lack_are_named():
    with pytest.raises(UserError, match=r"areas\.tif: 2 ROIs, but the maps are of ROI 3 too; give"):
        cortex.chosen(place(), [1, 3], "areas.tif")
    assert len(cortex.chosen(place(), [2], "areas.tif").outlines) == 1


@pytest.mark.parametrize("kind", ["truth", "masks"])
def test_the_verb_writes_tables_and_figure_with_signs(tmp_path, kind):
    one = map_of([[1, 0], [2, 0], [3, 1]])
    one.write(tmp_path / "one.h5")
    with h5py.File(tmp_path / "rec.h5", "w") as file:
        file["frames"], file["labels"] = np.zeros((3, 8, 8), np.uint8), np.zeros(3, np.uint8)
        file["pixel_mean"], file["stack_sd"] = np.random.default_rng(0).random((8, 8)), 1.0
        file.attrs.update(session="m1_s1", mouse="m1", frame_rate=30.0)
    labels = np.zeros((8, 8), int)
    labels[1:3, 1:3], labels[5:7, 5:7] = 1, 2
    areas = tmp_path / ("areas.npy" if kind == "masks" else "truth.h5")
    if kind == "masks":
        np.save(areas, labels)
    else:
        with h5py.File(areas, "w") as file:
            file["roi_xy"], file["roi_radius"] = np.array([(2.0, 2), (5, 5)]), 1.2
            file["brain"] = np.ones((8, 8), bool)
    words = ["shap-summary", "--maps", tmp_path / "one.h5", "--out", tmp_path / "t.tsv"]
    words += ["--figure", tmp_path / "f", "--signed", tmp_path / "s.tsv"]
    words += ["--times", tmp_path / "w.tsv", "--signed-figure", tmp_path / "g", "--name", "fig6"]
    line = [*map(str, words), "--recording", f"{tmp_path}/rec.h5", "--rois", str(areas)]
    assert cli.main(line) == 0
    assert pd.read_csv(tmp_path / "t.tsv", sep="\t").columns.tolist() == [
        *("roi", "name", "n", "mean", "sd")
    ]
    assert pd.read_csv(tmp_path / "s.tsv", sep="\t")["signed"].tolist() == [-6, -1]
    assert len(pd.read_csv(tmp_path / "w.tsv", sep="\t")) == 6
    svg = (tmp_path / "g.svg").read_text()
    assert "fig6: what the activity of areas tells roi_gru" in svg and "session m1_s1" in svg
    assert (tmp_path / "g.png").stat().st_size > 10_000
    assert cli.main(line[:-2]) == 1  # a recording without areas


@pytest.mark.parametrize(("rate", "low", "high"), [(10.0, -0.25, 0.35), (0.0, -2.5, 3.5)])
def test_frames_of_a_heat_map_are_centred_on_their_times(rate, low, high):
    frame, values = np.arange(-2, 4), np.arange(12.0).reshape(6, 2)
    with plots.new_figure(50, 50) as figure:
        axes = figure.add_subplot()
        signed_figure.heat(axes, ["a", "b"], frame, values, rate, Normalize(-1, 1))
    (image,) = axes.images
    np.testing.assert_allclose(image.get_extent(), [-0.5, 1.5, low, high])
    np.testing.assert_array_equal(image.get_array(), values)
