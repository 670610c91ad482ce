"""Quality control: planted faults get their verdict, and nothing else does."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import tifffile
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from drawn import as_drawn
from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table
from mesodecode.cli import main
from mesodecode.recordings import qc, qc_figure, qc_measures
from mesodecode.recordings.locomotion import bouts
from mesodecode.recordings.qc_measures import Measured, frame_codes, read_measures
from mesodecode.recordings.recording import Recording
from mesodecode.study import schema
from mesodecode.study.targets import Target

T, RATE = 1200, 20.0  # frames, frames/s: one minute
SETTINGS = schema.defaults("qc")


class Stack:
    def __init__(self, frames):
        self.frames, self.path = frames, Path("s1.tif")
        self.shape, self.dtype = frames.shape, frames.dtype

    def blocks(self, size):
        for start in range(0, len(self.frames), size):
            yield start, self.frames[start : start + size]


def measured(frames, size=100, **channels):
    movie = Measured(Stack(frames.copy()), **channels)
    for _, block in movie.blocks(size):
        block[:] = 0  # the caller's own from here on
    return movie


def measures_of(*what, **options):
    return measured(*what, **options).result()


def brain(n=T, seed=0):
    """Frames (T, 24, 24) of a smooth random image with noise."""
    rng = np.random.default_rng(seed)
    image = gaussian_filter(rng.standard_normal((40, 40)), 2)[8:32, 8:32]
    image = 300 + 500 * (image - image.min()) / np.ptp(image)
    return np.rint(image + 10 * rng.standard_normal((n, 24, 24))).astype(np.uint16)


def session_of(frames=None, labels=None, **known):
    frames = brain() if frames is None else frames
    labels = np.arange(len(frames)) // 100 % 2 if labels is None else labels
    found = measures_of(frames)
    recording = Recording(
        **{"path": Path("s1.h5"), "session": "s1", "mouse": "m1", "frame_rate": RATE},
        **{"labels": labels.astype(np.uint8), "rois": None, "stack_sd": 1.0},
        **{"pixel_mean": found.mean, "shape": frames.shape, "segment": None, "speed": None} | known,
        unit=measured(frames).unit,
    )
    return qc.Session(recording, found, found)


def verdicts(session, **settings):
    table = qc.check_session(session, SETTINGS | settings)
    return table.set_index("check")


NEEDS_TIMES = {"dropped_frames", "frame_jitter", "frame_rate_error"}


def test_a_good_session_passes_every_check():
    table = verdicts(session_of())
    assert list(table.index) == list(schema.properties("qc")) == list(qc.CHECKS)
    for check, row in table.iterrows():
        unknown = check in NEEDS_TIMES | {"labels_by_speed"}
        assert row["verdict"] == ("skipped" if unknown else "pass"), (check, row["words"])
    speed = np.where(np.arange(T) // 100 % 2, 4.0, 0.1)
    known = verdicts(session_of(time=np.arange(T) / RATE, speed=speed))
    assert set(known["verdict"]) == {"pass"}


def test_a_movie_of_two_wavelengths_that_was_read_as_one_is_asked_about():
    frames = brain()
    frames[1::2] //= 2
    words = verdicts(session_of(frames)).loc["flashes", "words"]
    assert "do wavelengths take turns in its frames? see corrections: channels" in words
    words = verdicts(session_of(**flashing())).loc["flashes", "words"]
    assert words.endswith("by more than 5% between 2 pairs of frames, first to frame 300")


def test_a_part_that_is_in_the_movie_twice_is_found():
    """As where a copy of a part lies beside it: no frame equals the one before."""
    frames = brain()
    frames[900:] = frames[400:700]
    session = replace(session_of(frames), codes=frame_codes(frames))
    row = verdicts(session).loc["repeated_frames"]
    assert (row["verdict"], row["value"]) == ("fail", 300 / T)
    assert (
        "300 an earlier one, as frame 900 does frame 400: is a part of the movie in it"
        in (row["words"])
    )
    frames[100:110] = frames[99]  # counted once: they equal the one before
    session = replace(session_of(frames), codes=frame_codes(frames))
    row = verdicts(session).loc["repeated_frames"]
    assert row["value"] == 310 / T
    assert row["words"].startswith("10 of 1,200 frames equal the one before, 300 an earlier one")
    whole = replace(session_of(), codes=frame_codes(brain()))
    assert verdicts(whole).loc["repeated_frames", "value"] == 0


# --- planted faults ----------------------------------------------------------------------------


def flashing():
    frames = brain()
    frames[300:302] += 100  # two frames: brighter by a fifth
    return {"frames": frames}


def repeated():
    frames = brain()
    frames[700:724] = frames[699]
    return {"frames": frames}


def saturated():
    frames = brain()
    frames[:, 3, 3] = 4095
    frames[50:70, 10, :] = 4095  # 24 of 576 pixels: 4 %
    return {"frames": frames}


def bleached(share):
    decay = 1 - share * np.arange(T) / T
    return {"frames": (brain() * decay[:, None, None]).astype(np.uint16)}


def moved():
    frames = brain()
    return {"frames": np.concatenate([frames[:600], np.roll(frames[600:], 2, axis=2)])}


def to_both_sides():
    frames = brain()
    for part, rows, columns in ((slice(480, 840), 0, 2), (slice(840, None), 0, -2)):
        frames[part] = np.roll(frames[part], (rows, columns), axis=(1, 2))
    return {"frames": frames}


def lost():
    time = np.arange(T) / RATE
    time[400:] += 3 / RATE
    time[700:] += 1 / RATE
    return {"time": time}


def jittered():
    return {"time": np.arange(T) / RATE + np.random.default_rng(0).uniform(0, 0.4, T) / RATE}


# fault -> (session, {check: (verdict, value)}): every other check passes
FAULTS = {
    "short": (
        {"frames": brain(400), "labels": np.arange(400) // 40 % 2},
        {"duration": ("warn", 400 / 20 / 60)},
    ),
    "too short": (
        {"frames": brain(100), "labels": np.arange(100) // 10 % 2},
        {"duration": ("fail", 1 / 12)},
    ),
    "rests": (
        {"labels": np.isin(np.arange(T), [1, 2, 20, 21, 40, 41, 80, 81])},
        {"rarer_state": ("fail", 8 / T), "median_bout": ("warn", 0.1)},
    ),
    "one state": (
        {"labels": np.zeros(T)},
        {"rarer_state": ("fail", 0), "bouts": ("fail", 0), "median_bout": ("pass", T / RATE)},
    ),
    "one bout": ({"labels": np.arange(T) < 300}, {"bouts": ("fail", 1)}),
    "flicker": ({"labels": np.arange(T) % 4 < 2}, {"median_bout": ("warn", 0.1)}),
    "flash": (flashing(), {"flashes": ("warn", 2 / T)}),
    "repeated": (repeated(), {"repeated_frames": ("fail", 24 / T)}),
    # a pixel of 576 in all frames, 24 pixels less that one in 20 frames; 20 of 1200 frames
    "saturated": (
        saturated(),
        {
            "saturated_pixels": ("warn", (T + 20 * 24) / (T * 576)),
            "saturated_frames": ("fail", 20 / T),
            "flashes": ("warn", 2 / T),
            "drift": ("fail", None),  # a white line in one part's mean image
        },
    ),
    "bleached": (bleached(0.2), {"bleaching": ("warn", 0.2)}),
    "dark": (bleached(0.5), {"bleaching": ("fail", 0.5), "drift": ("pass", 0.0)}),
    "moved": (moved(), {"drift": ("warn", 2.0)}),
    "moved to both sides": (to_both_sides(), {"drift": ("fail", 4.0)}),  # 2 px and back, and 2 more
    "lost": (lost(), {"dropped_frames": ("warn", 4 / (T + 4)), "frame_jitter": ("pass", 0.0)}),
    # the difference of two uniform numbers in 0 … 0.4 has SD 0.4 / sqrt(6)
    "jitter": (jittered(), {"frame_jitter": ("warn", 0.4 / 6**0.5)}),
    "other rate": (
        {"time": np.arange(T) / (1.03 * RATE)},
        {"frame_rate_error": ("warn", 0.03)},
    ),
}


MEASURED = {"bleaching", "drift", "frame_jitter"}  # others are counted


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_gets_its_verdict(fault):
    known, expected = FAULTS[fault]
    table = verdicts(session_of(**known))
    for check, row in table.iterrows():
        verdict, value = expected.get(check, ("pass", None))
        assert row["verdict"] in (verdict, "skipped"), (check, row["words"])
        if value is not None:
            about = {"abs": 0.01, "rel": 0.05} if check in MEASURED else {"rel": 1e-6}
            assert row["value"] == pytest.approx(value, **about), check
        fails = row["verdict"] == "fail"
        assert ("to leave it out: exclude: {s1: " in row["words"]) == fails
        assert row["words"].endswith(f": {' '.join(check.split('_'))}}}") == fails


def test_what_is_said_of_times_and_bouts_has_their_numbers():
    """Six frames at 10/s: run in three of them, a gap of two frames, a frame 20 ms late."""
    labels, time = np.array([0, 0, 1, 1, 1, 0]), np.array([0, 0.1, 0.2, 0.5, 0.62, 0.72])
    session = session_of(brain(6), labels, time=time)
    session = replace(session, recording=replace(session.recording, frame_rate=10.0))
    found = {name: qc.CHECKS[name].measure(session) for name in [*qc.CHECKS][:8]}
    assert found.pop("labels_by_speed")[1] == "no speed"
    late = np.std([0.1, 0.1, 0.12, 0.1])
    expected = {
        "duration": (0.01, "0.01 min: 6 frames of movie and behaviour, 10/s"),
        "rarer_state": (0.5, "the mouse runs in 50.0% of the frames"),
        "bouts": (1, "1 of run, 2 of rest"),
        "median_bout": (0.15, "0.3 s of run, 0.15 s of rest"),  # of 0.2 and 0.1 s of rest
        "dropped_frames": (2 / 8, "2 frames missing, the longest gap 0.3 s"),
        "frame_jitter": (10 * late, "intervals of 100 ± 8.7 ms"),
        "frame_rate_error": (0, "10 frames/s by the time stamps, 10 in the config"),
    }
    for name, (value, words) in found.items():
        assert value == pytest.approx(expected[name][0], abs=1e-9), name
        assert words == expected[name][1]
    slow = replace(session, recording=replace(session.recording, frame_rate=8.0))
    assert qc.frame_rate_error(slow)[0] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("unit", "first", "last", "value", "words"),
    [
        ("counts", 200, 150, 0.25, "-25.0% brightness from beginning to end, -50.00% a minute"),
        ("counts", 100, 110, 0.1, "+10.0% brightness from beginning to end, +20.00% a minute"),
        ("dff", 0.1, -0.1, 0.2, "-20.0% brightness from beginning to end, -40.00% a minute (ΔF/F)"),
    ],
)
def test_bleaching_is_a_share_of_the_beginning_but_of_changes_themselves(
    unit, first, last, value, words
):
    trace = SimpleNamespace(brightness=np.linspace(first, last, 600))
    known = SimpleNamespace(frame_rate=20.0)  # half a minute
    session = SimpleNamespace(light=True, unit=unit, decoded=trace, recording=known)
    assert qc.bleaching(session) == (pytest.approx(value), words)


def test_what_a_correction_did_is_said_with_the_sd_before_and_after():
    kinds = {"step": "motion", "value": 0.5, "unit": "px", "words": "moved"}
    effects = [
        kinds | {"sd_before": 0.03, "sd_after": 0.01},
        kinds | {"step": "binning", "sd_before": np.nan, "sd_after": 0.01},
    ]
    table = qc.check_session(replace(session_of(brain(6)), effects=effects), SETTINGS)
    done = table[table["verdict"] == "done"].set_index("check")["words"].to_dict()
    said = "moved; SD over time 3.00% → 1.00%"
    assert done == {"corrected: motion": said, "corrected: binning": "moved"}


def test_the_path_of_the_image_is_where_it_went_in_rows_and_columns():
    frames = brain(400)
    frames[200:] = np.roll(frames[200:], (3, -2), axis=(1, 2))
    path = qc.drift_path(session_of(frames))
    np.testing.assert_allclose(path, np.repeat([[0, 0], [3, -2]], 10, axis=0), atol=0.1)


def test_a_session_lists_the_checks_that_it_fails_and_those_that_warn():
    checks = {"drift": "fail", "median_bout": "warn", "flashes": "pass", "rarer_state": "fail"}
    table = pd.DataFrame({"check": [*checks, "drift"], "verdict": [*checks.values(), "pass"]})
    table = table.assign(mouse="m", session=["a"] * 4 + ["b"])
    of_a = {"verdict": "fail", "failed": ["drift", "rarer state"], "warned": ["median bout"]}
    of_b = {"verdict": "pass", "failed": [], "warned": []}
    rows = [{"mouse": "m", "session": "a"} | of_a, {"mouse": "m", "session": "b"} | of_b]
    assert qc.by_session(table) == rows


def test_thresholds_come_from_the_config():
    session = session_of(**bleached(0.2))
    assert verdicts(session)["verdict"]["bleaching"] == "warn"
    assert verdicts(session, bleaching=[0.1, 0.15])["verdict"]["bleaching"] == "fail"
    assert verdicts(session, bleaching=[0.3, 0.5])["verdict"]["bleaching"] == "pass"


@pytest.mark.parametrize(
    ("value", "below", "verdict"),
    [
        *[(0.0, False, "pass"), (0.1, False, "pass"), (0.11, False, "warn"), (0.3, False, "warn")],
        *[(0.31, False, "fail"), (np.nan, False, "skipped"), (np.nan, True, "skipped")],
    ],
)
def test_a_threshold_itself_still_passes(value, below, verdict):
    assert qc.judge(value, 0.1, 0.3, below=below) == verdict


def test_brightness_is_judged_by_the_frames_of_the_signal():
    """A flash in one of two channels, taken in turn or told apart by light sources."""
    frames = brain(2 * T)
    recorded = measures_of(flash(frames, 601))  # the 301st frame of the second channel
    decoded = session_of(brain())
    by_turn = [{"channels": 2, "signal_channel": n} for n in (1, 2)]
    even = np.arange(0, 2 * T, 2)
    for of_first, of_second in (
        ({"settings": by_turn[0]}, {"settings": by_turn[1]}),
        ({"signal_frames": even}, {"signal_frames": even + 1}),
    ):
        for known, n_flashes in ((of_first, 0), (of_second, 2)):  # up, and down again
            session = replace(decoded, recorded=recorded, **known)
            assert len(session.brightness) == T
            changes = np.abs(np.diff(session.brightness)) / session.brightness.mean()
            assert (changes > qc.FLASH).sum() == n_flashes
            value = verdicts(session).loc["flashes", "value"]
            assert (value > 0) == (n_flashes > 0)


def flash(frames, at):
    frames = frames.copy()
    frames[at] += 100
    return frames


def test_low_values_are_bad_where_the_schema_says_so():
    assert [qc.judge(v, 4, 2, below=True) for v in (5, 4, 3, 2, 1)] == [
        *("pass", "pass", "warn", "warn", "fail"),
    ]
    below = {name for name, spec in schema.properties("qc").items() if spec.get("below")}
    assert below == {"duration", "rarer_state", "bouts", "median_bout"}


# frame by frame: speed, label (1 run), share that no threshold explains; each pattern 40 times over
@pytest.mark.parametrize(
    ("speed", "label", "share", "verdict"),
    [
        ([0, 0, 5, 5], [0, 0, 1, 1], 0, "pass"),
        ([0, 1, 2, 3], [0, 0, 0, 1], 0, "pass"),  # of any threshold: here 2 cm/s
        # above 1 cm/s: all of run, and one of three frames of rest
        ([0, 1, 2, 2], [0, 0, 0, 1], 1 / 6, "warn"),
        # a fifth of both states is the other one
        ([0] * 5 + [5] * 5, [0, 0, 0, 0, 1, 1, 1, 1, 1, 0], 0.2, "pass"),
        ([0, 0, 5, 5], [1, 1, 0, 0], 0.5, "fail"),  # 1 stands for rest
        ([0, np.nan, 5, np.nan], [0, 1, 1, 0], 0, "pass"),  # speed not known: not counted
        ([0, 0, 0, 0], [0, 0, 1, 1], np.nan, "skipped"),
        ([0, 1, 2, 3], [0, 0, 0, 0], np.nan, "skipped"),
    ],
)
def test_labels_should_follow_from_the_speed(speed, label, share, verdict):
    speed, label = np.tile(speed, T // len(speed)), np.tile(label, T // len(label))
    session = session_of(labels=label, speed=speed.astype(np.float32))
    row = verdicts(session, labels_by_speed=[0.1, 0.3] if share < 0.2 else [0.2, 0.3])
    row = row.loc["labels_by_speed"]
    assert row["value"] == pytest.approx(share, nan_ok=True)
    assert row["verdict"] == verdict, row["words"]


def test_the_speed_that_divides_best_is_named():
    speed = np.tile([0, 1, 2, 2.0], T // 4)
    words = verdicts(session_of(labels=np.tile([0, 0, 0, 1], T // 4), speed=speed))["words"]
    assert words["labels_by_speed"].startswith(
        "0.0% of run at or below 1 cm/s, 33.3% of rest above"
    )


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40))
def test_the_best_threshold_is_that_of_every_threshold(frames):
    speed, label = (np.array(values) for values in zip(*frames, strict=True))
    assume(0 < label.sum() < len(label) and np.ptp(speed) > 0)
    known = SimpleNamespace(speed=speed, labels=label.astype(np.uint8))
    found, _ = qc.labels_by_speed(SimpleNamespace(recording=known))
    slow = [np.mean(speed[label] <= c) for c in range(-1, 7)]
    fast = [np.mean(speed[~label] > c) for c in range(-1, 7)]
    assert found == pytest.approx(min(np.add(slow, fast)) / 2)


def test_segments_end_bouts_and_are_no_gaps():
    time = np.arange(T) / RATE + 100 * (np.arange(T) >= 600)
    frames = brain()
    frames[600:] += 200  # another trial, another brightness
    known = {"time": time, "labels": np.arange(T) // 150 % 2}
    whole = verdicts(session_of(frames, **known), bleaching=[1, 1])
    parts = session_of(frames, **known, segment=np.arange(T) // 600)
    cut = verdicts(parts, bleaching=[1, 1])
    assert whole["verdict"][["dropped_frames", "flashes"]].tolist() == ["fail", "pass"]
    assert whole["value"]["flashes"] == 1 / T and cut["value"]["flashes"] == 0
    assert cut["value"]["dropped_frames"] == 0
    # run 150-299, 450-599, 750-899, 1050-1199: no bout crosses frame 600, where rest begins
    assert cut["value"]["bouts"] == whole["value"]["bouts"] == 4
    states, lengths = bouts(np.ones(10), np.arange(10) >= 4)
    assert (states.tolist(), lengths.tolist()) == ([1, 1], [4, 6])


def test_of_real_numbers_no_saturation_is_known():
    table = verdicts(session_of(brain().astype(np.float32)))
    assert table["verdict"]["saturated_pixels"] == "skipped"


LIGHT = {"flashes", "saturated_pixels", "saturated_frames", "bleaching", "drift"}


@pytest.mark.parametrize("kind", ["dff", "percent", "thousandths", "over a percentile"])
def test_of_a_movie_of_changes_nothing_is_judged_that_is_of_counts(kind):
    light = brain().astype(float)
    values = light / light.mean(axis=0) - 1
    frames = {
        "dff": values.astype(np.float32),
        "percent": 100 * values,
        "thousandths": np.rint(1000 * values).astype(np.int16),
        "over a percentile": light / np.percentile(light, 10, axis=0) - 1,
    }[kind]
    session = session_of(frames)
    table = verdicts(session)
    unknown = NEEDS_TIMES | {"labels_by_speed"}
    for check, row in table.iterrows():
        assert row["verdict"] == ("skipped" if check in LIGHT | unknown else "pass"), check
    assert set(table["words"][list(LIGHT)]) == {
        "pixels around 0 (ΔF/F already), not the camera's counts of light"
    }
    assert list(qc.check_session(session, SETTINGS).columns) == qc.COLUMNS
    page = qc_figure.session_page(session, qc.check_session(session, SETTINGS))
    labels = [axes.get_ylabel() for axes in page.axes if axes.get_ylabel()]
    assert labels == ["Mean of\npixels"]  # no share of a brightness, and no position
    titles = {axes.get_title() for axes in page.axes}
    assert {"Mean", "SD over time"} <= titles
    bars = [image.colorbar for axes in page.axes for image in axes.images]
    assert [bar.orientation for bar in bars] == ["horizontal"] * 2  # below their images
    shown = " ".join(text.get_text() for axes in page.axes for text in axes.texts)
    for check in qc.check_session(session, SETTINGS)["check"]:
        assert check.replace("_", " ") in shown, check
    assert "Position" not in qc_figure.session_caption(session, table.reset_index())


@pytest.mark.parametrize(
    ("most", "dtype"),
    [
        *((255, np.uint8), (1023, np.uint16), (4095, np.uint16), (16383, np.uint16)),
        *((65535, np.uint16), (32767, np.int16), (4095, np.int32)),
        # shifted to the top of 16 bits: of 8, 10, 12 and 14 bits
        *((65280, np.uint16), (65472, np.uint16), (65520, np.uint16), (65532, np.uint16)),
    ],
)
def test_a_camera_is_full_at_the_top_of_its_bits_wherever_they_lie(most, dtype):
    frames = (brain(200) / 1000 * 0.9 * most).astype(dtype)
    assert verdicts(session_of(frames))["verdict"]["saturated_pixels"] == "pass"
    frames[:, 3, 3] = most
    row = verdicts(session_of(frames)).loc["saturated_pixels"]
    assert row["verdict"] in ("warn", "fail") and row["value"] == pytest.approx(1 / 576)
    assert f"at full scale, {most} counts" in row["words"]


def test_a_frame_is_a_full_one_above_a_hundredth_of_its_pixels():
    recorded = SimpleNamespace(
        saturated=np.array([0, 1, 2, 100]), mean=np.zeros((10, 10)), full_scale=255.0
    )
    found = qc.saturated_frames(SimpleNamespace(light=True, recorded=recorded))
    assert found == (0.5, "2 of 4 frames")


def test_a_highest_value_that_comes_once_is_no_full_camera():
    frames = np.minimum(brain(10), 4000)
    frames[4, 3, 3] = 4095
    row = verdicts(session_of(frames)).loc["saturated_pixels"]
    assert row["verdict"] == "pass" and row["value"] == 0


def test_bouts_of_run_and_rest_are_not_judged_where_they_are_not_decoded():
    session = session_of(labels=np.zeros(T), target=Target("pupil"), decoded=np.arange(T) % 7)
    rows = verdicts(session).loc[["rarer_state", "bouts", "median_bout"]]
    assert set(rows["verdict"]) == {"skipped"}
    assert set(rows["words"]) == {"run and rest are not decoded in this study"}


# --- what is measured --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size, tile", [(1, 600), (7, 600), (100, 1 << 19), (100, 20_000), (5000, 100)]
)  # 576 pixels: in tiles of all, of 85, of 200, and of 1
def test_measures_are_those_of_the_whole_movie(size, tile, monkeypatch):
    monkeypatch.setattr(qc_measures, "TILE", tile)
    frames = brain(230)
    frames[100] = frames[99]
    frames[55, 0, 0] = 4095
    found = measures_of(frames, size)
    exact = frames.astype(np.float64)
    np.testing.assert_allclose(found.brightness, exact.mean(axis=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(found.mean, exact.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.sd, exact.std(axis=0), rtol=1e-4)
    edges = np.linspace(0, 230, 21).astype(int)
    parts = [exact[a:b].mean(axis=0) for a, b in itertools.pairwise(edges)]
    np.testing.assert_allclose(found.parts, parts, rtol=1e-5)
    assert np.flatnonzero(found.repeated).tolist() == [100]
    assert found.full_scale == 4095 and np.flatnonzero(found.saturated).tolist() == [55]


@pytest.mark.parametrize("piece", [1, 3 * 576, 1 << 21])
@pytest.mark.parametrize("size", [7, 100])
def test_measures_are_those_of_frames_of_any_piece(piece, size, monkeypatch):
    monkeypatch.setattr(qc_measures, "PIECE", piece)
    frames = brain(73)
    frames[40:] += 100
    found = measures_of(frames, size)
    edges = np.linspace(0, 73, 21).astype(int)
    parts = [frames[a:b].mean(axis=0) for a, b in itertools.pairwise(edges)]
    np.testing.assert_allclose(found.parts, parts, rtol=1e-5)
    np.testing.assert_allclose(found.brightness, frames.mean(axis=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(found.sd, frames.std(axis=0), rtol=1e-4)


def test_full_scale_is_that_of_the_smallest_camera_that_fits():
    frames = np.full((6, 2, 2), 10, np.uint16)
    frames[0, 0, 0], frames[3, 0, 0] = 1023, 3000  # 10 bits at first, then it must be 12
    found = measures_of(frames, size=2)
    assert found.full_scale == 4095 and found.saturated.sum() == 0
    frames[4:] = 4095
    assert measures_of(frames, size=2).saturated.tolist() == [0, 0, 0, 0, 4, 4]
    assert measures_of(np.full((4, 2, 2), 255, np.uint8)).saturated.tolist() == [4] * 4
    # where no smaller camera reaches as far it is full at the most that the type holds
    for top, dtype, full in ((200, "u1", 255), (40000, "u2", 65535), (20000, "i2", 32767)):
        found = measures_of(np.full((4, 2, 2), top, dtype))
        assert (found.full_scale, found.saturated.sum()) == (full, 0)


def test_frames_repeat_within_their_channel():
    frames = brain(20)
    frames[12], frames[7] = frames[10], frames[6]
    assert np.flatnonzero(measures_of(frames, 3, channels=2).repeated).tolist() == [12]
    assert np.flatnonzero(measures_of(frames, 3).repeated).tolist() == [7]
    frames[13] = frames[10]  # of one of three channels; blocks may be shorter than a cycle
    for size in (1, 2, 3, 4, 100):
        by_two, by_three = (measures_of(frames, size, channels=n).repeated for n in (2, 3))
        assert (np.flatnonzero(by_two).tolist(), np.flatnonzero(by_three).tolist()) == ([12], [13])


def test_a_movie_is_measured_once_however_often_it_is_read():
    movie = Measured(Stack(brain(50)))
    for _ in range(2):
        for _, block in movie.blocks(8):
            assert len(block) <= 8
    np.testing.assert_allclose(movie.result().mean, brain(50).mean(axis=0), rtol=1e-6)


def test_bright_pixels_are_those_that_vary_and_have_half_the_light_of_the_brightest():
    mean = np.array([1000, 1000, np.nan, 500, 480, -600, 10])  # 99th percentile: 984
    sd = np.array([5, 0, 5, 1, 1, 1, 1.0])
    assert qc_measures.bright_pixels(mean, sd).tolist() == [1, 0, 0, 1, 0, 1, 0]
    assert not qc_measures.bright_pixels(mean, 0 * sd).any()


# --- the verb ----------------------------------------------------------------------------------


def preprocessed(folder, name="s1", frames=None, *flags):
    """Write and preprocess a session; return its recording and its measures."""
    folder.mkdir(exist_ok=True)
    movie, behavior = folder / f"{name}.tif", folder / f"{name}.mat"
    frames = brain(240) if frames is None else frames
    tifffile.imwrite(movie, frames, photometric="minisblack")
    scipy.io.savemat(behavior, {"runrest": (np.arange(240) // 20 % 2)[None]})
    paths = folder / f"{name}.h5", folder / f"{name}_measures.h5"
    words = ["--movie", movie, "--behavior", behavior, "--session", name, "--mouse", "m1"]
    words += ["--frame-rate", RATE, "--out", paths[0], "--measures", paths[1], *flags]
    assert main(["preprocess", *map(str, words)]) == 0
    return paths


def test_table_and_pages_of_two_sessions(tmp_path):
    dim = np.clip(brain(480) * np.linspace(1, 0.4, 480)[:, None, None], 0, 65535).astype(np.uint16)
    dim[1::2] //= 2  # blood, by another light
    flags = ["--channels", "2", "--reference-channel", "2", "--hemodynamics", "ratio", "--motion"]
    sessions = [preprocessed(tmp_path), preprocessed(tmp_path, "s2", dim, *flags)]
    with h5py.File(sessions[1][0], "a") as file:
        file["time"] = np.arange(240) / RATE
    plain, corrected = (qc.read_session(*paths) for paths in sessions)
    assert plain.shifts is plain.r2 is plain.settings is None and not plain.effects
    assert corrected.shifts.shape == (240, 2) and corrected.r2.shape == (24, 24)
    assert corrected.settings["channels"] == 2 and len(corrected.recorded.brightness) == 480
    assert len(corrected.decoded.brightness) == len(corrected.brightness) == 240
    recordings, measures = zip(*sessions, strict=True)
    out = tmp_path / "figures" / "qc"
    words = ["--recordings", *recordings, "--measures", *measures, "--out", out]
    words += ["--table", tmp_path / "qc.tsv", "--duration", "0.1", "0.01"]
    assert main(["qc", *map(str, words)]) == 0
    table = read_table(tmp_path / "qc.tsv", qc.COLUMNS, qc.NUMBERS)
    assert table.groupby("session").size().to_dict() == {"s1": 14, "s2": 17}
    rows = qc.by_session(table)
    assert [(row["session"], row["verdict"]) for row in rows] == [("s1", "pass"), ("s2", "pass")]
    done = table[table["verdict"] == "done"]
    assert done["check"].tolist() == [
        f"corrected: {x}" for x in ("channels", "motion", "hemodynamics")
    ]
    for name in ("s1", "s2"):
        svg = (out / f"{name}.svg").read_text()
        assert f"{name} (mouse m1): pass" in svg and "Quality of" in svg
        assert (out / f"{name}.png").stat().st_size > 10_000
    assert (tmp_path / "figures" / "qc.png").exists()
    assert "session (n = 2: 2 pass, 0 warn, 0 fail," in (tmp_path / "figures/qc.svg").read_text()


def test_what_was_assumed_of_files_is_a_warning_of_quality_control(tmp_path, capsys):
    tifffile.imwrite(tmp_path / "m.tif", brain(240), photometric="minisblack")
    wheel = pd.DataFrame({"time": np.arange(0, 16, 0.1)})  # s; the movie is 240 frames at 20/s
    wheel["rest"] = np.arange(len(wheel)) // 20 % 2
    wheel.to_csv(tmp_path / "m.csv", index=False)
    paths = tmp_path / "m.h5", tmp_path / "measures.h5"
    line = ["--movie", tmp_path / "m.tif", "--behavior", tmp_path / "m.csv", "--session", "s"]
    line += ["--mouse", "m1", "--frame-rate", 20, "--behavior-labels", "rest"]
    line += ["--behavior-time", "time", "--out", paths[0], "--measures", paths[1]]
    assert main(["preprocess", *map(str, line)]) == 0
    said = [each for each in capsys.readouterr().err.splitlines() if ".csv: " in each]
    found = qc.read_session(*paths)
    assert [f"{tmp_path}/{words}" for words in found.doubts] == said and len(said) == 2
    row = qc.check_session(found, {k: (1e9, 1e9) for k in qc.CHECKS}).iloc[-1]
    assert row["check"] == "doubts" and (row["value"], row["verdict"]) == (2, "warn")
    assert row["words"].startswith("m.csv: rest goes on to 15.9 s, the movie by frame_rate (20/s)")
    assert (
        "if both end together it is 15.09 | m.csv: 1 is taken for run, though 'rest' speaks of"
        in (
            row["words"]  # 240 / 15.9
        )
    )
    sure = row.to_frame().T.assign(session="other", check="drift", value=0.5, verdict="pass")
    both = pd.concat([sure, row.to_frame().T]).astype({"value": float})
    page = qc_figure.cohort_page(both).axes[0]
    assert [each.get_text() for each in page.get_xticklabels()] == ["drift (px)", "doubts"]
    assert [each.get_text() for each in page.texts] == ["0.5", "2 !"]
    line[line.index(20)] = 15.09
    assert main(["preprocess", *map(str, line)]) == 0
    assert [*qc.read_session(*paths).doubts] == [found.doubts[1]]
    (tmp_path / "m.csv").write_text((tmp_path / "m.csv").read_text().replace("rest", "run"))
    line[line.index("rest")] = "run"
    assert main(["preprocess", *map(str, line)]) == 0
    with h5py.File(paths[0]) as file:
        assert "doubts" not in file.attrs
    assert not qc.read_session(*paths).doubts


def test_two_sessions_of_one_movie_are_said(tmp_path, capsys):
    paths = [preprocessed(tmp_path, name) for name in ("s1", "s2")]
    words = ["--recordings", *next(zip(*paths, strict=True)), "--table", tmp_path / "t.tsv"]
    words += ["--measures", *(measures for _, measures in paths), "--out", tmp_path / "qc"]
    assert main(["qc", *map(str, words)]) == 0
    assert "session s2 of mouse m1: its movie has the same bytes" in capsys.readouterr().err
    assert (tmp_path / "qc" / "s2.svg").exists()


def test_the_page_says_which_axes_were_taken(tmp_path):
    recording, measures = preprocessed(tmp_path)
    for by, title, told in (
        ("the file", "axes TYX<", False),
        ("nothing", "axes TYX (assumed)<", True),
    ):
        with h5py.File(recording, "a") as file:
            file.attrs["movie_axes_by"] = by
        words = ["--recordings", recording, "--measures", measures, "--table", tmp_path / "t.tsv"]
        assert main(["qc", *map(str, [*words, "--out", tmp_path / "qc"])]) == 0
        svg = (tmp_path / "qc" / "s1.svg").read_text()
        assert title in svg
        assert ("set movie_axes" in svg) == told
    with h5py.File(recording, "a") as file:
        del file.attrs["movie_axes"], file.attrs["movie_axes_by"]  # of an earlier version
    session = qc.read_session(recording, measures)
    table = qc.check_session(session, SETTINGS)
    assert "movie_axes" not in qc_figure.session_caption(session, table)


def test_labels_of_a_page_stand_clear_of_the_numbers_and_inside_the_page():
    session = session_of()
    slow = 1 + 0.004 * np.sin(np.arange(T) / 90)  # -0.4 to 0.4 %: ticks of five characters
    session = replace(session, decoded=replace(session.decoded, brightness=200 * slow))
    page = qc_figure.session_page(session, qc.check_session(session, SETTINGS))
    as_drawn(page, "qc_session").canvas.draw()
    panels = [axes for axes in page.axes if axes.get_ylabel()]
    assert panels[0].get_ylabel() == "Brightness less\nits mean (%)" and len(panels) == 2
    for axes in panels:
        numbers = [x.get_window_extent() for x in axes.get_yticklabels() if x.get_text()]
        label = axes.yaxis.label.get_window_extent()
        assert label.x0 > 0 and label.x1 < min(box.x0 for box in numbers)
    right = max(x.get_window_extent().x1 for x in panels[-1].get_xticklabels())
    assert right < page.bbox.x1


def test_the_place_of_the_image_is_drawn_inside_its_panel_about_0():
    session = session_of(**moved())
    page = qc_figure.session_page(session, qc.check_session(session, SETTINGS))
    (place,) = (axes for axes in page.axes if axes.get_ylabel() == "Position\n(px)")
    low, high = place.get_ylim()
    drawn = np.concatenate([line.get_ydata() for line in place.lines])
    assert np.abs(drawn).max() == pytest.approx(2, abs=0.1) and -low == high > 2.1


def test_measures_of_another_session_are_refused(tmp_path, capsys):
    one, other = preprocessed(tmp_path), preprocessed(tmp_path, "s2")
    with pytest.raises(UserError, match="measures of session 's2' with 240 frames"):
        qc.read_session(one[0], other[1])
    with pytest.raises(UserError, match=r"s1\.tif: not the measures of a movie"):
        read_measures(tmp_path / "s1.tif")
    words = ["qc", "--recordings", str(one[0]), "--measures", str(one[1]), str(other[1])]
    assert main([*words, "--table", str(tmp_path / "t.tsv"), "--out", str(tmp_path / "f")]) == 1
    assert "1 recordings and 2 files of measures" in capsys.readouterr().err


def test_cohort_page_shows_every_session_and_verdict():
    tables = []
    for name, known in {"a": {}, "b": FAULTS["saturated"][0], "c": FAULTS["lost"][0]}.items():
        session = session_of(**known)
        tables.append(qc.check_session(session, SETTINGS).assign(session=name))
    table = pd.concat(tables, ignore_index=True)
    table.loc[(table["session"] == "a") & (table["check"] == "bleaching"), "value"] = 0.998
    figure = as_drawn(qc_figure.cohort_page(table), "qc_cohort")
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {"1.7% ✗", "0.33% !", "–", "100%"} <= words
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["a (m1)", "b (m1)", "c (m1)"]
    (legend,) = figure.legends
    signs = [text.get_text() for text in legend.get_texts()]
    assert signs == ["pass", "warn (!)", "fail (✗)", "not checked (–)"]
    assert "n = 3: 1 pass, 1 warn, 1 fail" in qc_figure.cohort_caption(table)
