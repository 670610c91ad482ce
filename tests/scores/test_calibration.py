"""Recalibration and prediction sets: by hand, against brute force, and what each promises."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from drawn import as_drawn
from mesodecode.base.roc_auc import roc_auc
from mesodecode.base.tables import read_table
from mesodecode.cli import main
from mesodecode.decoders import predictions, validation
from mesodecode.decoders.predictions import Predictions, SessionPredictions
from mesodecode.scores import calibration, calibration_figure
from tabled import as_tabled
from texts import as_read, as_written


def mouse(name, heat=1.0, n=4000, seed=0, separation=2.0):
    """A session of a decoder whose logits are `heat` times too large."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, separation, n)
    label = (rng.random(n) < expit(z)).astype(np.uint8)
    return SessionPredictions(name, np.arange(n), label, expit(heat * z))


@pytest.mark.parametrize("heat", [0.5, 1.0, 3.0])
def test_temperature_finds_how_much_too_sure_a_decoder_is(heat):
    made = mouse("m", heat)
    found = calibration.temperature(made.label, made.probability)
    assert found == pytest.approx(heat, rel=0.06)
    # no temperature of a fine grid has a lower cross-entropy
    sign, z = 2.0 * made.label - 1, np.log(made.probability / (1 - made.probability))
    losses = [np.log1p(np.exp(-sign * z / t)).mean() for t in heat * np.geomspace(0.8, 1.25, 200)]
    assert np.log1p(np.exp(-sign * z / found)).mean() <= min(losses) + 1e-9


def test_temperature_moves_no_frame_past_another_nor_past_half():
    made = mouse("m", 3.0)
    cooler = calibration.scaled(made.probability, 3.0)
    assert roc_auc(made.label, cooler) == roc_auc(made.label, made.probability)
    assert np.array_equal(cooler >= 0.5, made.probability >= 0.5)
    assert calibration.scaled([0.9], 2.0) == pytest.approx([0.75])  # logit ln 9, half of it ln 3


def test_one_state_has_no_temperature():
    for state in (0, 1):
        assert math.isnan(calibration.temperature(np.full(4, state), np.full(4, 0.7)))


def test_isotonic_by_hand():
    # .1 rest, .2 run, .3 rest: the last two pool to 1/2; .8 run
    fitted = calibration.isotonic([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.8])
    assert fitted([0.0, 0.1, 0.2, 0.3, 0.55, 0.8, 1.0]) == pytest.approx(
        [0, 0, 0.5, 0.5, 0.75, 1, 1]  # linear between steps
    )


def test_cut_by_hand():
    # probabilities of the own state: .9, .6, .8, .3; the floor(5 · .4) = 2nd smallest is .6
    label, probability = [1, 1, 0, 0], [0.9, 0.6, 0.2, 0.7]
    assert calibration.cut(label, probability, 0.6) == pytest.approx(0.6)
    # floor(5 · .1) = 0: four frames cannot promise 90 %, so every state is in every set
    assert calibration.cut(label, probability, 0.9) == 0
    sets = calibration.prediction_sets(np.array([0.7, 0.5, 0.1]), 0.6)
    assert sets.tolist() == [[False, True], [False, False], [True, False]]


@given(st.integers(0, 2**32), st.integers(8, 60), st.sampled_from(calibration.LEVELS))
def test_a_frame_drawn_like_those_of_validation_is_covered_as_often_as_promised(seed, n, level):
    # Exact for exchangeable frames: leave each of n + 1 out in turn and count those covered.
    rng = np.random.default_rng(seed)
    label, probability = rng.integers(0, 2, n + 1), rng.random(n + 1)
    covered = []
    for out in range(n + 1):
        rest = np.arange(n + 1) != out
        limit = calibration.cut(label[rest], probability[rest], level)
        covered.append(
            calibration.prediction_sets(probability[out : out + 1], limit)[0, label[out]]
        )
    assert np.mean(covered) >= level - 1e-9


