"""Is a map right? The checks, each on maps that must pass and on maps that must fail."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from drawn import as_drawn
from make_decoders import write_recording
from make_tables import map_of
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.decoders.inputs import Images
from mesodecode.decoders.networks import CNNDecoder, rnn_decoder
from mesodecode.decoders.weights import Trained
from mesodecode.explain import (
    check_files,
    checks_figure,
    cutout_masks,
    cutout_tables,
    deletion,
    map_check,
    map_measures,
    map_verdicts,
    recording_noise,
    shap_maps,
)
from mesodecode.explain import maps as maps_of
from mesodecode.recordings.recording import Recording, read_recording
from mesodecode.recordings.sample import sample
from mesodecode.simulation import truth
from mesodecode.study import schema
from mesodecode.study.allocation import Allocation
from mesodecode.study.targets import RUN
from tabled import as_tabled
from texts import as_read

N_ROIS, N_FRAMES = 20, 400
SETTINGS = schema.defaults(
    "roi_rnn", rnn="rnn", hidden_size=2, half_window=0, baseline=None, normalise="zscore"
)
ANALYSIS = schema.defaults("importance_shap", background=50, windows=60, output="logit")
MICE = ("d", "e", "f", "g", "h", "i")


pytestmark = pytest.mark.usefixtures("one_thread")


# The numbers, by hand


def test_average_precision_by_hand():
    # hits at ranks 1 and 3: (1/1 + 2/3) / 2
    found = map_measures.planted_truth(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 0, 1, 0.0]))
    assert found.average_precision == pytest.approx(5 / 6)
    assert (found.chance, found.n_planted, found.n_on_top, found.n_units) == (0.5, 2, 1, 4)
    left_out = map_measures.planted_truth(
        np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, np.nan, 1, 0])
    )
    assert (left_out.average_precision, left_out.n_on_top, left_out.n_units) == (1, 2, 3)
    ties = map_measures.planted_truth(np.zeros(4), np.array([1, 0, 1, 0.0]))
    assert (ties.average_precision, ties.n_on_top) == (0.5, 0)  # ties do not count as found


def test_rank_correlation_by_hand():
    maps = np.array([[1, 2, 3, 4], [1, 2, 3, 4], [1, 1, 2, 5], [3, 3, 3, 3]], float)
    others = np.array([[1, 300, 20, 400], [4, 3, 2, 1], [1, 2, 3, 3], [1, 2, 3, 4]], float)
    # 1 - 6 x 2 / (4 x 15); reversed; R's cor(…, method = "spearman"); constant
    expected = [0.8, -1, 0.888888888889, 0]
    np.testing.assert_allclose(map_measures.rank_correlations(maps, others), expected, atol=1e-12)


def test_stability_is_the_mean_over_pairs_by_test_mouse():
    maps = np.array([[1, 2, 3, 4], [1, 3, 2, 4], [4, 3, 2, 1]], float)
    # pairs 1-2: 0.8 (same mouse); 1-3: -1; 2-3: -0.8
    assert map_measures.stability(maps, np.array(["a", "a", "b"])) == pytest.approx((-0.9, 0.8))
    different, same = map_measures.stability(maps, np.array(["a", "b", "c"]))
    assert different == pytest.approx(-1 / 3) and np.isnan(same)
    with warnings.catch_warnings(action="error"):  # of numpy, of which a user makes nothing
        assert np.isnan(map_measures.stability(maps, np.array(["a"] * 3))[0])


def test_change_with_noise_by_hand():
    maps = np.array([[3, 4], [0, 0], [0, 0.0]])
    noisy = np.array([[[3, 4], [3, 5]], [[0, 0], [0, 0]], [[0, 1], [0, 0.0]]])
    found = map_measures.relative_change(maps, noisy)
    np.testing.assert_allclose(found, [[0, 0.2], [0, 0], [np.inf, 0]])


def test_gini_by_hand():
    maps = np.array([[2, 2, 2, 2], [0, 0, -5, 0], [4, 3, -2, 1], [0, 0, 0, 0.0]])
    # mean |difference| of pairs 1.25 over twice the mean 2.5
    np.testing.assert_allclose(map_measures.gini(maps), [0, 0.75, 0.25, 0], atol=1e-12)


def test_each_mouse_is_compared_with_the_mean_of_the_others():
    maps = np.array([[1, 2, 3, 4], [3, 2, 1, 4], [1, 2, 3, 4], [4, 3, 2, 1]], float)
    found = map_measures.agreement_of_mice(maps, np.array(["a", "a", "b", "c"]))
    # a: mean (2, 2, 2, 4) with that of b and c, all 2.5; b: (2, 2, 2, 4) + c: (6, 5, 4, 5);
    # c: (2, 2, 2, 4) + (1, 2, 3, 4)
    assert found == {"a": 0, "b": pytest.approx(-0.632455532), "c": -1}


def test_deletion_gain_by_hand():
    auc = np.array([[0.6, 0.5], [0.8, 0.5]])  # mean 0.6
    random = np.array([[[0.9, 0.7], [0.7, 0.5]], [[0.9, 0.7], [0.6, 0.6]]])  # draws: 0.8 and 0.6
    assert map_measures.deletion_gain(auc, random) == (pytest.approx(0.1), 1)
    as_fast = np.stack([auc, auc + 0.01], axis=1)  # an order that is as good counts
    assert map_measures.deletion_gain(auc, as_fast) == (pytest.approx(0.005), 1)


def test_permuted_labels_are_tested_as_r_does():
    real = np.array([[5, 6, 7, 8], [1, 2, 3, 4], [2, 4, 4, 9]], float).T
    null = np.array([[1, 2, 3, 4, 4.5], [1.5, 2.5, 3.5, 4.5, 5], [1, 4, 0, 3, 2]], float).T
    table = as_tabled(map_measures.real_against_permuted(real, null), "map_against_permuted")
    # wilcox.test(…, exact = FALSE) and p.adjust(…, "holm")
    np.testing.assert_array_equal(table["statistic"], [20, 6, 16.5])
    np.testing.assert_allclose(table["p"], [0.0199644533052, 0.391267279283, 0.133277007442])
    holm = [0.0598933599156, 0.3912672792826, 0.2665540148850]
    np.testing.assert_allclose(table["p_holm"], holm)
    assert table["mean_null"].tolist() == pytest.approx([2.9, 3.4, 2])
    assert table["sd_null"][2] == pytest.approx(np.sqrt(2.5)) and set(table["n_null"]) == {5}
    assert map_measures.real_against_permuted(real, null[:1])["sd_null"].isna().all()


def test_five_allocations_cannot_differ_in_any_of_50_rois():
    assert map_measures.smallest_p_holm(5, 5, 50) == pytest.approx(0.609289017767)  # by R
    assert map_measures.smallest_p_holm(20, 20, 50) < 1e-5
    assert map_measures.smallest_p_holm(3, 3, 50) == 1


def test_removals_take_the_highest_first_and_the_unknown_last():
    steps = deletion.removals(np.array([1, np.nan, 3, 2.0]), (0.25, 0.5, 0.75))
    assert steps.astype(int).tolist() == [[0, 0, 1, 0], [0, 0, 1, 1], [1, 0, 1, 1]]


# What was planted


def truth_file(path: Path, centres=((2, 2),), size=8, radius=0.125, signal=0.02) -> Path:
    with h5py.File(path, "w") as file:
        file["roi_xy"] = np.array([(0, 0), *centres], float)
        rois = np.arange(2, len(centres) + 2)
        file.attrs.update(signal_rois=rois, signal_radius=radius, image_size=size)
        file.attrs["run_signal"] = signal
    return path


def test_planted_rois_are_those_of_the_simulation(tmp_path):
    path = truth_file(tmp_path / "t.h5", ((2, 2), (5, 5)))
    assert truth.planted_rois([path], [3, 1, 2]).tolist() == [1, 0, 1]
    nothing = truth_file(tmp_path / "nothing.h5", signal=0)
    assert truth.planted_rois([nothing], [3, 1, 2]).tolist() == [0, 0, 0]
    assert np.isnan(truth.planted_rois([], [3, 1, 2])).all()
    (tmp_path / "bad.h5").write_text("no HDF5")
    with pytest.raises(UserError, match=r"bad\.h5: not a truth of `mesodecode simulate`"):
        truth.planted_rois([tmp_path / "bad.h5"], [1])


def test_masks_that_hide_half_of_a_planted_area_are_planted(tmp_path):
    # radius 1 px around (2, 2) of 8 x 8: the pixel and its four neighbours
    path = truth_file(tmp_path / "t.h5")
    areas = np.zeros((4, 8, 8), bool)
    areas[0, :, :3] = True  # 4 of 5
    areas[1, 3] = True  # 1 of 5
    areas[2, :, 6:] = True  # none
    areas[3, 2] = True  # 3 of 5
    expected = [1, np.nan, 0, 1]
    np.testing.assert_array_equal(truth.planted_masks([path], areas), expected)
    # the same at twice the size: centre (4.5, 4.5), radius 2
    double = areas.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(truth.planted_masks([path], double), expected)
    halves = np.zeros((5, 16, 16), bool)
    halves[0, :, :5] = True  # just half of it: one side of the centre
    halves[1, :, :4] = True
    halves[2, :, 5:] = True  # the other
    halves[3, 5:] = True
    halves[4, :5] = True
    np.testing.assert_array_equal(truth.planted_masks([path], halves), [1, np.nan, 1, 1, 1])
    other = truth_file(tmp_path / "other.h5", ((6, 2),))  # another mouse: only mask 3 hides it
    both = truth.planted_masks([path, other], areas)
    np.testing.assert_array_equal(both, [np.nan, np.nan, np.nan, 1])
    assert np.isnan(truth.planted_masks([], areas)).all()


# A decoder that reads its ROIs with known weights


def recording(mouse: str, **changes) -> Recording:
    rng = np.random.default_rng(sum(map(ord, mouse)))
    rois = rng.standard_normal((N_FRAMES, N_ROIS)).astype(np.float32)
    return dataclasses.replace(
        Recording(
            **{"path": Path(f"{mouse}.h5"), "session": f"{mouse}_s1", "mouse": mouse},
            **{"frame_rate": 30.0, "labels": (rois[:, 3] > 0).astype(np.uint8)},
            **{"speed": None, "segment": None, "pixel_mean": None, "stack_sd": 1.0},
            **{"rois": rois, "shape": (N_FRAMES, 8, 8)},
        ),
        **changes,
    )


def reader(weights: np.ndarray, **changes) -> Trained:
    """A decoder whose logit is weights x signals, as long as these are small."""
    settings = SETTINGS | {"dropped": []} | changes
    model = rnn_decoder(N_ROIS, settings)
    state = {key: torch.zeros_like(value) for key, value in model.state_dict().items()}
    state["rnn.weight_ih_l0"][0] = torch.as_tensor(1e-3 * weights)
    state["head.weight"][0, 0] = 1000
    return Trained("roi_rnn", settings, ("a", "b"), ("c",), state)


ONE = np.eye(N_ROIS)[3]  # reads ROI 4 only
GRADED = 0.7 ** np.arange(N_ROIS)


def check(mouse: str, network: Trained, scores=None, **options) -> check_files.MapCheck:
    """Check on a mouse, with a map of another mouse that gives the order."""
    index = pd.MultiIndex.from_tuples([("x", "m")], names=["allocation", "test_mouse"])
    columns = pd.Index([str(roi) for roi in range(1, N_ROIS + 1)], name="ROI")
    maps = None if scores is None else pd.DataFrame([scores], index, columns)
    return map_check.check_shap(network, [recording(mouse)], [], ANALYSIS, maps=maps, **options)


def test_removing_what_the_map_names_takes_the_signal_and_random_order_does_not():
    found = check("d", reader(ONE), ONE)
    assert (found.auc_intact, found.n_windows) == (1.0, N_FRAMES)
    assert found.share.tolist() == pytest.approx(np.arange(1, 10) / 10)
    # 2 of 20 ROIs are removed first; what is left is constant
    np.testing.assert_array_equal(found.auc, np.full((1, 9), 0.5))
    assert found.auc_random.shape == (20, 9)
    assert set(np.unique(found.auc_random)) == {0.5, 1.0}
    # ROI 4 is removed with probability 0.1, 0.2 … 0.9: half of all steps, and each 20 draws
    assert found.auc_random[:, 0].mean() > 0.8
    assert found.auc_random.mean() == pytest.approx(0.75, abs=0.08)
    wrong = check("d", reader(ONE), -ONE)
    np.testing.assert_array_equal(wrong.auc, np.ones((1, 9)))


@pytest.mark.parametrize(("limit", "sizes"), [(30, (30, 30)), (55, (55, 50)), (99, (60, 50))])
def test_maps_of_checks_are_of_no_more_windows_and_background_than_asked(monkeypatch, limit, sizes):
    class Asked(Exception):
        pass

    def ask(network, recordings, background, options, **_):
        raise Asked(options)

    monkeypatch.setattr(map_check, "shap_map", ask)
    with pytest.raises(Asked) as caught:
        check("d", reader(ONE), limit=limit)
    (options,) = caught.value.args
    assert options == ANALYSIS | dict(zip(("windows", "background"), sizes, strict=True))


def test_the_seed_of_an_analysis_draws_the_noise_of_its_checks(monkeypatch):
    def drawn(seed):
        numbers = []

        def stand_in(*_, noise=None, **__):
            numbers.append(noise and noise.random())
            return SimpleNamespace(mean_abs=np.ones((1, N_ROIS)), frame=np.zeros(1))

        monkeypatch.setattr(map_check, "shap_map", stand_in)
        analysis = ANALYSIS | {"seed": seed}
        map_check.check_shap(reader(ONE), [recording("d")], [], analysis, noise_draws=2)
        return numbers

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert first == again and first[:2] == other[:2] == [None, None]  # of no weights; the map
    assert len({*first[2:], *other[2:]}) == 4


def test_what_masks_say_is_of_other_mice_in_the_order_of_the_masks():
    masks = cutout_masks.corners(5, 7, size=2)
    index = [("x", "d"), ("y", "e"), ("z", "f")]
    index = pd.MultiIndex.from_tuples(index, names=["allocation", "test_mouse"])
    run = pd.DataFrame([[9, 9, 9], [1, 2, 3], [3, 4, 5]], index, list(masks.names))
    signed = {"in_run": run.iloc[:, ::-1], "in_rest": -2 * run}
    rng = np.random.default_rng(0)
    ((own, *drawn),) = map_check.said_by_masks(signed, ("d",), masks, RUN, 2, rng)
    assert own.tolist() == [[-4, -6, -8], [2, 3, 4]] and len(drawn) == 2  # in rest, in run
    assert map_check.said_by_masks(signed, ("d", "e", "f"), masks, RUN, 2, rng) == []


def test_a_removed_roi_has_its_mean_and_not_zero():
    """ROI 5 lies at 50 and carries nothing; at 0 it would silence the decoder."""
    network = reader(ONE, normalise="none")
    network.state["rnn.weight_ih_l0"][0] = torch.as_tensor(np.eye(N_ROIS)[3] + np.eye(N_ROIS)[4])
    network.state["rnn.bias_ih_l0"][0] = -50
    network.state["head.weight"][0, 0] = 1
    one = recording("d")
    one.rois[:, 4] = 50 + 0.01 * one.rois[:, 4]
    index = pd.MultiIndex.from_tuples([("x", "m")], names=["allocation", "test_mouse"])
    columns = pd.Index([str(roi) for roi in range(1, N_ROIS + 1)], name="ROI")
    maps = pd.DataFrame([np.eye(N_ROIS)[4] - ONE], index, columns)  # ROI 5 first, ROI 4 last
    found = map_check.check_shap(network, [one], [], ANALYSIS, maps=maps)
    assert found.auc.min() > 0.99


def test_order_comes_from_other_mice_only():
    index = [("x", "d"), ("y", "e"), ("z", "f"), ("w", "e+d")]
    index = pd.MultiIndex.from_tuples(index, names=["allocation", "test_mouse"])
    columns = pd.Index([str(roi) for roi in range(1, N_ROIS + 1)], name="ROI")
    maps = pd.DataFrame([100 * ONE, -ONE, -ONE, 100 * ONE], index, columns)
    arguments = (reader(ONE), [recording("d")], [], ANALYSIS)
    found = map_check.check_shap(*arguments, maps=maps)  # its own map would remove ROI 4 at once
    np.testing.assert_array_equal(found.auc, np.ones((1, 9)))
    only_own = map_check.check_shap(*arguments, maps=maps.iloc[[0, 3]])
    assert only_own.auc.shape == only_own.auc_random.shape == (0, 9)
    with pytest.raises(UserError, match=r"maps: nothing of ROI 20; give maps of the decoder"):
        map_check.check_shap(*arguments, maps=maps.drop(columns="20"))


def test_rois_that_the_decoder_does_not_read_are_no_units():
    found = check("d", reader(ONE, rois=[2, 4, 6]), ONE)
    assert found.unit == ("2", "4", "6")
    assert found.randomised.shape == (3,) and (found.randomised > 0).all()
    dropped = check("d", reader(ONE, drop=True, dropped=[4]), ONE)
    assert len(dropped.unit) == N_ROIS - 1 and "4" not in dropped.unit
    assert dropped.auc_intact == 0.5


def test_checks_are_the_same_twice_and_read_as_written(tmp_path):
    found = check("d", reader(GRADED), GRADED, limit=50)
    assert found.n_windows == 50
    again = check("d", reader(GRADED), GRADED, limit=50)
    other = check("e", reader(GRADED), GRADED, limit=50)
    found.write(tmp_path / "c.h5")
    read = check_files.read(tmp_path / "c.h5")
    for key, value in dataclasses.asdict(found).items():
        assert np.array_equal(getattr(again, key), value, equal_nan=key.startswith("planted")), key
        assert np.array_equal(getattr(read, key), value, equal_nan=key.startswith("planted")), key
    assert not np.array_equal(found.randomised, other.randomised)
    (tmp_path / "bad.h5").write_text("no HDF5")
    with pytest.raises(UserError, match=r"bad\.h5: not a file of `mesodecode shap-check`"):
        check_files.read(tmp_path / "bad.h5")


# Verdicts


def scores_of(maps, mice=MICE, decoder="real") -> pd.DataFrame:
    index = [(f"train-a+b.valid-c.test-{mouse}", mouse) for mouse in mice]
    index = pd.MultiIndex.from_tuples(index, names=["allocation", "test_mouse"])
    columns = pd.Index([str(roi) for roi in range(1, N_ROIS + 1)], name="ROI")
    return pd.DataFrame(np.asarray(maps, float), index, columns)


def judged(scores, made, **others) -> pd.DataFrame:
    return map_verdicts.table(map_verdicts.gather(scores, made, **others)).set_index("check")


@pytest.fixture(scope="module")
def graded():
    """Maps of a decoder with graded weights in six mice, and their checks."""
    network = reader(GRADED)
    maps = [
        shap_maps.shap_map(network, [recording(m)], [], ANALYSIS, decoder="x").mean_abs.sum(axis=0)
        for m in MICE
    ]
    return maps, [check(mouse, network, GRADED) for mouse in MICE]


def test_a_map_of_the_weights_passes(graded):
    maps, made = graded
    table = judged(scores_of(maps), made)
    assert table.loc["random weights", "verdict"] == "pass"
    assert abs(table.loc["random weights", "value"]) < 0.3  # SD of one is 0.23, of six 0.09
    assert table.loc["allocations", "verdict"] == "pass"
    assert table.loc["allocations", "value"] > 0.9  # 0.7 ** n, and |x| of 60 windows
    not_made = table[table["verdict"] == "not made"]
    unsigned = ["deletion one by one", "deletion by sign"]
    assert set(not_made.index) == {
        "planted truth",
        "permuted labels",
        "seeds",
        "noise",
        unsigned[1],
    }
    assert table.loc[unsigned[0], "verdict"] == "pass"
    assert not_made["sentence"].str.startswith("Not made: ").all() and set(table["n"]) == {6}


def test_a_map_of_the_input_alone_is_flagged(graded):
    """Gain x |signal|, whatever the weights: made of real and of random weights it is the same."""
    rng = np.random.default_rng(0)
    gain = np.arange(1, N_ROIS + 1)

    def input_map(weights):
        return gain * np.abs(recording("d").rois).mean(axis=0)

    maps = [input_map(rng.standard_normal(N_ROIS)) for _ in MICE]
    made = [
        dataclasses.replace(one, randomised=input_map(rng.standard_normal(N_ROIS)))
        for one in graded[1]
    ]
    table = judged(scores_of(maps), made, null=scores_of(maps))
    for name in ("random weights", "permuted labels"):
        assert (table.loc[name, "verdict"], table.loc[name, "value"]) == ("flag", 1)
    words = table.loc["random weights", "sentence"]
    assert "shows the input" in words and "1.00 of its size" in words
    assert "does not depend on the behaviour" in table.loc["permuted labels", "sentence"]


def areas_judged(maps, random, null, checks) -> pd.DataFrame:
    """Return how maps (A, U) of areas by SHAP stand to those of what knows nothing."""
    pairs = zip(checks, random, strict=True)
    made = [dataclasses.replace(one, randomised=other) for one, other in pairs]
    table = judged(scores_of(maps).rename_axis(columns="area"), made, null=scores_of(null))
    return table.loc[["random weights", "permuted labels"]]


def test_a_map_of_areas_is_held_against_how_far_unknowing_maps_are_from_each_other(graded):
    """All are dark outside the brain: ranks of the right map go with those of random weights."""
    rng = np.random.default_rng(3)
    brain = np.linspace(0.2, 1, N_ROIS)
    learned = brain / 4 + (np.arange(N_ROIS) > 15)

    def unknowing(spread):
        return brain * np.exp(spread * rng.standard_normal((len(MICE), N_ROIS)))

    random, null = unknowing(0.1), unknowing(0.1)
    right = np.array([learned] * len(MICE))
    table = areas_judged(right, random, null, graded[1])
    assert (table["verdict"] == "pass").all()
    shares = [one / one.sum() for one in (learned, *random)]
    moved = np.mean([np.abs(shares[0] - other).sum() / 2 for other in shares[1:]])
    pairs = [np.abs(a - b).sum() / 2 for a, b in itertools.combinations(shares[1:], 2)]
    assert table["value"].iloc[0] == pytest.approx(moved)
    assert table["limit"].iloc[0] == pytest.approx(2 * np.mean(pairs))
    assert "a rank correlation of 0.9" in as_read(table["sentence"].iloc[0])
    # weights drawn once more, and the brightness of the brain
    for wrong in (unknowing(0.1), np.array([brain] * len(MICE))):
        table = areas_judged(wrong, random, null, graded[1])
        assert (table["verdict"] == "flag").all()
        assert "shows the input" in as_read(table["sentence"].iloc[0])


def test_areas_of_one_allocation_cannot_be_held_against_unknowing_maps(graded):
    table = scores_of(graded[0][:1], "d").rename_axis(columns="area")
    found = judged(table, graded[1][:1], null=scores_of([np.ones(N_ROIS)], "d"))
    for name in ("random weights", "permuted labels"):
        assert found.loc[name, "verdict"] == "not made"
        assert "with one allocation" in found.loc[name, "sentence"]


def test_deletion_passes_where_the_map_names_what_is_used_and_else_is_flagged(graded):
    right = [check(mouse, reader(ONE), ONE) for mouse in MICE]
    wrong = [check(mouse, reader(ONE), -ONE) for mouse in MICE]
    good, bad = (judged(scores_of(graded[0]), made).loc["deletion"] for made in (right, wrong))
    assert good["verdict"] == "pass" and good["value"] == pytest.approx(0.25, abs=0.04)
    assert "in none of 20 random orders as fast" in as_read(good["sentence"])
    assert bad["verdict"] == "flag" and bad["value"] < 0
    assert "in 20 of 20 random orders as fast" in as_read(bad["sentence"])
    none = judged(scores_of(graded[0]), [check(mouse, reader(ONE)) for mouse in MICE])
    assert none.loc["deletion", "verdict"] == "not made"


def test_planted_truth_passes_only_if_all_planted_are_on_top(graded):
    maps, made = graded
    planted = np.zeros(N_ROIS)
    planted[[0, 1]] = 1
    made = [dataclasses.replace(one, planted=planted) for one in made]
    table = judged(scores_of(maps), made)
    assert tuple(table.loc["planted truth", ["verdict", "value"]]) == ("pass", 1)
    words = "All 2 planted ROIs are above 18 others (average precision 1.00, by chance 0.10"
    assert table.loc["planted truth", "sentence"].startswith(words)
    planted[[1, 9]] = 0, 1  # the tenth of twenty: (1 + 2 / 10) / 2
    row = judged(scores_of(maps), made).loc["planted truth"]
    assert (row["verdict"], row["value"]) == ("flag", pytest.approx(0.6))
    assert "1 of 2 planted ROIs are among the 2 highest of 20" in as_read(row["sentence"])
    nothing = [dataclasses.replace(one, planted=np.zeros(N_ROIS)) for one in made]
    assert judged(scores_of(maps), nothing).loc["planted truth", "verdict"] == "not made"


def test_unstable_maps_are_flagged_over_allocations_and_seeds(graded):
    rng = np.random.default_rng(1)
    maps, made = graded
    noise = scores_of(rng.random((len(MICE), N_ROIS)))
    table = judged(noise, made, seeds=[scores_of(maps)])
    assert table.loc["allocations", "verdict"] == table.loc["seeds", "verdict"] == "flag"
    table = judged(scores_of(maps), made, seeds=[scores_of(maps), scores_of(maps)])
    assert tuple(table.loc["seeds", ["verdict", "value"]]) == ("pass", 1)
    assert "Trained with 2 other seeds" in table.loc["seeds", "sentence"]
    one_mouse = [dataclasses.replace(made[0], allocation=name) for name in ("p", "q")]
    scores = scores_of(maps[:2], "dd").rename(index=dict(enumerate("pq")))
    scores.index = pd.MultiIndex.from_tuples([("p", "d"), ("q", "d")], names=scores.index.names)
    assert judged(scores, one_mouse).loc["allocations", "verdict"] == "not made"


def test_ranks_of_few_units_are_not_judged(graded):
    maps, made = graded
    few = [
        dataclasses.replace(
            one,
            unit=("1", "2", "3"),
            randomised=one.randomised[:3],
            planted=one.planted[:3],
            planted_times=one.planted_times[:, :3],
            planted_signs=one.planted_signs[:3],
        )
        for one in made
    ]
    table = judged(scores_of(maps), few)
    words = "Not made: the ranks of 3 ROIs say too little."
    assert table.loc["random weights", "sentence"] == words
    assert table.loc["deletion", "verdict"] == "pass"


def test_what_is_missing_is_named(graded):
    maps, made = graded
    with pytest.raises(UserError, match=r"checks: nothing of train-a\+b\.valid-c\.test-i; give"):
        map_verdicts.gather(scores_of(maps), made[:-1])
    with pytest.raises(UserError, match=r"maps: nothing of train-a\+b\.valid-c\.test-i"):
        map_verdicts.gather(scores_of(maps), made, scores_of(maps[:-1], MICE[:-1]))
    with pytest.raises(UserError, match="maps: nothing of 20"):
        map_verdicts.gather(scores_of(maps), made, scores_of(maps).drop(columns="20"))
    timed = [map_of(np.ones((3, N_ROIS)), one.allocation) for one in made[:-1]]
    with pytest.raises(UserError, match=r"maps: nothing of train-a\+b\.valid-c\.test-i"):
        map_verdicts.gather(scores_of(maps), made, timed=timed)


def slow_and_fast(mouse: str) -> Recording:
    """ROI 4 is slow, all others are white."""
    one = recording(mouse)
    one.rois[:, 3] = np.sin(np.arange(N_FRAMES) / 40 + ord(mouse))
    return dataclasses.replace(one, labels=(one.rois[:, 3] > 0).astype(np.uint8))


def test_a_map_of_what_is_slow_stays_with_noise_and_one_of_noise_does_not():
    def noise_row(weights):
        made = [
            map_check.check_shap(
                reader(weights), [slow_and_fast(mouse)], [], ANALYSIS, noise_draws=2, limit=200
            )
            for mouse in MICE
        ]
        assert made[0].noisy.shape == (3, N_ROIS)
        return judged(scores_of([one.noisy[0] for one in made]), made).loc["noise"]

    slow, fast = noise_row(ONE), noise_row(np.eye(N_ROIS)[7])
    assert slow["verdict"] == "pass" and slow["value"] < 0.02
    # as much noise again: √2 of the SD
    assert fast["verdict"] == "flag" and fast["value"] == pytest.approx(0.41, abs=0.06)
    assert "fast or chance" in as_read(fast["sentence"]) and "2 draws" in as_read(fast["sentence"])


def test_noise_is_as_large_as_the_steps_within_segments():
    rng = np.random.default_rng(2)
    signals = np.zeros((4000, 3))
    signals[:, 1] = rng.normal(0, 3, 4000)
    signals[2000:, 2] = 1e6  # a jump between segments, and nothing else
    for numbers in ([4, 7], [7, 4]):  # whatever they are
        segment = np.repeat(numbers, 2000)
        added = recording_noise.with_noise(signals, segment, rng) - signals
        assert not added[:, [0, 2]].any()
    assert added[:, 1].std() == pytest.approx(3, rel=0.05)
    assert abs(np.corrcoef(added[1:, 1], added[:-1, 1])[0, 1]) < 0.05
    assert recording_noise.with_noise(signals, None, rng)[:, 2].std() > 1e4
    single = recording_noise.with_noise(signals.astype(np.float32), None, rng)
    assert single.dtype == np.float32  # as the decoder reads them


def test_allocations_have_noise_and_orders_of_their_own():
    """As each would else draw the same, which does not even out over them."""
    first, again, other, later = (
        map_check.noise_seeds(seed, name, 3)
        for seed, name in ((1, "train-a"), (1, "train-a"), (1, "train-b"), (2, "train-a"))
    )
    assert first == again and first[0] is None and len(first) == 4
    assert len({*first[1:], *other[1:], *later[1:]}) == 9
    assert map_check.noise_seeds(1, "train-a", 0) == []


def test_the_noise_of_a_pixel_is_the_root_of_half_its_mean_square_step():
    batches = torch.zeros(4, 3, 1, 2)
    batches[:, 0, 0, 0] = torch.tensor([5.0, 5, 5, 5])
    batches[:, 1, 0, 0] = torch.tensor([8.0, 4, 6, 5])  # steps 3, -1, 1, 0
    batches[:, 2] = 99  # of no matter
    images = SimpleNamespace(batches=lambda parts: (batches[part] for part in parts))
    found = recording_noise.pixel_sd(images, torch.arange(4), 3)
    assert found[0].tolist() == pytest.approx([np.sqrt(11 / 8), 0])


def test_a_map_that_singles_nothing_out_is_flagged(graded):
    maps, made = graded
    right = judged(scores_of(maps), made).loc["sparseness"]
    assert right["verdict"] == "pass" and right["value"] > 0.6 > right["limit"]
    flat = np.ones((len(MICE), N_ROIS)) + 0.01 * np.arange(N_ROIS)
    wrong = judged(scores_of(flat), made).loc["sparseness"]
    assert wrong["verdict"] == "flag" and wrong["value"] < 0.1
    assert "singles out no ROIs" in as_read(wrong["sentence"])


def test_what_is_planted_at_one_time_is_no_time_to_find(graded):
    maps, made = graded
    times = np.zeros((4, N_ROIS))
    times[:, :2] = np.array([[0, np.nan, 1, np.nan]]).T
    alike = [dataclasses.replace(one, planted_times=times) for one in made]
    assert map_verdicts.gather(scores_of(maps), alike).true_times is None
    times[:, 1] = 1, np.nan, 0, 0
    np.testing.assert_array_equal(map_verdicts.gather(scores_of(maps), alike).true_times, times)


def test_the_mouse_that_has_another_map_is_named(graded):
    maps, made = graded
    right = judged(scores_of(maps), made).loc["mice"]
    assert right["verdict"] == "pass" and right["value"] > 0.9
    odd = [*maps[:2], maps[2][::-1], *maps[3:]]
    table = judged(scores_of(odd), made)
    assert table.loc["allocations", "verdict"] == "pass"  # two pairs of three still agree
    row = table.loc["mice"]
    assert row["verdict"] == "flag" and row["value"] < 0
    assert "1 of 6 mice is unlike that of the others (f)" in as_read(row["sentence"])
    several = scores_of(maps, [f"{mouse}+x" for mouse in MICE])
    several.index = several.index.set_levels([one.allocation for one in made], level=0)
    assert "several mice together" in judged(several, made).loc["mice", "sentence"]


# Files


def test_maps_of_both_kinds_become_one_table(tmp_path):
    network = reader(GRADED)
    paths = []
    for mouse in "de":
        one = shap_maps.shap_map(network, [recording(mouse)], [], ANALYSIS, decoder="x")
        paths.append(tmp_path / f"{mouse}.h5")
        one.write(paths[-1])
    scores = maps_of.read(paths)
    assert scores.columns.name == "ROI" and scores.columns[-1] == str(N_ROIS)
    assert scores.index.tolist() == [(f"train-a+b.valid-c.test-{m}", m) for m in "de"]
    np.testing.assert_allclose(scores.loc[(one.allocation, "e")], one.mean_abs.sum(axis=0))
    listed = tmp_path / "maps.txt"
    listed.write_text("".join(f"{path}\n" for path in paths))
    pd.testing.assert_frame_equal(maps_of.read([listed]), scores)
    _, whole = maps_of.read_whole([listed])
    assert [one.allocation for one in whole] == scores.index.get_level_values(0).tolist()
    listed.write_text("\n")
    with pytest.raises(UserError, match=r"maps\.txt: lists no maps"):
        maps_of.read([listed])

    fewer = dataclasses.replace(one, roi=one.roi[:-1], mean_abs=one.mean_abs[:, :-1])
    fewer.write(paths[-1])
    with pytest.raises(UserError, match=f"ROI {N_ROIS} has no score in some allocation"):
        maps_of.read(paths)

    rows = [("s1", "one", 0.1), ("s2", "one", 0.3), ("s1", "two", -0.2), ("s2", "two", 0.0)]
    for block, part in enumerate((rows[:2], rows[2:])):
        table = pd.DataFrame(part, columns=["session", "mask", "score"])
        about = dict.fromkeys(cutout_tables.COLUMNS, 0) | {"allocation": "A", "test_mouse": "07"}
        table = table.assign(**{k: v for k, v in about.items() if k not in table})
        table.to_csv(tmp_path / f"block{block}.tsv", sep="\t", index=False)
    scores = maps_of.read(sorted(tmp_path.glob("*.tsv")))
    assert scores.columns.tolist() == ["one", "two"] and scores.columns.name == "mask"
    np.testing.assert_allclose(scores.loc[("A", "07")], [0.2, -0.1])
    with pytest.raises(UserError, match=r"block0\.tsv and others are of different kinds"):
        maps_of.read([*paths, *sorted(tmp_path.glob("*.tsv"))])
    pd.read_csv(tmp_path / "block1.tsv", sep="\t").assign(allocation="B").to_csv(
        tmp_path / "block1.tsv", sep="\t", index=False
    )
    with pytest.raises(UserError, match="no score of mask"):
        maps_of.read(sorted(tmp_path.glob("*.tsv")))


def test_the_verb_writes_verdicts_and_figure(tmp_path, graded):
    network = reader(GRADED)
    words = []
    for decoder in ("own", "null"):
        for mouse in MICE:
            one = shap_maps.shap_map(network, [recording(mouse)], [], ANALYSIS, decoder=decoder)
            one.write(tmp_path / f"{decoder}-{mouse}.h5")
        words.append([str(path) for path in sorted(tmp_path.glob(f"{decoder}-*.h5"))])
    planted = np.eye(N_ROIS)[0]
    for one in graded[1]:
        dataclasses.replace(one, planted=planted).write(tmp_path / f"{one.test_mouse}.check.h5")
    made = [tmp_path / "checks.txt"]
    made[0].write_text("".join(f"{path}\n" for path in tmp_path.glob("*.check.h5")))
    own, null = words
    line = ["map-checks", "--maps", *own, "--checks", str(*made), "--null-maps", *null]
    line += ["--seed-maps", *null, "--seed-maps", *own, "--name", "fig6"]
    assert cli.main([*line, "--out", f"{tmp_path}/t.tsv", "--figure", f"{tmp_path}/f"]) == 0
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t").set_index("check")
    verdicts = table["verdict"].to_dict()
    assert verdicts.pop("permuted labels") == "flag"
    # checks were made without signed maps, and without noise
    assert {verdicts.pop("deletion by sign"), verdicts.pop("noise")} == {"not made"}
    assert set(verdicts.values()) == {"pass"} and len(table) == 11
    svg = (tmp_path / "f.svg").read_text()
    for words in ("fig6: checks of the map", "Is the map right?", "n = 6", "of 1 planted ROIs"):
        assert words in svg
    assert (tmp_path / "f.png").stat().st_size > 10_000


def test_the_figure_has_no_panel_for_what_was_not_made(graded):
    maps, made = graded
    evidence = map_verdicts.gather(scores_of(maps), made)
    np.testing.assert_allclose(evidence.mean, np.sum(maps, axis=0) / len(maps))  # what is shown
    whole = as_drawn(checks_figure.draw(evidence), "map_checks")
    assert len(whole.axes) == 3  # no truth, no signs
    nothing = dict.fromkeys(("auc", "auc_random", "moved", "moved_random"), made[0].auc[:0])
    bare = [dataclasses.replace(one, **nothing) for one in made]
    evidence = map_verdicts.gather(scores_of(maps), bare)
    assert len(checks_figure.draw(evidence).axes) == 1
    assert "removed" not in as_read(checks_figure.caption(evidence))


def test_what_some_allocations_lack_is_drawn_of_none_and_maps_keep_their_roles(graded):
    maps, made = graded
    nothing = {"auc": made[0].auc[:0], "auc_random": made[0].auc_random[:0]}
    some = [dataclasses.replace(made[0], **nothing), *made[1:]]
    others = [scores_of(np.asarray(maps) + add) for add in (1, 2, 3)]
    turned = [one.iloc[::-1, ::-1] for one in others]  # files come in whatever order
    evidence = map_verdicts.gather(scores_of(maps), some[::-1], turned[0], turned[1:])
    n = len(made)
    assert evidence.auc.shape == (n, 0) and evidence.share.shape == (0,)
    assert (evidence.auc_random.shape[0], evidence.auc_random.shape[-1]) == (n, 0)
    assert evidence.moved.shape[1] > 0  # of what all have
    np.testing.assert_allclose(evidence.real, maps)
    np.testing.assert_allclose(evidence.null, np.asarray(maps) + 1)
    assert len(evidence.seeds) == 2
    for seed, add in zip(evidence.seeds, (2, 3), strict=True):
        np.testing.assert_allclose(seed, np.asarray(maps) + add)


# Cut-out


class OnePixel(nn.Module):
    """A decoder whose logit is one pixel of the frame; another one when drawn anew."""

    def __init__(self, y, x):
        super().__init__()
        self.y, self.x = y, x

    def reset_parameters(self):
        self.y = self.x = 15

    def forward(self, images):
        return images[:, 1, self.y, self.x]


def movie(path: Path, labels: np.ndarray, at: int = 2) -> Recording:
    rng = np.random.default_rng(0)
    frames = rng.normal(2000, 60, (len(labels), 16, 16))
    frames[:, at, at] += 300.0 * labels
    frames = frames.astype(np.uint16)
    with h5py.File(path, "w") as file:
        file["frames"] = frames
    return recording(
        "d",
        **{"path": path, "session": path.stem, "labels": labels, "shape": frames.shape},
        **{"pixel_mean": frames.mean(axis=0, dtype=np.float32), "stack_sd": float(frames.std())},
        rois=None,
    )


def test_cutout_is_checked_on_the_pixels_that_its_map_names(tmp_path):
    labels = (np.arange(300) // 10 % 2).astype(np.uint8)
    masks = cutout_masks.squares(16, 16, size=4, stride=4)
    index = pd.MultiIndex.from_tuples([("x", "m")], names=["allocation", "test_mouse"])
    first = np.eye(len(masks))[0]  # the square that holds the pixel
    maps = pd.DataFrame([first], index, pd.Index(masks.names, name="mask"))
    sessions = [movie(tmp_path / "s1.h5", labels), movie(tmp_path / "s2.h5", labels)]
    rest = movie(tmp_path / "rest.h5", np.zeros(300, np.uint8))
    settings = {"fill": "zero", "blur_sigma": 0.1, "frame_step": 1, "run_length": 300}
    about = {"allocation": Allocation(("a",), ("b",), ("d",)), "maps": maps}
    arguments = (OnePixel(2, 2), [*sessions, rest], [masks] * 3, settings)
    found = map_check.check_cutout(*arguments, **about)
    assert found.unit == masks.names and found.share.tolist() == [0.1, 0.3, 0.5, 0.7, 0.9]
    assert found.auc_intact > 0.95 and found.test_mouse == "d"
    # 10 % are 26 of 256 pixels: the 16 of that square first
    np.testing.assert_array_equal(found.auc, np.full((1, 5), 0.5))
    assert found.auc_random.shape == (5, 5) and found.auc_random[:, 0].mean() > 0.7
    assert np.flatnonzero(found.randomised).tolist() == [len(masks) - 1]  # pixel (15, 15)
    # of about 500 / 3 frames a session every 2nd run of 60: 1 … 60, 121 … 180, 241 … 298
    assert found.n_windows == 2 * (60 + 60 + 58)
    few = settings | {"frame_step": 10, "run_length": 1}  # as the map, if that is less
    assert map_check.check_cutout(*arguments[:3], few, **about).n_windows == 2 * 30
    noisy = map_check.check_cutout(*arguments, **about, noise_draws=2).noisy
    assert noisy.shape == (3, len(masks)) and (noisy[:, 1:] == 0).all()
    assert noisy[0, 0] == found.auc_intact - 0.5 and (noisy[1:, 0] > 0.1).all()
    assert (noisy[1:, 0] < noisy[0, 0]).all() and noisy[1, 0] != noisy[2, 0]
    # the mean over sessions, of weights drawn alike, of a third one that pixel (15, 15) tells
    third = movie(tmp_path / "s3.h5", labels, at=15)
    three = map_check.check_cutout(
        OnePixel(2, 2), [*sessions, third], arguments[2], few, **about, noise_draws=1
    )
    each = [
        map_check.check_cutout(OnePixel(2, 2), [s], [masks], few, **about, noise_draws=1)
        for s in (*sessions, third)
    ]
    for name in ("randomised", "noisy"):
        np.testing.assert_allclose(
            getattr(three, name), np.mean([getattr(one, name) for one in each], axis=0)
        )
    # one run of frames that the step leaves out: every frame then, or there would be no AUC
    alternate = settings | {"frame_step": 2, "run_length": 1}  # frames 1, 3, … of 1 … 298
    arms = {"seen": [3], "left out": [4], "never decoded": [0, 299]}
    for name, at in arms.items():
        state = np.isin(np.arange(300), at).astype(np.uint8)
        arms[name] = dataclasses.replace(rest, labels=state)
    used = map_check.frames_of_check([*arms.values(), rest], 0, alternate, 999, RUN)
    assert used == {
        0: {"frame_step": 2, "run_length": 1},
        1: {"frame_step": 1, "run_length": 1},
    }
    with pytest.raises(UserError, match=r"rest\.h5: no session has both run and rest"):
        map_check.check_cutout(OnePixel(2, 2), [rest], [masks], settings, **about)
    without = about | {"maps": None}
    found = map_check.check_cutout(OnePixel(2, 2), sessions[:1], [masks], settings, **without)
    assert found.auc.shape == found.auc_random.shape == (0, 5) and found.auc_intact > 0.95
    # masks of another session lie elsewhere: what is planted is said of those of the first
    others = dataclasses.replace(masks, areas=masks.areas[::-1].copy())
    planted = {"truth": [truth_file(tmp_path / "t.h5")]}  # around pixel (4, 4) of 16 x 16
    found = map_check.check_cutout(
        OnePixel(2, 2), sessions, [masks, others], settings, **without, **planted
    )
    np.testing.assert_array_equal(
        found.planted, truth.planted_masks(*planted.values(), masks.areas)
    )
    assert not np.array_equal(found.planted, found.planted[::-1], equal_nan=True)


def test_all_weights_are_drawn_anew_by_seed_and_the_network_stays():
    torch.manual_seed(5)
    network = (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), reader(GRADED).build())
    network[0][1].running_mean.fill_(7)
    before = [value.clone() for part in network for value in part.state_dict().values()]
    state = torch.get_rng_state()
    first, again, other = (map_check.randomised(network, seed) for seed in (1, 1, 2))
    assert torch.equal(state, torch.get_rng_state())
    values = [[*(v for p in n for v in p.state_dict().values())] for n in (network, first, again)]
    assert all(map(torch.equal, values[0], before)) and all(map(torch.equal, *values[1:]))
    assert not torch.equal(first[0][0].weight, network[0][0].weight)
    assert not torch.equal(first[1].rnn.weight_ih_l0, network[1].rnn.weight_ih_l0)
    assert not torch.equal(first[0][0].weight, other[0][0].weight)
    assert (first[0][1].running_mean == 0).all()

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.Parameter(torch.arange(20.0).view(4, 5))

    shuffled = map_check.randomised(Plain(), 1).weights
    assert not torch.equal(shuffled, Plain().weights)
    assert torch.equal(shuffled.flatten().sort().values, torch.arange(20.0))


@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "test_resnet"])
def test_random_weights_know_the_images_else_their_map_is_that_of_rounding(tmp_path, backbone):
    """With the statistics of no images, EfficientNets of new weights give all frames one logit."""
    recording = read_recording(write_recording(tmp_path / "r.h5", "m", n_frames=60))
    torch.manual_seed(0)
    decoder = CNNDecoder(backbone)
    images = Images([recording])
    drawn = map_check.randomised(decoder, 5).eval()
    told = map_check.untaught((decoder, reader(GRADED).build()), 5, [recording], "cpu")[0].eval()
    for (name, weight), same in zip(drawn.named_parameters(), told.parameters(), strict=True):
        assert torch.equal(weight, same), name
    spread = [images.logits(one, images.centres).std().item() for one in (drawn, told)]
    assert spread[1] > 0.01 and (backbone == "test_resnet" or spread[0] < 1e-6)
    few = sample(recording, 20, 1)  # as of a movie in memory
    map_check.untaught(decoder, 5, [few], "cpu")
    layers = [layer for layer in told.modules() if isinstance(layer, nn.BatchNorm2d)]
    (stem,) = (m for m in told.modules() if isinstance(m, nn.Conv2d) and m.in_channels == 3)
    with torch.no_grad():
        maps = stem(images.batch(images.centres))
    torch.testing.assert_close(layers[0].running_mean, maps.mean((0, 2, 3)), rtol=0.01, atol=1e-3)
