"""Controls: signals that are none of neurons, what decodes from them, and what the report says."""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from make import LINEAR, STUDY, add_files, check_commands, plan
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.base.roc_auc import roc_auc
from mesodecode.base.tables import read_table
from mesodecode.confounds import control_verdicts, controls, signals
from mesodecode.confounds.signals import ControlSignals, control_signals
from mesodecode.recordings.recording import read_recording
from mesodecode.simulation import simulate
from mesodecode.study import control_table, schema
from mesodecode.study import study as studies
from mesodecode.study.allocation import Allocation
from tabled import as_tabled
from texts import as_read, as_written

SIDE = 40
SETTINGS = schema.defaults("confounds")


def write_recording(path, frames, *, labels=None, mouse="a", corrections=None):
    """A recording of these frames; `corrections`: attributes and arrays of that group."""
    labels = np.arange(len(frames)) % 20 < 10 if labels is None else labels
    with h5py.File(path, "w") as file:
        file["frames"], file["labels"] = frames, np.asarray(labels, np.uint8)
        file["pixel_mean"] = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        file["stack_sd"] = np.float32(frames.std(dtype=np.float64))
        file.attrs.update(session=path.stem, mouse=mouse, frame_rate=30.0)
        if corrections is not None:
            group = file.create_group("corrections")
            group.attrs["unit"] = corrections.pop("unit", "counts")
            for name, values in corrections.items():
                group[name] = values
    return read_recording(path)


def brain_of(side: int = SIDE) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[8:32, 8:32] = True
    return mask


def still(n_frames: int = 30) -> np.ndarray:
    """Frames of a brain with a dark vessel (rows 19 to 21) that shows nothing."""
    image = np.full((SIDE, SIDE), 100.0)
    image[brain_of()] = 1000
    image[19:22, 8:32] = 600
    return np.repeat(image[None], n_frames, axis=0)


# Signals -----------------------------------------------------------------------------------------


def test_what_is_beside_the_brain_is_seen_outside_and_not_in_its_vessels(tmp_path):
    lamp = np.arange(30) % 3
    frames = still()
    frames[:, :6, :] += lamp[:, None, None]  # farther from the brain than the margin
    found = control_signals(write_recording(tmp_path / "a.h5", frames), brain=brain_of())
    outside = found.signals["outside"]
    assert outside.shape == (30, 16)
    upper, lower = outside[:, :4], outside[:, 12:]
    # Of the corner tile's 100 px, 4 are brain and 4 + 5 within 2 px; 6 rows of 10 px are lit.
    np.testing.assert_allclose(upper[:, 0] - upper[0, 0], 60 / 87 * lamp, atol=1e-4)
    assert np.ptp(lower, axis=0).max() < 1e-4
    # tiles in the middle have no pixel outside: the mean of those that have
    np.testing.assert_allclose(
        outside[:, 5], outside[:, [0, 1, 2, 3, 4, 7, 8, *range(11, 16)]].mean(1)
    )
    assert np.abs(found.signals["vessels"]).max() < 1e-6
    np.testing.assert_allclose(
        found.signals["mean"][:, 0] - frames[0].mean(), lamp * 6 / SIDE, atol=1e-3
    )


def test_the_surround_of_a_vessel_is_as_wide_as_the_shorter_side_says():
    """An oblong image against a wide one: of rows alone, what a vessel is does not depend on it."""
    rows = np.random.default_rng(0).uniform(90, 110, 24)
    rows[11] = 70
    narrow, wide = (np.repeat(rows[:, None], width, axis=1) for width in (24, 96))
    seen = [
        signals.find_vessels(image, np.ones(image.shape, bool))[:, 0] for image in (narrow, wide)
    ]
    assert seen[0][11] and seen[0].sum() < 4
    np.testing.assert_array_equal(*seen)


