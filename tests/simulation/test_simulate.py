"""The simulated cohort: reproducible, true to its truth, and silent where it says so."""

import argparse
import csv
import hashlib
import inspect
import os
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mesodecode.base.files import UserError
from mesodecode.cli.simulation import simulate as verb
from mesodecode.simulation import mouse as simulated_mouse
from mesodecode.simulation import simulate, truth
from mesodecode.study import schema

SMALL = {"n_frames": 150, "image_size": 32}
SUFFIXES = (".tif", "_behavior.mat", "_roi.mat", "_truth.h5")
NUMBERS = Path(__file__).with_name("sessions.tsv")  # of whole sessions


def make(mouse="m1", session="m1_s1", run_share=0.5, **given_settings):
    settings = schema.defaults("simulate", **(SMALL | given_settings))
    return simulate.simulate_session(mouse=mouse, session=session, run_share=run_share, **settings)


def behave(share, session="m1_s1", **given_settings):
    """Return label and speed of a session, without its movie."""
    s = simulate._checked(schema.defaults("simulate", **(SMALL | given_settings)))
    stream = simulate._stream(s.seed, "m1", session, "behavior")
    speed, label = simulate._behavior(s, share, stream)
    return label, speed


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in Path(folder).iterdir()}


def run_verb(*words):
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    verb.run(parser.parse_args([str(word) for word in words]))


# --- reproducible ------------------------------------------------------------------------------


def test_same_seed_gives_same_bytes_in_all_four_files(tmp_path):
    for folder in ("a", "b"):
        simulate.write_session(make(), tmp_path / folder)
    first = digests(tmp_path / "a")
    assert set(first) == {f"m1_s1{suffix}" for suffix in SUFFIXES}
    assert first == digests(tmp_path / "b")