def item(session, decoder="d"):
    about = "train-a.valid-v.test-t", "a", "v", "t"
    return Predictions(decoder, *about, {"t_s": session})


def test_what_is_wrong_alike_in_both_mice_is_mended_and_what_is_not_is_not():
    valid = {"v_s": mouse("v", 4.0, seed=1)}
    alike, other = mouse("t", 4.0, seed=2), mouse("t", 0.5, seed=2)
    for tested, mended in ((alike, True), (other, False)):
        rows, sets = calibration.assess(item(tested), valid)
        table = pd.DataFrame(rows).set_index("method")
        assert list(table.index) == list(calibration.METHODS)
        for method in ("temperature", "isotonic"):
            for score in ("ece", "brier"):
                assert (table.loc[method, score] < table.loc["none", score]) == mended
        at90 = next(row for row in sets if row["level"] == 0.9)
        assert (abs(at90["coverage"] - 0.9) < 0.02) == mended
        assert at90["set_size"] == pytest.approx(1 - at90["empty"] + at90["both"])


def test_coverage_of_each_state_by_hand():
    # own states of validation: .9, .6, .8, .7; at 80 % the smallest, .6, at 90 % none
    valid = SessionPredictions("v", np.arange(4), np.array([1, 1, 0, 0]), [0.9, 0.6, 0.2, 0.3])
    # sets of .6 or more: {run}, {}, {rest}, {rest}
    label, probability = np.array([1, 1, 1, 0]), np.array([0.7, 0.5, 0.1, 0.1])
    tested = SessionPredictions("t", np.arange(4), label, probability)
    rows, sets = calibration.assess(item(tested), {"v_s": valid})
    as_tabled(pd.DataFrame(rows), "recalibrated"), as_tabled(pd.DataFrame(sets), "prediction_sets")
    at80, at90, _ = ({key: row[key] for key in calibration.SET_NUMBERS} for row in sets)
    assert at80 == pytest.approx(
        {"level": 0.8, "cut": 0.6, "coverage": 0.5, "coverage_rest": 1, "coverage_run": 1 / 3}
        | {"set_size": 0.75, "empty": 0.25, "both": 0}
    )
    assert (at90["cut"], at90["set_size"], at90["both"], at90["empty"]) == (0, 2, 1, 0)
    assert at90["coverage_rest"] == at90["coverage_run"] == 1


def test_a_row_says_what_it_is_of():
    rows, _ = calibration.assess(item(mouse("t", n=300)), {"v_s": mouse("v", 2.0, n=500, seed=1)})
    table = pd.DataFrame(rows).set_index("method")
    assert set(table["n_frames"]) == {300} and set(table["n_valid"]) == {500}
    assert table["temperature"].notna().tolist() == [False, True, False]


def test_validation_of_one_state_recalibrates_nothing():
    valid = {"v_s": SessionPredictions("v", np.arange(3), np.ones(3), np.array([0.2, 0.9, 0.6]))}
    rows, _ = calibration.assess(item(mouse("t")), valid)
    assert [math.isnan(row["ece"]) for row in rows] == [False, True, True]