def test_vessels_are_found_and_activity_that_tissue_shows_too_is_left_out(tmp_path):
    blood, activity = 0.02 * (np.arange(30) % 3), 0.05 * (np.arange(30) % 5)
    frames = still()
    frames[:, 8:32, 8:32] = 100 + (frames[:, 8:32, 8:32] - 100) * (1 + activity[:, None, None])
    frames[:, 19:22, 8:32] = 100 + (frames[:, 19:22, 8:32] - 100) * (1 - blood[:, None, None])
    recording = write_recording(tmp_path / "a.h5", frames)
    vessel = np.zeros((SIDE, SIDE), bool)
    vessel[19:22, 8:32] = True
    seen = signals.find_vessels(recording.pixel_mean, brain_of())
    assert not (seen & ~vessel).any() and seen.sum() >= 58  # a tenth of 576 px
    found = control_signals(recording, brain=brain_of()).signals["vessels"]
    dark = (1 + activity) * (1 - blood)
    expected = dark / dark.mean() - (1 + activity) / (1 + activity).mean()
    np.testing.assert_allclose(found[:, 5], expected, atol=1e-4)
    given = control_signals(recording, brain=brain_of(), vessels=vessel).signals["vessels"]
    np.testing.assert_allclose(given, found, atol=1e-6)


def test_controls_of_several_blocks_are_those_of_one(tmp_path, monkeypatch):
    frames = still() + np.random.default_rng(0).normal(0, 9, (30, SIDE, SIDE))
    recording = write_recording(tmp_path / "a.h5", frames)
    whole = control_signals(recording, brain=brain_of()).signals
    monkeypatch.setattr(signals, "BLOCK", 4 * SIDE * SIDE * 7)  # seven frames, and two at last
    parts = control_signals(recording, brain=brain_of()).signals
    assert {*parts} == {*whole} == {"mean", "outside", "vessels", "movement"}
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=0, atol=1e-3, err_msg=name)