def test_bytes_do_not_depend_on_the_date_or_on_whole_numbers_written_as_reals(
    tmp_path, monkeypatch
):
    simulate.write_session(make(rotation_sd=2, photons=3000), tmp_path / "a")
    monkeypatch.setattr("time.asctime", lambda *_: "Thu Jan  1 00:00:00 1970")
    simulate.write_session(make(rotation_sd=2.0, photons=3000.0), tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_chunks_do_not_change_the_movie(monkeypatch):
    whole = make().frames
    monkeypatch.setattr(simulate, "CHUNK", 37)
    assert np.array_equal(whole, make().frames)


@pytest.mark.parametrize("other", [{"mouse": "m2"}, {"session": "m1_s2"}, {"seed": 7}])
def test_another_mouse_session_or_seed_gives_another_recording(other):
    a, b = make(), make(**other)
    assert not np.array_equal(a.label, b.label)
    assert (a.frames != b.frames).mean() > 0.5
    same_mouse = "session" in other
    assert np.array_equal(a.truth.roi_xy, b.truth.roi_xy) == same_mouse


def test_one_session_alone_has_the_bytes_it_has_in_any_cohort(tmp_path, capsys):
    size = ["--n-frames", 90, "--image-size", 32]
    run_verb("--out", tmp_path / "two", "--mice", 2, "--sessions", 2, *size)
    names = ["m1_s1", "m1_s2", "m2_s1", "m2_s2"]
    runs = [scipy.io.loadmat(tmp_path / f"two/{name}_behavior.mat")["runrest"] for name in names]
    assert capsys.readouterr().err.splitlines() == [
        f"{name}: 90 frames, {100 * run.mean():.0f}% run, in {tmp_path / 'two'}"
        for name, run in zip(names, runs, strict=True)
    ]
    run_verb("--out", tmp_path / "one", "--mice", 1, "--sessions", 1, *size)
    alone = ["--mouse", "m1", "--session", "m1_s1", "--run-share", 0.36]
    # A rule spells out every setting; flags parse "2" as 2.0.
    run_verb("--out", tmp_path / "alone", *alone, *size, "--rotation-sd", 2, "--photons", 3000)
    two, one = digests(tmp_path / "two"), digests(tmp_path / "one")
    assert len(two) == 16
    assert one == digests(tmp_path / "alone")
    assert one.items() <= two.items()


def test_default_cohort_is_five_mice_with_the_papers_run_shares():
    sessions = simulate.cohort(5, 2)
    assert len(sessions) == 10
    assert sessions[:2] == [("m1", "m1_s1", 0.36), ("m1", "m1_s2", 0.36)]
    assert [share for _, _, share in sessions[::2]] == [0.36, 0.66, 0.65, 0.58, 0.80]
    assert simulate.cohort(7, 1)[:5] == simulate.cohort(5, 1)
    assert simulate.cohort(6, 1)[5] == ("m6", "m6_s1", 0.36)


@pytest.mark.parametrize(
    ("words", "sessions"),
    [
        ((), simulate.cohort(5, 2)),
        (("--mice", 1), [("m1", "m1_s1", 0.36), ("m1", "m1_s2", 0.36)]),
        (("--sessions", 1), simulate.cohort(5, 1)),
        (("--mice", 2, "--sessions", 1), [("m1", "m1_s1", 0.36), ("m2", "m2_s1", 0.66)]),
        (("--mouse", "x", "--session", "y", "--run-share", 0.25), [("x", "y", 0.25)]),
    ],
)
def test_the_verb_makes_as_many_sessions_as_it_is_asked_for(monkeypatch, tmp_path, words, sessions):
    made, kept = [], []

    def session(*, mouse, session, run_share, **settings):
        made.append((mouse, session, run_share))
        assert settings == schema.defaults("simulate", n_frames=90)
        return SimpleNamespace(label=np.zeros(3))

    monkeypatch.setattr(simulate, "simulate_session", session)
    monkeypatch.setattr(simulate, "write_session", lambda _, folder: kept.append(folder))
    run_verb("--out", tmp_path, "--n-frames", 90, *words)
    assert made == sessions and kept == [tmp_path] * len(sessions)


EACH = {  # what is off by default, and what is not is of another value
    **{"signal_leads_s": [0, 0.3, -0.4, 0], "signal_gains": [1, 2, -1, 1], "lead_s": -0.2},
    **{"signal_drift": 0.01, "day": 3, "rotation": 15, "scale": 0.9, "missing_left": 0.3},
    **{"stray_light": 0.1, "movement": 0.05, "vessel_dilation": 0.5, "pupil_signal": 0.1},
    **{"dropped_frames": 0.1, "flashes": 0.05, "flicker": 0.05, "flipped_bouts": 0.25},
    **{"frame_rate": 20, "bleach_fraction": 0.2, "bleach_time_s": 5},
}
SESSIONS = {  # name -> session, settings
    "plain": ("m1_s1", {}),
    "each": ("m1_s1", EACH),
    "another": ("m1_s2", EACH),
}


def numbers_of(made):
    """Return what is in a session, and when: name -> numbers."""
    known, frames = made.truth, made.frames.astype(float)
    return {
        "changes of state": np.flatnonzero(np.diff(known.label)),
        "wrong labels": np.flatnonzero(np.diff(known.label != made.label)),
        "speed": made.speed[::20],
        "drive": known.run_drive[::20],
        "ROIs": made.rois.mean(axis=1),
        "ROI over time": made.rois[5, ::20],
        "light": frames.mean(axis=(1, 2))[::10],
        "row": frames[280, 16],
        "column": frames[280, :, 9],
        "SD of pixels": frames.std(axis=0)[::5, ::5].ravel(),
        "signal": known.roi_signal,
        "brain": known.brain.sum(axis=0),
        "pupil": np.zeros(0) if known.pupil is None else known.pupil[::20],
    }


@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_are_those_of_every_version(name):
    """Scores on simulated cohorts can be compared with older ones: all stands in sessions.tsv.

    Numbers that are changed on purpose are written anew (`SESSIONS=write pytest -n 0 …`), their
    diff is read, and CHANGELOG.md says so.
    """
    session, settings = SESSIONS[name]
    given = {"n_frames": 300, "cycle_s": 2} | settings  # more than are made at a time
    found = numbers_of(make(session=session, run_share=0.4, **given))
    lines = NUMBERS.read_text(encoding="utf-8").splitlines()
    if os.environ.get("SESSIONS") == "write":
        others = [line for line in lines[1:] if not line.startswith(f"{name}\t")]
        own = [
            f"{name}\t{key}\t{' '.join(f'{v:.5g}' for v in held)}" for key, held in found.items()
        ]
        lines = [lines[0], *others, *own]
        NUMBERS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [row for row in csv.DictReader(lines, delimiter="\t") if row["session"] == name]
    assert [row["what"] for row in rows] == [*found]
    for row in rows:
        near = {"rtol": 1e-3, "atol": 1.0 if row["what"] in ("row", "column") else 1e-5}
        expected = np.array(row["numbers"].split(), float)
        np.testing.assert_allclose(found[row["what"]], expected, **near, err_msg=row["what"])


# --- files -------------------------------------------------------------------------------------


def test_files_hold_the_simulation_in_a_labs_layout(tmp_path):
    made = make()
    simulate.write_session(made, tmp_path)
    frames = tifffile.imread(tmp_path / "m1_s1.tif")
    assert frames.dtype == np.uint16
    assert np.array_equal(frames, made.frames)
    behavior = scipy.io.loadmat(tmp_path / "m1_s1_behavior.mat")
    assert behavior["runrest"].shape == behavior["speed_rs"].shape == (1, 150)
    assert np.array_equal(behavior["runrest"][0], made.label)
    assert np.array_equal(behavior["speed_rs"][0], made.speed)
    kinds = [one.dtype for one in (made.truth.label, made.label, made.speed)]
    assert kinds == [np.uint8, np.uint8, np.float32]
    rois = scipy.io.loadmat(tmp_path / "m1_s1_roi.mat")["dat_roi"]
    assert np.array_equal(rois, made.rois)
    with h5py.File(tmp_path / "m1_s1_truth.h5") as truth:
        assert truth["signal"].shape == truth["brain"].shape == (32, 32)
        assert truth["brain"].dtype == bool
        assert truth["roi_xy"].shape == (50, 2)
        assert truth["run_drive"].shape == (150,)
        assert set(schema.defaults("simulate")) <= set(truth.attrs)
        assert list(truth.attrs["signal_rois"]) == [6, 8, 31, 33]


def test_a_failed_write_leaves_no_file(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(tifffile, "imwrite", fail)
    with pytest.raises(OSError, match="disk full"):
        simulate.write_session(make(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_roi_signals_are_the_mean_of_the_pixels_in_the_circle():
    made = make(image_size=64)
    rows, columns = np.mgrid[:64, :64]
    for n in (1, 24, 33, 50):
        x, y = made.truth.roi_xy[n - 1]
        circle = np.hypot(columns - x, rows - y) <= made.truth.roi_radius
        assert circle.sum() >= 4
        assert made.rois[n - 1] == pytest.approx(made.frames[:, circle].mean(1), rel=1e-6)


def test_counts_fill_the_camera_without_saturating():
    frames = make(image_size=64).frames
    assert frames.dtype == np.uint16
    assert frames.min() > 0
    assert 300 < frames.max() < 20_000


@pytest.mark.parametrize("kind", ["slow", "fast"])
def test_noise_lasts_and_reaches_as_far_as_its_own_settings_say(kind):
    def seen(**settings):
        """Return the correlation of ROIs with themselves 0.5 s later, and with those 0.2 away."""
        own = {f"{kind}_{name}": value for name, value in settings.items()}
        made = quiet(run_signal=0, **own)
        rois = made.rois - made.rois.mean(1, keepdims=True)
        apart = made.truth.roi_xy[:, None] - made.truth.roi_xy[None]
        distance = np.linalg.norm(apart, axis=-1) / 64
        others = np.corrcoef(rois)[(distance > 0.15) & (distance < 0.25)]
        return np.mean(rois[:, 15:] * rois[:, :-15]) / np.mean(rois**2), others.mean()

    later, away = seen(amplitude=0.05, time_s=0.5, length=0.03)
    assert later > 0.25 and away < 0.1
    later, away = seen(amplitude=0.05, time_s=0.05, length=0.3)
    assert later < 0.15 and away > 0.8


# --- behaviour ---------------------------------------------------------------------------------


@pytest.mark.parametrize("share", simulate.RUN_SHARES)
def test_run_share_is_close_and_label_is_speed_above_threshold(share):
    for session in ("a", "b", "c", "d"):
        label, speed = behave(share, session, n_frames=1200)
        assert abs(label.mean() - share) <= 0.08
        assert np.array_equal(label, speed > 0.5)
        starts = np.flatnonzero(np.diff(label.astype(int)) == 1)
        assert 3 <= len(starts) <= 8  # cycles of about 8 s in 40 s


def test_run_share_strays_as_far_as_the_jitter_says():
    def strays(jitter):
        made = [behave(0.5, f"s{i}", share_jitter=jitter, n_frames=600) for i in range(8)]
        return max(abs(label.mean() - 0.5) for label, _ in made)

    assert strays(0) < 0.005  # whole frames
    assert 0.1 < strays(0.2) < 0.205


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    share=st.floats(*simulate.SHARE_LIMITS),
    n_frames=st.integers(60, 900),
    seed=st.integers(0, 2**40),
)
def test_any_session_has_both_states(share, n_frames, seed):
    label, speed = behave(share, n_frames=n_frames, seed=seed)
    assert 0 < label.mean() < 1
    assert np.array_equal(label, speed > 0.5)
    assert np.isfinite(speed).all()
    assert speed.min() >= 0
    if n_frames >= 600:
        assert abs(label.mean() - share) <= 0.08


# --- the planted signal ------------------------------------------------------------------------


def test_without_a_signal_the_movie_knows_nothing_of_the_behaviour():
    a = make(run_signal=0, run_share=0.3)
    b = make(run_signal=0, run_share=0.8, lead_s=-1, cycle_s=3, run_speed=20)
    assert not np.array_equal(a.label, b.label)
    assert np.array_equal(a.frames, b.frames)
    assert not a.truth.signal.any()


def test_with_a_signal_the_movie_follows_the_behaviour():
    assert not np.array_equal(make(run_share=0.3).frames, make(run_share=0.8).frames)


def quiet(**given_settings):
    """Make a recording with next to no noise: what remains is what was planted."""
    none = {"slow_amplitude": 0, "fast_amplitude": 0, "bleach_fraction": 0, "photons": 30000}
    more = {"n_frames": 900, "image_size": 64, "gain": 1, "run_signal": 0.2, "cycle_s": 6}
    return make(**(none | more | given_settings))


def change_when_running(made):
    """Return (mean while running) / (mean at rest) - 1 of each ROI, (50,)."""
    drive = made.truth.run_drive
    light = made.rois - made.truth.attributes["dark_offset"]
    return light[:, drive > 0.95].mean(1) / light[:, drive < 0.05].mean(1) - 1


def test_planted_rois_rise_with_running_left_more_than_right():
    made = quiet(global_fraction=0)
    change = change_when_running(made)
    planted = np.array([6, 8, 31, 33]) - 1
    others = np.setdiff1d(np.arange(50), planted)
    assert change[planted].min() > 0.05
    assert np.abs(change[others]).max() < 0.003
    assert change[[5, 7]].mean() / change[[30, 32]].mean() == pytest.approx(1.5, rel=0.15)
    assert np.flatnonzero(made.truth.roi_signal).tolist() == planted.tolist()


def test_other_rois_can_carry_the_signal_and_all_cortex_shares_a_part():
    made = quiet(signal_rois=[20], global_fraction=0.1)
    change = change_when_running(made)
    assert change.argmax() == 19
    assert np.median(change) == pytest.approx(0.02, abs=0.004)  # 0.1 of run_signal


def test_truth_map_is_zero_away_from_the_signal_rois():
    truth = make(image_size=128).truth
    rows, columns = np.mgrid[:128, :128]
    x, y = truth.roi_xy[np.array([6, 8, 31, 33]) - 1].T
    nearest = np.hypot(columns[..., None] - x, rows[..., None] - y).min(-1)
    assert truth.signal[nearest > 0.055 * 128].max() == 0
    assert truth.signal[nearest < 0.02 * 128].min() > 0.3 * 0.02
    assert truth.signal.max() == pytest.approx(0.02, rel=0.05)
    assert truth.brain[truth.signal > 0].all()


def test_where_two_areas_overlap_the_larger_signal_counts():
    def planted(rois):
        return make(image_size=64, n_frames=60, signal_rois=rois, signal_radius=0.2).truth.signal

    one, other, both = planted([6]), planted([8]), planted([6, 8])
    assert ((one > 0) & (other > 0)).sum() > 100
    np.testing.assert_array_equal(both, np.maximum(one, other))


@pytest.mark.parametrize("lead_s", [-0.5, 0.0, 1.0])
def test_lag_between_behaviour_and_signal_is_the_kinetics_less_the_lead(lead_s):
    made = quiet(lead_s=lead_s, global_fraction=0)
    signal = np.diff(made.rois[5])  # of a step, the derivative is the kernel: it peaks early
    label = np.diff(made.label.astype(float))
    lags = np.arange(-45, 46)
    fit = [np.dot(np.roll(label, lag)[50:-50], signal[50:-50]) for lag in lags]
    # The kernel peaks tau_rise * ln(1 + tau_decay / tau_rise) = 0.048 s after the drive.
    expected = 30 * (0.02 * np.log(11) - lead_s)
    assert abs(lags[np.argmax(fit)] - expected) <= 1.5


def test_areas_lead_and_lag_and_fall_silent_each_by_itself():
    each = {
        "signal_rois": [6, 20, 31],
        "signal_leads_s": [0.5, -0.4, 0],
        "signal_gains": [1, 2, -1],
    }
    made = quiet(lead_s=0.1, global_fraction=0, **each)
    label = np.diff(made.label.astype(float))
    lags = np.arange(-45, 46)
    found = {}
    for roi in each["signal_rois"]:
        signal = np.diff(made.rois[roi - 1])
        fit = [np.dot(np.roll(label, lag)[50:-50], signal[50:-50]) for lag in lags]
        at = np.argmax(np.abs(fit))
        found[roi] = lags[at], np.sign(fit[at])
    kinetics = 30 * 0.02 * np.log(11)  # the kernel's peak after the drive
    for roi, lead, sign in ((6, 0.6, 1), (20, -0.3, 1), (31, 0.1, -1)):
        assert abs(found[roi][0] - (kinetics - 30 * lead)) <= 1.5
        assert found[roi][1] == sign
    signal = made.truth.roi_signal
    assert np.flatnonzero(signal).tolist() == [5, 19, 30]
    assert signal[19] / signal[5] == pytest.approx(2, rel=0.2) and signal[30] < 0


def test_lists_of_the_defaults_make_the_same_movie(tmp_path):
    plain = make()
    same = make(signal_leads_s=[0, 0, 0, 0], signal_gains=[1, 1, 1, 1])
    assert np.array_equal(plain.frames, same.frames)
    assert not np.array_equal(plain.frames, make(signal_leads_s=[0, 0, 0, 0.1]).frames)
    for name, one in (("none", plain), ("some", make(signal_leads_s=[0, 0, -0.5, 1]))):
        simulate.write_session(one, tmp_path / name)
    with h5py.File(tmp_path / "none/m1_s1_truth.h5") as truth:
        assert len(truth.attrs["signal_leads_s"]) == 0
    with h5py.File(tmp_path / "some/m1_s1_truth.h5") as truth:
        assert truth.attrs["signal_leads_s"].tolist() == [0, 0, -0.5, 1]


def test_leads_and_gains_can_be_given_as_flags(tmp_path):
    words = ["--signal-rois", 6, 8, "--signal-leads-s", -0.2, 0.2, "--signal-gains", 1, -1]
    size = ["--n-frames", 90, "--image-size", 32, "--mice", 1, "--sessions", 1]
    run_verb("--out", tmp_path, *size, *words)
    with h5py.File(tmp_path / "m1_s1_truth.h5") as truth:
        assert truth.attrs["signal_gains"].tolist() == [1, -1]
        assert truth.attrs["signal_leads_s"].tolist() == [-0.2, 0.2]


def test_run_drive_has_the_indicators_rise_and_decay():
    made = make(n_frames=900, tau_decay_s=0.6, lead_s=0)
    drive, label = made.truth.run_drive, made.label
    assert 0 <= drive.min() < 0.01
    assert 0.99 < drive.max() <= 1 + 1e-12
    ends = np.flatnonzero(np.diff(label.astype(int)) == -1)
    end = next(e for e in ends if e + 45 < 900 and not label[e + 1 : e + 40].any())
    assert drive[end + 31] / drive[end + 7] == pytest.approx(np.exp(-24 / 30 / 0.6), rel=0.02)


@pytest.mark.parametrize("lead", [-12, 0, 5])
def test_run_drive_is_the_sum_of_what_each_frame_adds(lead):
    """By a slow loop: a frame of run adds the kernel from `lead` frames before it on."""
    made = make(lead_s=lead / 30)
    t = np.arange(50) / 30
    kernel = (1 - np.exp(-t / 0.02)) * np.exp(-t / 0.2)
    held = np.r_[[made.label[0]] * 100, made.label, [made.label[-1]] * 100]
    expected = [np.dot(kernel, held[100 + i + lead - np.arange(50)]) for i in range(150)]
    np.testing.assert_allclose(made.truth.run_drive, expected / kernel.sum(), atol=1e-3)


# --- anatomy -----------------------------------------------------------------------------------


def test_right_rois_mirror_left_rois():
    straight = make(position_jitter=0, rotation_sd=0).truth.roi_xy
    assert straight[:25, 0] + straight[25:, 0] == pytest.approx(np.full(25, 31.0))
    assert straight[:25, 1] == pytest.approx(straight[25:, 1])
    assert (straight[:25, 0] < 15.5).all()  # 1-25 are on the left
    turned = make(position_jitter=0.03, rotation_sd=10).truth.roi_xy
    between = turned[25:] - turned[:25]  # all across one midline: parallel
    assert np.ptp(np.arctan2(between[:, 1], between[:, 0])) < 1e-9
    assert abs(np.arctan2(*between[0][::-1])) > 0.01


@pytest.mark.parametrize("mouse", ["m1", "m2", "m3", "m4", "m5"])
def test_brain_turns_and_shifts_with_its_rois(mouse):
    placed = {"position_jitter": 0.03, "rotation_sd": 10}
    truth = make(mouse=mouse, image_size=128, n_frames=60, **placed).truth
    middle = (truth.roi_xy[:25] + truth.roi_xy[25:]) / 2  # on the midline
    across = truth.roi_xy[25] - truth.roi_xy[0]
    across /= np.linalg.norm(across)
    rows, columns = np.mgrid[:128, :128]
    pixels = np.stack([columns, rows], -1)
    mirrored = pixels - 2 * ((pixels - middle[0]) @ across)[..., None] * across
    x, y = np.clip(np.rint(mirrored).astype(int), 0, 127).transpose(2, 0, 1)
    assert (truth.brain == truth.brain[y, x]).mean() > 0.97


def test_mice_differ_in_brightness_and_bleaching():
    made = [
        make(mouse=m, slow_amplitude=0, fast_amplitude=0, bleach_fraction=0.2, bleach_time_s=1)
        for m in ("m1", "m2", "m3")
    ]
    bright = [np.percentile(m.frames[:5] - 100.0, 95) for m in made]
    assert len({round(b, -1) for b in bright}) == 3
    traces = [(m.frames - 100.0).mean((1, 2)) for m in made]
    lost = [1 - trace[-5:].mean() / trace[0] for trace in traces]
    assert all(0.08 < fraction < 0.31 for fraction in lost)
    assert np.ptp(lost) > 0.01


def test_spontaneous_activity_is_slow_and_shared_by_neighbours():
    made = quiet(run_signal=0, slow_amplitude=0.05, n_frames=1800)
    rois = made.rois - made.rois.mean(1, keepdims=True)
    correlation = np.corrcoef(rois)
    distance = np.linalg.norm(made.truth.roi_xy[:, None] - made.truth.roi_xy[None], axis=-1) / 64
    near, far = (distance > 0) & (distance < 0.1), distance > 0.4
    assert correlation[near].mean() > 0.6
    assert abs(correlation[far].mean()) < 0.1
    lagged = [np.mean(rois[:, lag:] * rois[:, : rois.shape[1] - lag]) for lag in (0, 6, 90)]
    assert lagged[1] > 0.8 * lagged[0]  # after 0.2 s
    assert lagged[2] < 0.3 * lagged[0]  # after 3 s


def test_roi_groups_lie_where_the_areas_are():
    x, y = make(position_jitter=0, rotation_sd=0).truth.roi_xy[:25].T
    lateral = 15.5 - x

    def middle(values, first, last):
        return values[first - 1 : last].mean()

    areas = [(1, 4), (6, 9), (14, 17), (18, 21)]  # motor, limbs, parietal, visual
    assert sorted(areas, key=lambda a: middle(y, *a)) == areas  # front to back
    assert middle(lateral, 22, 25) > max(middle(lateral, *a) for a in areas)  # auditory
    assert lateral[15:17].max() < lateral[[11, 12, 13, 14]].min()  # retrosplenial: at the midline


@pytest.mark.parametrize("mouse", ["m1", "m2", "m3", "m4", "m5"])
def test_all_rois_are_on_the_brain_and_apart(mouse):
    truth = make(mouse=mouse, image_size=128, n_frames=60).truth
    columns, rows = np.rint(truth.roi_xy).astype(int).T
    assert truth.brain[rows, columns].all()
    distance = np.linalg.norm(truth.roi_xy[:, None] - truth.roi_xy[None], axis=-1)
    assert distance[~np.eye(50, dtype=bool)].min() > 2 * truth.roi_radius
    assert 0.4 < truth.brain.mean() < 0.7


@pytest.mark.parametrize("mouse", [f"x{i}" for i in range(10)])
def test_extreme_placement_keeps_rois_in_the_image(mouse):
    limits = {"position_jitter": 0.03, "rotation_sd": 10, "roi_radius": 0.01, "n_frames": 60}
    made = make(mouse=mouse, **limits)
    assert made.truth.roi_xy.min() > -0.5
    assert made.truth.roi_xy.max() < 31.5
    assert np.isfinite(made.rois).all()


# --- a mouse shifted on purpose ----------------------------------------------------------------


def test_a_turned_and_scaled_mouse_is_the_same_mouse_turned_and_scaled():
    straight = make(image_size=64).truth.roi_xy
    moved = make(image_size=64, rotation=90, scale=0.5).truth.roi_xy
    middle = straight.mean(0)
    x, y = (straight - middle).T
    assert moved - moved.mean(0) == pytest.approx(0.5 * np.stack([-y, x], -1))  # clockwise: y down


def test_a_missing_hemisphere_loses_its_light_and_the_other_keeps_it():
    placed = {"position_jitter": 0, "rotation_sd": 0}
    whole, half = quiet(**placed), quiet(missing_left=0.75, **placed)
    offset = half.truth.attributes["dark_offset"]
    ratio = (half.rois.mean(1) - offset) / (whole.rois.mean(1) - offset)
    assert ratio[:25] == pytest.approx(np.full(25, 0.25), abs=0.03)
    assert ratio[25:] == pytest.approx(np.ones(25), abs=0.03)


# --- faults of a recording ---------------------------------------------------------------------


def test_dropped_frames_repeat_the_frame_before_and_change_no_other():
    whole, lost = make(), make(dropped_frames=0.1)
    same = (lost.frames[1:] == lost.frames[:-1]).all((1, 2))
    assert same.sum() == 15  # a tenth of 150; two frames of noise are never equal
    kept = np.flatnonzero(~np.append(False, same))
    assert np.array_equal(lost.frames[kept], whole.frames[kept])
    assert np.array_equal(lost.label, whole.label)


def test_a_flash_adds_half_of_the_brightest_cortex_everywhere():
    plain, lit = quiet(), quiet(flashes=0.02)
    added = (lit.frames.astype(float) - plain.frames).mean((1, 2))
    flashed = added > 100
    assert flashed.sum() == 18  # 2 % of 900
    # 0.5 x 30,000 photons at 1 count each; shot noise of 4,096 pixels together: 2 counts
    assert added[flashed] == pytest.approx(np.full(18, 15_000), abs=20)
    assert np.array_equal(lit.frames[~flashed], plain.frames[~flashed])


def test_a_flickering_lamp_changes_all_pixels_of_a_frame_alike():
    plain, made = quiet(run_signal=0), quiet(run_signal=0, flicker=0.1)
    light = (made.frames - 100.0) / (plain.frames - 100.0)
    ratio = np.median(light, (1, 2))
    assert ratio.std() == pytest.approx(0.1, abs=0.01)  # SE of an SD of 900: 0.0024
    assert ratio.mean() == pytest.approx(1, abs=0.012)
    brain = made.truth.brain
    assert np.abs(light[:, brain] / ratio[:, None] - 1).mean() < 0.02  # shot noise: about 1 %


def test_flipped_bouts_are_a_share_of_the_bouts_and_the_truth_keeps_them(tmp_path):
    plain, made = make(n_frames=1800), make(n_frames=1800, flipped_bouts=0.25)
    assert np.array_equal(made.frames, plain.frames) and np.array_equal(made.speed, plain.speed)
    assert np.array_equal(made.truth.label, plain.label)
    edges = np.flatnonzero(np.diff(plain.label.astype(int))) + 1
    bouts = np.split(np.arange(1800), edges)
    wrong = [set((made.label != plain.label)[bout]) for bout in bouts]
    assert all(len(one) == 1 for one in wrong)  # whole bouts
    assert sum(True in one for one in wrong) == len(bouts) // 4
    simulate.write_session(made, tmp_path)
    behavior = scipy.io.loadmat(tmp_path / "m1_s1_behavior.mat")
    assert np.array_equal(behavior["runrest"][0], made.label)
    with h5py.File(tmp_path / "m1_s1_truth.h5") as truth:
        assert np.array_equal(truth["label"][:], plain.label)


def test_flipping_leaves_both_states():
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert set(simulate._flipped(np.array([1, 0, 1], np.uint8), 0.4, rng)) == {0, 1}
    two = np.array([1, 1, 0], np.uint8)
    assert np.array_equal(simulate._flipped(two, 0.4, rng), two)  # 0.8 bouts are none


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"session": "../escape"}, "session: '../escape'"),
        ({"session": ".hidden"}, "session"),
        ({"session": "a\n"}, "session"),
        ({"mouse": "a/b"}, "mouse"),
        ({"mouse": ""}, "mouse"),
        ({"run_share": 0}, "run_share"),
        ({"run_share": 1}, "run_share"),
        ({"run_share": float("nan")}, "run_share"),
        ({"signal_rois": [51]}, "signal_rois"),
        ({"signal_rois": [0]}, "signal_rois"),
        ({"signal_rois": []}, "signal_rois"),
        ({"lead_s": float("nan")}, "lead_s"),
        ({"signal_leads_s": [0.1]}, "signal_leads_s: 1 numbers, but signal_rois has 4"),
        ({"signal_leads_s": [9, 0, 0, 0]}, "signal_leads_s"),
        ({"signal_gains": [1, 1, 1, float("nan")]}, "signal_gains"),
        ({"signal_gains": [1, 1, 1, 0]}, "signal_gains: 0 plants nothing"),
        ({"n_frames": 10}, "n_frames"),
        ({"tau_decay_s": 0}, "tau_decay_s"),
        ({"scale": 1.5}, "ROI .* lies outside the image"),
        ({"run_signl": 0.1}, "did you mean 'run_signal'"),
    ],
)
def test_bad_settings_are_named(wrong, named):
    with pytest.raises(UserError, match=named):
        make(**wrong)