def test_verb_writes_tables_and_figure(tmp_path):
    item(mouse("t", 2.0), "d").write(tmp_path / "p" / "d" / f"{item(0).allocation}.h5")
    for decoder in ("d", "mean"):
        about = {"decoder": decoder, "allocation": item(0).allocation, "valid_mouse": "v"}
        path = tmp_path / "v" / decoder / f"{item(0).allocation}.h5"
        validation.write(path, {"v_s": mouse("v", 2.0, seed=1)}, **about)
    averaged = dataclasses.replace(item(mouse("t", 1.0), "mean"), protocol="strict")
    averaged.write(tmp_path / "p" / "mean" / f"{item(0).allocation}.h5")
    (tmp_path / "a.tsv").write_text(f"allocation\n{item(0).allocation}\n")
    words = ["calibrate", "--decoders", "d", "mean", "--predictions", tmp_path / "p"]
    words += ["--validation", tmp_path / "v"]
    words += ["--allocations", tmp_path / "a.tsv", "--out", tmp_path / "o.tsv"]
    words += ["--sets", tmp_path / "s.tsv", "--figure", tmp_path / "f"]
    assert main([str(word) for word in words]) == 0
    table = read_table(tmp_path / "o.tsv", calibration.COLUMNS, calibration.NUMBERS)
    assert table["decoder"].tolist() == ["d"] * 3 + ["mean"] * 3
    assert set(table.loc[table["method"] == "temperature", "temperature"].round()) == {2}
    sets = read_table(tmp_path / "s.tsv", calibration.SET_COLUMNS, calibration.SET_NUMBERS)
    assert sets["level"].tolist() == [*calibration.LEVELS] * 2
    for made in (table, sets):
        assert made["protocol"].tolist() == ["transductive"] * 3 + ["strict"] * 3
    assert "not" in as_read(calibration_figure.caption(table, sets))
    assert (tmp_path / "f.svg").exists()
    assert predictions.read(tmp_path / "p" / "d" / f"{item(0).allocation}.h5").decoder == "d"


def test_the_page_has_each_mouse_with_its_own_marker_and_the_means_by_hand():
    """Mice 10 and 2 in the table's order; the 2nd is the first marker, as everywhere."""
    about = {"decoder": "d", "valid_mouse": "v", "protocol": "strict"}
    table = pd.DataFrame(
        about
        | {"allocation": f"a{m}", "test_mouse": m, "method": how, "ece": ece, "brier": 2 * ece}
        for m, more in (("10", 0.0), ("2", 0.03))
        for how, ece in zip(calibration.METHODS, (0.1 + more, 0.05, 0.04), strict=True)
    )
    # 3 allocations, so that the mean (.8) is not the median (.9)
    sets = pd.DataFrame(
        about | {"test_mouse": m, "level": level, "coverage": cover, "set_size": 2 * cover - 0.5}
        for m, covers in (("10", (0.9, 0.95)), ("2", (0.55,)))
        for cover in covers
        for level in calibration.LEVELS
    )
    sets.loc[sets["level"] != 0.9, ["coverage", "set_size"]] = 0.1  # not drawn
    figure = as_drawn(calibration_figure.page(table, sets), "calibration")

    def drawn(axes):
        """Return the points (marker, value, height) and the means (value, height)."""
        points = [
            (line.get_marker(), round(x, 3), round(y, 3))
            for line in axes.lines
            if line.get_marker() in ("o", "s")
            for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
        ]
        bars = [line for line in axes.lines if line.get_color() == "black"]
        return sorted(points), [
            (round(bar.get_xdata()[0], 4), round(np.mean(bar.get_ydata()), 3)) for bar in bars
        ]

    ece, brier, coverage, size = map(drawn, figure.axes)
    assert ece == (
        [
            ("o", 0.04, 2),
            ("o", 0.05, 1),
            ("o", 0.13, 0),
            ("s", 0.04, 2),
            ("s", 0.05, 1),
            ("s", 0.1, 0),
        ],
        [(0.115, 0), (0.05, 1), (0.04, 2)],
    )
    assert brier[1] == [(0.23, 0), (0.1, 1), (0.08, 2)]
    assert coverage == ([("o", 0.55, 1), ("s", 0.9, 1), ("s", 0.95, 1)], [(0.8, 1)])
    assert size == ([("o", 0.6, 1), ("s", 1.3, 1), ("s", 1.4, 1)], [(1.1, 1)])
    words = [axes.get_xlabel() for axes in figure.axes]
    assert words == ["ECE", "Brier score", "Coverage of 90 % sets", "Mean states in a set"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][1:] == ["2", "10"]
    as_written(calibration_figure.caption(table, sets), "calibration")
    two = [pd.concat([one, one.assign(decoder="e")]) for one in (table, sets)]
    as_drawn(calibration_figure.page(*two), "calibration_of_two")