def test_tissue_beside_a_vessel_is_of_the_brain(tmp_path):
    """A vessel along the brain's edge, beyond which light flickers."""
    frames, vessel = still(), np.zeros((SIDE, SIDE), bool)
    frames[:, ~brain_of()] += 50 * (np.arange(30) % 3)[:, None]
    vessel[8:11, 8:32] = True
    recording = write_recording(tmp_path / "a.h5", frames)
    found = control_signals(recording, brain=brain_of(), vessels=vessel).signals["vessels"]
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_movement_is_registered_or_that_which_was_corrected(tmp_path):
    rng = np.random.default_rng(0)
    image = np.kron(rng.uniform(500, 1500, (SIDE // 4, SIDE // 4)), np.ones((4, 4)))
    rows = np.where(np.arange(30) % 10 < 5, 0, 2)
    frames = np.stack([np.roll(image, row, axis=0) for row in rows])
    found = control_signals(write_recording(tmp_path / "a.h5", frames)).signals["movement"]
    moved = found[rows == 2].mean(axis=0) - found[rows == 0].mean(axis=0)
    assert moved[0] == pytest.approx(-2, abs=0.3) and abs(moved[1]) < 0.2
    shifts = np.tile([[0, 0], [0, 0], [3, -4]], (10, 1)).astype(np.float32)
    corrected = write_recording(tmp_path / "b.h5", frames, corrections={"shifts": shifts})
    found = control_signals(corrected).signals["movement"]
    np.testing.assert_allclose(found[:3], [[0, 0, 0, 0], [0, 0, 0, 0], [3, -4, 5, 5]])


def test_what_cannot_be_made_is_said_with_why(tmp_path):
    recording = write_recording(tmp_path / "a.h5", still())
    found = control_signals(recording)
    assert set(found.signals) == {"mean", "vessels", "movement"}
    assert found.missing["outside"].startswith("no mask says where the brain is")
    assert found.missing["reference"].startswith("no reference channel was recorded")
    blanked = still()
    blanked[:, ~brain_of()] = 0
    found = control_signals(write_recording(tmp_path / "b.h5", blanked), brain=brain_of())
    assert found.missing["outside"] == "corrections.brain_mask has blanked it: no decoder reads it"
    dff = write_recording(
        tmp_path / "c.h5",
        np.random.default_rng(0).normal(0, 0.1, (30, SIDE, SIDE)).astype(np.float32),
        corrections={"unit": "dff", "reference": np.ones((30, 16))},
    )
    found = control_signals(dff, brain=brain_of())
    assert set(found.missing) == {"vessels", "movement"}
    found = dataclasses.replace(found, segment=np.arange(30) // 10)
    signals.write(tmp_path / "m.h5", [found])
    (back,) = signals.read(tmp_path / "m.h5")
    np.testing.assert_array_equal(back.segment, found.segment)
    assert back.missing == found.missing and set(back.signals) == {"mean", "outside", "reference"}
    np.testing.assert_array_equal(back.signals["outside"], found.signals["outside"].astype("f4"))


def test_masks_fit_the_frames_or_are_refused(tmp_path):
    recording = write_recording(tmp_path / "a.h5", still())
    Image.fromarray(brain_of().astype(np.uint8) * 255).save(tmp_path / "brain.png")
    np.testing.assert_array_equal(signals.read_mask(tmp_path / "brain.png", recording), brain_of())
    np.save(tmp_path / "before.npy", np.kron(brain_of(), np.ones((3, 3))))  # binned by 3
    np.testing.assert_array_equal(signals.read_mask(tmp_path / "before.npy", recording), brain_of())
    with h5py.File(tmp_path / "truth.h5", "w") as file:  # of a simulated session
        file["signal"] = np.ones((SIDE, SIDE))
    with pytest.raises(UserError, match=r"truth\.h5: no mask in it"):
        signals.read_mask(tmp_path / "truth.h5", recording)
    with h5py.File(tmp_path / "truth.h5", "a") as file:
        file["brain"] = np.kron(brain_of(), np.ones((2, 2)))
    np.testing.assert_array_equal(signals.read_mask(tmp_path / "truth.h5", recording), brain_of())
    for shape in ((SIDE // 2, SIDE // 2), (SIDE, SIDE, 3)):  # smaller than the frames; colours
        np.save(tmp_path / "no.npy", np.ones(shape))
        with pytest.raises(UserError, match=r"no\.npy: a"):
            signals.read_mask(tmp_path / "no.npy", recording)
    for name in ("truth.h5", "brain.png"):
        upper = (tmp_path / name).with_suffix(Path(name).suffix.upper())
        (tmp_path / name).rename(upper)
        np.testing.assert_array_equal(signals.read_mask(upper, recording), brain_of())
        upper.rename(tmp_path / name)
    tifffile.imwrite(tmp_path / "other.tif", np.ones((80, 90), np.uint8))
    with pytest.raises(UserError, match=r"other\.tif: a mask of shape \(80, 90\), but .*40 x 40"):
        signals.read_mask(tmp_path / "other.tif", recording)
    words = ["control-signals", "--recordings", tmp_path / "a.h5", "--out", tmp_path / "x.h5"]
    masks = ["--brain-mask", tmp_path / "brain.png", tmp_path / "brain.png"]
    assert cli.main([*map(str, [*words, *masks])]) == 1
    assert cli.main([*map(str, [*words, *masks[:2]])]) == 0
    with pytest.raises(UserError, match="not control signals"):
        signals.read(tmp_path / "a.h5")


# Decoders of controls ----------------------------------------------------------------------------


def session(mouse: str, *, known: float, missing: bool = False, n: int = 400) -> ControlSignals:
    """A session whose `outside` knows running with signal-to-noise ratio `known`."""
    rng = np.random.default_rng(ord(mouse))
    labels = (np.arange(n) // 20 + ord(mouse)) % 2
    values = rng.normal(0, 1, (n, 2)) + known * labels[:, None]
    made = {"mean": rng.normal(0, 1, (n, 1))} | ({} if missing else {"outside": values})
    why = {name: "gone" for name in signals.SIGNALS if name not in made}
    return ControlSignals(f"{mouse}1", mouse, labels.astype(np.uint8), None, made, why)


def test_controls_are_decoded_from_training_mice_in_the_windows_of_each_decoder():
    sessions = [session(mouse, known=1) for mouse in "abcde"]
    allocation = Allocation(("a", "b", "c"), ("d",), ("e",))
    windows = {"one": (0, 0), "wide": (8, 0), "later": (8, -200)}
    settings = SETTINGS | {"frame_step": 2, "baseline": None}
    table = controls.decode(sessions, allocation, windows, settings)
    assert list(table.columns) == controls.COLUMNS
    assert table["against"].tolist() == [*windows] * 5
    outside = table[table["decoder"] == "outside"].set_index("against")
    assert outside["n_frames"].tolist() == [400, 384, 192]  # frames with a whole window
    assert outside["auc"]["wide"] > outside["auc"]["one"] + 0.1
    test = sessions[-1]
    plain = roc_auc(test.labels, test.signals["outside"].sum(axis=1))
    assert outside["auc"]["one"] == pytest.approx(plain, abs=0.01)
    assert set(table[table["auc"].isna()]["decoder"]) == {"vessels", "movement", "reference"}
    assert table["missing"].value_counts().to_dict() == {"gone": 9, "": 6}
    boosted = settings | {"model": "gradient_boosting"}
    other = controls.decode(sessions, allocation, {"one": (0, 0)}, boosted)
    assert other.set_index("decoder")["auc"]["outside"] > 0.7
    # no window crosses from one of four segments to the next
    cut = [*sessions[:-1], dataclasses.replace(test, segment=np.arange(400) // 100)]
    parts = controls.decode(cut, allocation, {"wide": (8, 0)}, settings)
    assert parts.set_index("decoder")["n_frames"]["outside"] == 4 * (100 - 16)
    # one session without it, whatever its role, and the control is not made
    sessions[3] = session("d", known=1, missing=True)
    table = controls.decode(sessions, allocation, windows, settings).set_index("decoder")
    assert table["auc"]["outside"].isna().all() and table["auc"]["mean"].notna().all()


def test_a_control_is_less_its_moving_mean_where_that_is_asked_for():
    """What drifts by ten times the state's size tells it only once the drift is gone."""
    sessions = [session(mouse, known=0) for mouse in "abcde"]
    for one in sessions:
        drift = 10 * np.linspace(0, 1, 400)[:, None]
        one.signals["outside"][:] = one.labels[:, None] + drift
    allocation = Allocation(("a", "b", "c"), ("d",), ("e",))
    auc = [
        controls.decode(
            sessions, allocation, {"net": (0, 0)}, SETTINGS | {"baseline": baseline}
        ).set_index("decoder")["auc"]["outside"]
        for baseline in (None, 40)
    ]
    assert auc[0] < 0.7 and auc[1] > 0.95


def test_no_control_is_fitted_to_the_test_or_validation_mouse():
    sessions = [session(mouse, known=0.5) for mouse in "abcde"]
    allocation = Allocation(("a", "b", "c"), ("d",), ("e",))

    def auc() -> float:
        table = controls.decode(sessions, allocation, {"net": (2, 0)}, SETTINGS)
        return table.set_index("decoder")["auc"]["outside"]

    first = auc()
    for i in (3, 4):  # were their labels learned, the AUC would stay high
        sessions[i] = dataclasses.replace(sessions[i], labels=1 - sessions[i].labels)
    assert auc() == pytest.approx(1 - first, abs=1e-9) and first > 0.6


def both(own: list[float], control: list[float], signal: str = "outside", **change):
    """Tables of a decoder and a control with these AUCs, an allocation a test mouse."""
    names = [f"train-x.valid-y.test-{mouse}" for mouse in "abcdefgh"[: len(own)]]
    about = {"allocation": names, "test_mouse": list("abcdefgh"[: len(own)])}
    auc = pd.DataFrame({"decoder": "net", **about, "auc": own})
    rows = pd.DataFrame(
        {"against": "net", "decoder": signal, **about, "auc": control, "missing": ""} | change
    )
    return rows, auc


@pytest.mark.parametrize(
    ("own", "control", "verdict"),
    [
        # differences .18 ± .01 of 4 mice; the control lies above .5
        ([0.91, 0.89, 0.90, 0.90], [0.72, 0.72, 0.72, 0.72], "part"),
        ([0.99, 0.90, 0.90, 0.85], [0.80, 0.70, 0.72, 0.70], "part"),  # means are no medians
        ([0.91, 0.89, 0.90, 0.90], [0.90, 0.89, 0.90, 0.90], "flag"),  # as good
        ([0.90, 0.91, 0.92, 0.93], [0.87, 0.88, 0.89, 0.90], "flag"),  # worse by .03, 93 % of it
        ([0.90, 0.60, 0.90, 0.60], [0.65, 0.66, 0.64, 0.65], "flag"),  # not shown to be better
        ([0.91, 0.89, 0.90, 0.90], [0.55, 0.45, 0.52, 0.50], "pass"),
        ([0.55, 0.45, 0.52, 0.50], [0.55, 0.45, 0.52, 0.50], "pass"),  # none knows anything
    ],
)
def test_verdicts_by_hand(own, control, verdict):
    row = control_verdicts.table(*both(own, control)).iloc[0]
    assert row["verdict"] == verdict
    assert row["difference"] == pytest.approx(np.mean(own) - np.mean(control))
    assert row["share"] == pytest.approx((np.mean(control) - 0.5) / (np.mean(own) - 0.5))
    assert (row["n_mice"], row["n_allocations"]) == (4, 4)
    mean = control_verdicts.table(*both(own, control, "mean")).iloc[0]["verdict"]
    assert mean == {"flag": "note"}.get(verdict, verdict)  # it holds neurons


def test_mice_are_the_unit_and_intervals_are_students():
    rows, auc = both([0.9, 0.8, 0.7, 0.9], [0.6, 0.6, 0.7, 0.8])
    for table in (rows, auc):  # two allocations of each of two mice
        table["test_mouse"] = ["a", "a", "b", "b"]
    table = control_verdicts.table(rows, auc[::-1])  # its allocations in another order
    row = as_tabled(table, "controls").iloc[0]
    # differences of the mice: .25 and .05; t(1) at .975 is 12.7062
    assert (row["n_mice"], row["n_allocations"]) == (2, 4)
    half = 12.7062 * np.std([0.25, 0.05], ddof=1) / np.sqrt(2)
    assert row["ci_low"] == pytest.approx(0.15 - half, abs=1e-4)
    assert row["ci_high"] == pytest.approx(0.15 + half, abs=1e-4)
    assert row["auc_control"] == pytest.approx(0.675)


@pytest.mark.parametrize("of", [0, 1])
def test_a_mouse_without_an_auc_of_the_control_or_of_the_decoder_does_not_count(of):
    tables = both([0.9, 0.8, 0.6, 0.7], [0.5, 0.6, 0.7, 0.8])
    tables[of].loc[0, "auc"] = np.nan
    row = control_verdicts.table(*tables).iloc[0]
    assert (row["n_mice"], row["n_allocations"]) == (3, 3)
    assert (row["auc_decoder"], row["auc_control"]) == pytest.approx((0.7, 0.7))


def test_each_signal_of_a_control_has_mean_0_and_sd_1_in_its_session(monkeypatch):
    """Also one that never changes, which is 0; training mice alone are fitted to."""

    class Fitted(Exception):
        pass

    def fit(train, settings):
        raise Fitted(train)

    monkeypatch.setattr(controls.roi_classical, "fit_classical", fit)
    wave = np.sin(np.arange(400.0))[:, None]
    sessions = [
        dataclasses.replace(one, signals={"mean": wave * [1, 9, 0] + [5, 100, level]})
        for level, one in enumerate(session(mouse, known=1) for mouse in "abcd")
    ]
    allocation = Allocation(("a", "b"), ("c",), ("d",))
    with pytest.raises(Fitted) as caught:
        settings = SETTINGS | {"baseline": None}
        controls.decode(sessions, allocation, {"net": (0, 0)}, settings)
    (train,) = caught.value.args
    assert [one.mouse for one in train] == ["a", "b"]
    for one in train:
        np.testing.assert_allclose(one.features.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(one.features.std(axis=0), [1, 1, 0], atol=1e-6)


def test_what_was_not_made_is_said_and_raises_nothing():
    rows, auc = both([0.9, 0.9], [np.nan, np.nan], missing="no mask says where the brain is")
    row = control_verdicts.table(rows, auc).iloc[0]
    assert row["verdict"] == "not made"
    assert row["sentence"].endswith("outside the brain: no mask says where the brain is.")
    alone = control_verdicts.table(*(table[:1] for table in both([0.9, 0.9], [0.9, 0.9])))
    assert as_read(alone["sentence"])[0].endswith("there is one test mouse only.")
    with pytest.raises(UserError, match=r"no AUC of net in train-x\.valid-y\.test-b"):
        control_verdicts.table(rows, auc[:1])


def test_headlines_name_the_controls_that_reach_a_decoder():
    made = {
        "outside": [0.9, 0.89, 0.91],
        "vessels": [0.7, 0.7, 0.7],
        "mean": [0.9, 0.89, 0.91],
    }
    own = [0.91, 0.9, 0.91]
    parts = [both(own, values, name)[0] for name, values in made.items()]
    table = control_verdicts.table(pd.concat(parts), both(own, own)[1])
    as_written(table["sentence"], "controls")
    ((verdict, text),) = as_written(control_verdicts.headlines(table), "controls_flag")
    assert verdict == "flag"
    assert text.startswith("net: running is decoded as well without neurons, from the pixels out")
    two = pd.concat([table.assign(decoder=name) for name in ("z", "a")])  # in their order
    assert [text.split(":")[0] for _, text in as_read(control_verdicts.headlines(two))] == [
        "z",
        "a",
    ]
    ((verdict, text),) = as_written(
        control_verdicts.headlines(table[table["signal"] != "outside"]), "controls_pass"
    )
    assert verdict == "pass" and "Above chance, though: the vessels" in text
    ((verdict, text),) = as_read(control_verdicts.headlines(table[table["signal"] == "mean"]))
    assert verdict == "pass" and text == "net: no control without neurons could be made."


# Simulated cohorts -------------------------------------------------------------------------------

SMALL = {"n_frames": 450, "image_size": 32, "photons": 300, "cycle_s": 3}


@functools.cache
def controls_of(folder, **leak) -> pd.DataFrame:
    """AUCs of controls of a simulated cohort of five mice with one session each."""
    sessions, allocations = [], []
    for mouse, name, share in simulate.cohort(5, 1):
        settings = schema.defaults("simulate", **SMALL, **leak)
        made = simulate.simulate_session(mouse=mouse, session=name, run_share=share, **settings)
        path = folder / f"{name}{''.join(leak)}.h5"
        recording = write_recording(path, made.frames, labels=made.label, mouse=mouse)
        sessions.append(control_signals(recording, brain=made.truth.brain))
    mice = [one.mouse for one in sessions]
    for i in range(5):
        test, valid, *train = mice[i:] + mice[:i]
        allocations.append(Allocation(tuple(train), (valid,), (test,)))
    settings = SETTINGS | {"frame_step": 3}
    tables = [controls.decode(sessions, one, {"net": (3, 0)}, settings) for one in allocations]
    return pd.concat(tables, ignore_index=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("leak", "reached", "perhaps"),
    [
        ({}, set(), set()),
        ({"stray_light": 0.005}, {"outside"}, set()),
        ({"movement": 0.015}, {"movement"}, {"vessels", "outside"}),  # they move too
        ({"vessel_dilation": 0.3}, {"vessels"}, set()),
    ],
)
def test_a_leak_is_flagged_by_its_control_and_a_clean_cohort_by_none(
    tmp_path, leak, reached, perhaps
):
    rows = controls_of(tmp_path, **leak)
    rows = rows[rows["decoder"] != "mean"]
    own = rows.drop_duplicates("allocation").assign(decoder="net", auc=0.95)
    found = control_verdicts.table(rows, own)
    assert reached <= set(found.loc[found["verdict"] == "flag", "signal"]) <= reached | perhaps
    assert set(found.loc[found["verdict"] == "not made", "signal"]) == {"reference"}


def test_leaks_of_the_simulation():
    settings = schema.defaults("simulate", **SMALL | {"cycle_s": 8})
    one = {"mouse": "m1", "session": "m1_s1", "run_share": 0.5}
    plain = simulate.simulate_session(**one, **settings)
    again = simulate.simulate_session(**one, **settings | {"movement": 0.0})
    np.testing.assert_array_equal(plain.frames, again.frames)
    lit = simulate.simulate_session(**one, **settings | {"stray_light": 0.1})
    np.testing.assert_array_equal(plain.label, lit.label)
    gained = (lit.frames.astype(float) - plain.frames).mean(axis=(1, 2))
    a_second = np.ones(31)  # before a frame, in which the mouse ran or rested all along
    before = np.convolve(plain.label, a_second)[: len(gained)]
    running, resting = before == 31, (before == 0) & (np.arange(len(gained)) >= 31)
    brightness = plain.truth.attributes  # a tenth of the 150 counts of the brightest cortex
    assert brightness["photons"] * brightness["gain"] == 150
    assert 15 * np.exp(-0.4) < gained[running].mean() < 15 * np.exp(0.4)  # brightness_sd 0.2
    assert abs(gained[resting].mean()) < 0.05 * gained[running].mean()


# Config, jobs, report ----------------------------------------------------------------------------

CONFIG = STUDY | {
    "decoders": {
        **{"linear": LINEAR, "cnn": {"pretrained": "none"}},
        "gru": {"start_from": "cnn", "rnn": "gru", "half_window": 4},
        "avg": {"average_of": ["cnn", "gru"]},
    },
    "confounds": {"decoders": ["linear", "cnn", "gru", "avg"]},
}


def test_a_control_sees_as_many_frames_as_its_decoder():
    decoders = CONFIG["decoders"] | {
        "roi": {"input": "rois", "rnn": "gru", "half_window": 9, "shift": -3},
        "past": {"adapted_from": "gru", "normalise": "past"},
    }
    recordings = STUDY["recordings"] | {"rois": "{session}.mat"}
    study = studies.resolve(CONFIG | {"decoders": decoders, "recordings": recordings})
    found = {name: control_table.window(name, study.decoders) for name in decoders}
    expected = {"linear": (0, 0), "cnn": (1, 0), "gru": (5, 0), "avg": (5, 0), "roi": (9, -3)}
    assert found == expected | {"past": (5, 0)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoders": ["x"]}, "confounds.decoders: no decoder 'x'; known: linear, cnn, gru, avg"),
        ({"decoder": "cnn"}, "confounds.decoder: no such key; did you mean 'decoders'?"),
        ({"brain_mask": "m/{day}.png"}, "confounds.brain_mask: 'm/{day}.png' may hold {session}"),
        ({"frame_step": 0}, "confounds.frame_step: 0 is less than the minimum of 1"),
        ({"model": "svm"}, "confounds.model: 'svm' is not one of logistic_regression, gradient_"),
    ],
)
def test_bad_config_gets_one_line_that_names_the_key(change, message):
    with pytest.raises(UserError, match=f"^{re.escape(f'config: {message}')}"):
        studies.resolve(CONFIG | {"confounds": CONFIG["confounds"] | change})


def test_two_test_mice_cannot_be_compared_one_by_one():
    config = CONFIG | {"allocation": {"train": 2, "valid": 1, "test": 2}}
    with pytest.raises(UserError, match=r"config: confounds: .* allocation\.test is 2"):
        studies.resolve(config)


def test_a_job_a_mouse_a_job_an_allocation_and_one_for_all(tmp_path):
    masks = {"brain_mask": "my data/{mouse}.png", "vessel_mask": "my data/v.png"}
    config = CONFIG | {"confounds": CONFIG["confounds"] | masks}
    add_files(tmp_path, config)
    for name in ("v", *STUDY["mice"]):
        (tmp_path / "my data" / f"{name}.png").touch()
    jobs, lines = plan(tmp_path, config=config)
    check_commands([line.replace("{mouse}", "") for line in lines], jobs)
    counts = [jobs[rule] for rule in ("control_signals", "decode_controls", "confounds")]
    assert counts == [5, 5, 1]
    (mouse,) = [line for line in lines if line.endswith("signals/a.h5")]
    assert "recordings/a1.h5 " in mouse and "--vessel-mask 'my data/v.png' " in mouse
    assert "--brain-mask 'my data/a.png' 'my data/a.png'" in mouse
    decode = [line for line in lines if line.startswith("mesodecode decode-controls")]
    (line,) = [x for x in decode if "train-c+d+e.valid-b.test-a.tsv" in x]
    assert "--train-mice c d e --valid-mice b --test-mice a" in line
    assert "--windows linear=0,0 cnn=1,0 gru=5,0 avg=5,0" in line
    (report,) = [line for line in lines if line.startswith("mesodecode report")]
    results = "results/lab"
    assert f" {results}/tables/confounds.tsv " in report.partition(" --tables ")[2]
    assert f" {results}/figures/confounds.svg " in report.partition(" --figures ")[2]


def test_verbs_from_recordings_to_the_report(tmp_path):
    rng = np.random.default_rng(0)
    for mouse in "abcde":
        labels = (np.arange(200) // 20 + ord(mouse)) % 2
        frames = still(200) + rng.normal(0, 3, (200, SIDE, SIDE))
        frames[labels == 1, :6] += 5
        write_recording(tmp_path / f"{mouse}.h5", frames, labels=labels, mouse=mouse)
    np.save(tmp_path / "brain.npy", brain_of())

    def run(*words) -> None:
        assert cli.main([str(word) for word in words]) == 0

    files = [tmp_path / f"signals_{mouse}.h5" for mouse in "abcde"]
    for mouse, out in zip("abcde", files, strict=True):
        masks = ["--brain-mask", tmp_path / "brain.npy"]
        run("control-signals", "--recordings", tmp_path / f"{mouse}.h5", *masks, "--out", out)
    tables, rows = [], []
    for test, valid, *train in ("abcde", "bcdea", "cdeab"):
        tables.append(tmp_path / f"{test}.tsv")
        mice = ["--train-mice", *train, "--valid-mice", valid, "--test-mice", test]
        run(
            "decode-controls", "--signals", *files, *mice, "--windows", "net=1", "--out", tables[-1]
        )
        about = Allocation(tuple(train), (valid,), (test,))
        row = {"decoder": "net", "allocation": about.id, "train_mice": about.joined("train")}
        scores = {"n_frames": 198, "n_run": 99, "auc": 0.9, "accuracy": 0.8}
        rows.append(row | {"valid_mouse": valid, "test_mouse": test} | scores)
    pd.DataFrame(rows).to_csv(tmp_path / "auc.tsv", sep="\t", index=False)
    out = ["--out", tmp_path / "confounds.tsv", "--figure", tmp_path / "confounds"]
    run("confounds", "--controls", *tables, "--auc", tmp_path / "auc.tsv", *out)
    found = read_table(
        tmp_path / "confounds.tsv", control_verdicts.COLUMNS, control_verdicts.NUMBERS
    )
    verdict = dict(zip(found["signal"], found["verdict"], strict=True))
    assert verdict["outside"] == "flag" and verdict["reference"] == "not made"
    svg = (tmp_path / "confounds.svg").read_text()
    assert "n = 3 allocations of 3 test mice" in svg and "not made" in svg and "flag" in svg