def test_a_missing_setting_is_not_guessed():
    settings = schema.defaults("simulate")
    del settings["lead_s"]
    with pytest.raises(TypeError, match="lead_s"):
        simulate.simulate_session(mouse="m", session="s", run_share=0.5, **settings)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--mouse", "m1"], "--session, --run-share"),
        (["--mice", 0], "mice"),
        (["--sessions", -1], "sessions"),
        (["--mouse", "m", "--session", "s", "--run-share", 0.5, "--mice", 3], "--mice"),
        (["--mouse", "m", "--session", "../s", "--run-share", 0.5], "session"),
        (["--signal-rois", 6, 99], "signal.rois"),
    ],
)
def test_bad_flags_are_named_and_nothing_is_written(tmp_path, words, named):
    with pytest.raises(UserError, match=named):
        run_verb("--out", tmp_path, *words)
    assert list(tmp_path.iterdir()) == []


def test_schema_and_settings_agree_and_every_setting_is_used():
    described = schema.properties("simulate")
    assert set(described) == {field.name for field in fields(simulate.Settings)}
    assert all(spec["description"] and "default" in spec for spec in described.values())
    schema.check(schema.defaults("simulate"), "simulate", "")
    code = inspect.getsource(simulate) + inspect.getsource(simulated_mouse)
    assert [name for name in described if f"s.{name}" not in code] == []


def test_a_signal_that_drifts_moves_straight_on_and_nothing_else_does():
    def animal(**change):
        settings = schema.defaults("simulate", image_size=64, signal_rois=[6], **change)
        return simulated_mouse.make_mouse(simulate._checked(settings), np.random.default_rng(1))

    def centre(one):
        where = np.argwhere(one.signal > 0)
        return np.average(where, axis=0, weights=one.signal[tuple(where.T)])

    still, first, later = (animal(signal_drift=d, day=n) for d, n in ((0, 9), (0.01, 0), (0.01, 5)))
    np.testing.assert_array_equal(still.signal, first.signal)
    np.testing.assert_array_equal(first.light, later.light)
    np.testing.assert_array_equal(first.roi_xy, later.roi_xy)
    way = centre(later) - centre(first)
    assert np.linalg.norm(way) == pytest.approx(0.01 * 5 * 64, abs=0.15)
    twice = centre(animal(signal_drift=0.01, day=10)) - centre(first)
    np.testing.assert_allclose(twice, 2 * way, atol=0.3)


def test_a_planted_pupil_is_in_behaviour_and_in_its_rois_alone(tmp_path):
    """ROIs of the pupil follow it, with the indicator's delay; without it nothing is different."""
    settings = schema.defaults("simulate", n_frames=600, image_size=32, seed=5, global_fraction=0.0)
    about = {"mouse": "m1", "session": "s1", "run_share": 0.5}
    plain = simulate.simulate_session(**about, **settings)
    made = simulate.simulate_session(**about, **settings | {"pupil_signal": 0.2})
    assert plain.truth.pupil is None and (plain.speed == made.speed).all()
    pupil = made.truth.pupil
    assert abs(pupil.mean()) < 1e-9 and abs(pupil.std() - 1) < 1e-9
    chosen = np.array(settings["pupil_rois"]) - 1
    r = np.array([np.corrcoef(roi, pupil)[0, 1] for roi in made.rois])
    assert r[chosen].min() > 0.6 and np.abs(np.delete(r, chosen)).max() < r[chosen].min()
    simulate.write_session(made, tmp_path)
    behavior = scipy.io.loadmat(tmp_path / "s1_behavior.mat")
    np.testing.assert_allclose(behavior["pupil"][0], 30 + 5 * pupil)
    state = behavior["state"][0]
    assert np.array_equal(state, made.label * np.where(pupil > 0, 2, 1))
    assert {*np.unique(state)} == {0, 1, 2}
    simulate.write_session(plain, tmp_path)
    assert "pupil" not in scipy.io.loadmat(tmp_path / "s1_behavior.mat")


def test_areas_of_the_pupil_lead_it_as_those_of_running_do():
    def shift(lead_s):
        """Return by how many frames the pupil comes after what its first ROI shows."""
        plant = {"run_signal": 0, "pupil_signal": 0.2, "pupil_rois": [18], "lead_s": lead_s}
        made = quiet(image_size=32, n_frames=600, **plant)
        roi, pupil = made.rois[17][40:-40], made.truth.pupil
        fit = [np.corrcoef(roi, pupil[at : at + 520])[0, 1] for at in range(81)]
        return np.argmax(fit) - 40

    assert shift(0.0) in (-7, -6)  # the indicator's answer comes 0.2 + 0.018 s later on average
    assert shift(0.5) - shift(0.0) == 15 and shift(-0.5) - shift(0.0) == -15


@pytest.mark.parametrize(("roi", "share"), [(25, 1), (26, 1.5), (1, 1), (50, 1.5)])
def test_areas_of_running_and_of_the_pupil_are_weaker_on_the_right(roi, share):
    about = {"image_size": 128, "pupil_signal": 0.3, "pupil_rois": [roi], "left_right": 1.5}
    about |= {"run_signal": 0.2, "signal_rois": [roi]}
    settings = simulate._checked(schema.defaults("simulate", **about))
    animal = simulated_mouse.make_mouse(settings, np.random.default_rng(1))
    assert animal.pupil.max() == pytest.approx(0.3 / share, rel=0.05)
    assert animal.signal.max() == pytest.approx(0.2 / share, rel=0.05)


def test_what_is_no_number_and_what_is_no_truth_are_refused(tmp_path):
    for value in (float("nan"), float("inf")):  # either passes a minimum, and NaN a maximum
        with pytest.raises(
            UserError, match=rf"simulate\.run_signal: {value} is not of type 'number'"
        ):
            simulate._checked(schema.defaults("simulate", run_signal=value))
    with pytest.raises(UserError, match=r"t\.h5: no truth of `mesodecode simulate` with labels"):
        truth.true_labels(tmp_path / "t.h5")
