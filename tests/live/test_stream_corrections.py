"""Frames corrected as they come are those of a recording that was corrected as a whole."""

from __future__ import annotations

import re

import numpy as np
import pytest

from make_recordings import DEFAULTS, Stack, interleave
from mesodecode.base.files import UserError
from mesodecode.live import stream_corrections
from mesodecode.live.frame_sources import Frame
from mesodecode.live.stream_corrections import Corrections, percentile
from mesodecode.recordings.corrections.chain import corrected
from mesodecode.recordings.qc_measures import Measured
from mesodecode.recordings.resizing import resize
from mesodecode.study import schema

N, H, W, RATE = 150, 7, 10, 10.0
CAUSAL = {"baseline_window": 4.0, "baseline_causal": True}
RATIO = {"channels": 2, "reference_channel": 2, "dff": "mean", "hemodynamics": "ratio"} | CAUSAL
SWAPPED = RATIO | {"signal_channel": 2, "reference_channel": 1, "binning": 2, "dark_offset": 90}


def channel(seed, dtype=np.uint16):
    rng = np.random.default_rng(seed)
    level = 3000 + 500 * np.sin(np.arange(N) / 9 + seed)[:, None, None]
    return (level + rng.normal(0, 60, (N, H, W))).astype(dtype)


@pytest.fixture
def files(tmp_path):
    brain = np.zeros((H, W), np.uint8)
    brain[1:6, 2:9] = 1
    np.save(tmp_path / "brain.npy", brain)
    np.save(tmp_path / "dark.npy", np.random.default_rng(1).uniform(90, 110, (H, W)))
    return {"brain_mask": f"{tmp_path}/brain.npy", "dark_frame": f"{tmp_path}/dark.npy"}


def pushed(raw, settings, numbers=None, **more):
    made = Corrections(settings, RATE, "camera", **more)
    numbers = range(len(raw)) if numbers is None else numbers
    return [one for t in numbers for one in made.push(Frame(int(t), raw[t]))], made


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"channels": 2, "signal_channel": 2},
        {"dark_offset": 100, "binning": 3},
        {"dff": "mean"} | CAUSAL,
        {"dff": "percentile", "baseline_percentile": 20} | CAUSAL,
        {"dff": "percentile", "baseline_causal": True, "baseline_window": 12},  # steps of frames
        {"binning": 2},
        {"dff": "mean", "baseline_causal": True, "baseline_window": 0.3},
        {"dff": "percentile", "baseline_causal": True, "baseline_window": 40},  # none as long
        RATIO,
        SWAPPED,
        SWAPPED | {"dff": "percentile"},
    ],
)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_corrections_are_those_of_the_whole_movie(changed, dtype, files):
    settings = DEFAULTS | changed
    raw = channel(1, dtype) if settings["channels"] == 1 else interleave(channel(1), channel(2))
    whole = corrected(Measured(Stack(raw)), settings, RATE)
    expected = np.concatenate([block for _, block in whole.blocks(16)])
    found, _ = pushed(raw, settings)
    assert [one.number for one in found] == list(range(len(expected)))
    values = np.stack([one.values for one in found])
    assert values.dtype == expected.dtype
    np.testing.assert_array_equal(values, expected)
    assert not any(one.begins for one in found)


@pytest.mark.parametrize("changed", [RATIO, SWAPPED])
def test_a_pair_of_wavelengths_arrives_with_the_later_one(changed):
    raw = interleave(channel(1), channel(2))
    made = Corrections(DEFAULTS | changed, RATE, "camera")
    found = [one for t in range(len(raw)) for one in made.push(Frame(t, raw[t], arrived=100.0 + t))]
    later = [one for one in found if one.number > 2]  # the first wait for the first F0
    assert [one.arrived for one in later] == [100.0 + 2 * one.number + 1 for one in later]


def test_a_segment_that_begins_with_another_wavelength_begins_with_the_next_frame():
    raw = interleave(channel(1), channel(2))
    made = Corrections(DEFAULTS | {"channels": 2}, RATE, "camera")
    found = [one for t in range(80) for one in made.push(Frame(t, raw[t], begins=t in (41, 60)))]
    assert [one.number for one in found if one.begins] == [21, 30]


def test_single_frames_that_are_late_are_no_camera_begun_anew():
    made = Corrections(DEFAULTS, RATE, "camera")
    raw = channel(1)
    for t in range(1, 60):
        assert len(made.push(Frame(t, raw[t]))) == 1
        assert not made.push(Frame(t - 1, raw[t - 1]))
    assert (made.order.late, made.order.lost) == (59, 0)


def test_masks_and_dark_frames_are_those_of_the_whole_movie(files):
    for changed in ({"brain_mask": files["brain_mask"]}, files):
        settings = DEFAULTS | changed
        whole = corrected(Measured(Stack(channel(1))), settings, RATE)
        expected = np.concatenate([block for _, block in whole.blocks(16)])
        found, _ = pushed(channel(1), settings)
        np.testing.assert_array_equal([one.values for one in found], expected)
        assert found[0].values.dtype == expected.dtype


@pytest.mark.parametrize("n", [1, 2, 7, 31, 32])
def test_the_percentile_is_that_of_numpy_to_the_bit(n):
    images = np.random.default_rng(n).normal(1000, 40, (n, 9, 11)).astype(np.float32)
    for q in (0, 0.1, 5, 10, 33.3, 50, 50.01, 66, 99.9, 100):
        expected = np.percentile(images, q, axis=0).astype(np.float32)
        np.testing.assert_array_equal(percentile(list(images), q).astype(np.float32), expected)


def test_a_baseline_is_made_between_frames(monkeypatch):
    """What the end of a step costs does not delay the frame there, nor the one after it."""
    settings = DEFAULTS | CAUSAL | {"dff": "percentile"}  # steps of a frame of 4 s at 10/s
    made, calls = Corrections(settings, 80.0, "camera"), []
    monkeypatch.setattr(
        stream_corrections, "percentile", lambda *of: calls.append("f0") or percentile(*of)
    )
    for t, frame in enumerate(channel(1)[:60]):
        made.push(Frame(t, frame))
        calls.append("row")
        made.settle()
    assert calls.count("f0") == 6
    # steps of ten frames; of the first one alone, which is its own baseline, before its row
    assert calls[9:12] == ["f0", "row", "row"] and calls[20:22] == ["row", "f0"]


def test_frames_are_resized_and_rois_taken_as_in_preprocessing(tmp_path):
    raw = channel(3)
    found, _ = pushed(raw, DEFAULTS, image_size=5)
    expected = np.rint(resize(raw, 5)).astype(np.uint16)
    np.testing.assert_array_equal([one.values for one in found], expected)
    labels = np.zeros((H, W), int)
    labels[1:3, 1:3], labels[4:6, 5:9] = 1, 2
    np.save(tmp_path / "rois.npy", labels)
    found, _ = pushed(raw, DEFAULTS, roi_masks=tmp_path / "rois.npy")
    expected = [[frame[labels == roi].mean() for roi in (1, 2)] for frame in raw.astype(float)]
    np.testing.assert_allclose([one.values for one in found], expected, rtol=1e-6)
    with pytest.raises(UserError, match="binning cannot go with them"):
        Corrections(DEFAULTS | {"binning": 2}, RATE, "c", roi_masks=tmp_path / "rois.npy")


def test_a_dropped_frame_of_either_wavelength_ends_a_segment():
    """The turn of a wavelength is by the camera's number, whatever was dropped."""
    raw = interleave(channel(1), channel(2))
    settings = DEFAULTS | {"channels": 2, "reference_channel": 2}
    numbers = [t for t in range(len(raw)) if t not in (20, 41, 90, 91)]
    found, made = pushed(raw, settings, numbers)  # the reference is not needed
    assert [one.number for one in found if one.begins] == [11, 46]
    np.testing.assert_array_equal(
        [one.values for one in found], raw[::2][[o.number for o in found]]
    )
    assert made.order.lost == 4
    found, _ = pushed(raw, DEFAULTS | RATIO, numbers)
    assert [one.number for one in found if one.begins] == [11, 21, 46]
    kept = np.delete(np.arange(N), [10, 20, 45])  # frames follow each other in time, as offline
    pairs = interleave(raw[::2][kept], raw[1::2][kept])
    whole = corrected(Measured(Stack(pairs)), DEFAULTS | RATIO, RATE)
    expected = np.concatenate([block for _, block in whole.blocks(16)])
    np.testing.assert_array_equal([one.values for one in found], expected)


def test_the_light_source_of_a_frame_goes_before_its_turn():
    settings = DEFAULTS | {"channels": 2, "signal_channel": "470"}
    raw = interleave(channel(1), channel(2))
    made = Corrections(settings, RATE, "camera")
    lights = np.resize(["405", "470"], len(raw))
    frames = [Frame(t, raw[t], light=str(lights[t])) for t in range(len(raw))]
    found = [one for frame in frames for one in made.push(frame)]
    np.testing.assert_array_equal([one.values for one in found], raw[1::2])


def test_a_frame_that_is_not_a_number_is_lost(files):
    raw = channel(1, np.float32)
    raw[9, 3, 4] = np.nan
    raw[:, 0, 0] = np.nan  # outside the brain
    found, made = pushed(raw, DEFAULTS | {"brain_mask": files["brain_mask"]})
    assert [one.number for one in found if one.begins] == [10] and made.order.lost == 1
    assert np.isfinite([one.values for one in found]).all() and len(found) == N - 1


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"motion": True}, "motion"),
        ({"bleaching": True}, "bleaching"),
        ({"dff": "mean"}, "dff without baseline_causal"),
        ({"dff": "mean", "baseline_window": 5.0}, "dff without"),
        (RATIO | {"dff": "none", "baseline_window": None, "baseline_causal": False}, "ratio"),
        (RATIO | {"hemodynamics": "regression"}, "regression"),
        (RATIO | {"reference_lowpass": 1.0}, "reference_lowpass"),
        ({"brain_mask": "b.npy", "outside": "mean"}, "outside: mean"),
    ],
)
def test_what_needs_later_frames_is_refused_by_name(changed, named):
    with pytest.raises(UserError, match=f"not causal.*{named}"):
        Corrections(schema.defaults("corrections") | changed, RATE, "camera")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_no_camera_gives_are_a_lost_frame(dtype, value, capsys, recwarn):
    made = Corrections(DEFAULTS, RATE, "camera")
    with np.errstate(over="ignore"):
        odd = np.full((H, W), value).astype(dtype)
    frames = [channel(0, dtype)[0], odd, channel(0, dtype)[1]]
    got = [one for t, frame in enumerate(frames) for one in made.push(Frame(t, frame))]
    assert [(one.number, one.begins) for one in got] == [(0, False), (2, True)]
    assert made.order.lost == 1 and not recwarn.list
    assert "frame 1 has NaN, infinite or huge values" in capsys.readouterr().err


def test_light_that_nobody_asked_for_is_said(capsys):
    made = Corrections(DEFAULTS, RATE, "camera")
    for t in range(250):
        assert made.push(Frame(t, channel(0)[0], light="470")) == []
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "(light 470), make none of signal_channel 1" in said[0]
    assert said[0].startswith("camera: ")  # several may be live


def test_frames_of_no_light_in_use_are_said_at_the_hundredth_in_a_row(capsys):
    made, pixels = Corrections(DEFAULTS, RATE, "camera"), channel(0)[0]
    lights = [*["470"] * 99, "1", *["470"] * 99, "1", *["470"] * 100]
    for t, light in enumerate(lights):
        assert len(made.push(Frame(t, pixels, light=light))) == (light == "1")
        assert bool(capsys.readouterr().err) == (t == len(lights) - 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_value_of_a_pixel_is_one(sign):
    made, largest = Corrections(DEFAULTS, RATE, "camera"), sign * 1e15
    for t, value in enumerate((largest, np.nextafter(largest, sign * np.inf))):
        assert len(made.push(Frame(t, np.full((H, W), value)))) == 1 - t
    assert made.order.lost == 1


def test_corrections_that_do_not_go_together_are_refused_before_the_first_frame(files):
    with pytest.raises(UserError, match=r"dark_frame.* give one"):
        Corrections(DEFAULTS | {"dark_offset": 3.0} | files, RATE, "camera")


def test_what_is_no_frame_of_numbers_is_refused():
    made = Corrections(DEFAULTS, RATE, "m.npy")
    with pytest.raises(UserError, match=r"m\.npy: pixels of type complex64; needs numbers"):
        made.push(Frame(0, np.zeros((8, 8), np.complex64)))
    for settings in (DEFAULTS | {"dff": "mean"} | CAUSAL, DEFAULTS | {"channels": 2}):
        with pytest.raises(UserError, match="camera: ROI signals, not frames; leave corrections"):
            Corrections(settings, RATE, "camera").push(Frame(0, np.zeros(8)))
    (one,) = Corrections(DEFAULTS, RATE, "camera").push(Frame(0, np.arange(8)))
    assert one.values.tolist() == [*range(8)] and one.image is None


@pytest.mark.parametrize("size", [(8, 7), (8, 9), (7, 8), (9, 8), (64,)])
def test_a_camera_that_is_set_anew_is_told(size):
    made = Corrections(DEFAULTS, RATE, "camera")
    made.push(Frame(3, np.zeros((8, 8), np.uint8)))
    words = r"^camera: frame 4 is of {} {}, those before of \(8, 8\) uint8; was the camera set anew"
    for shape, dtype in ((size, "uint8"), ((8, 8), "uint16"), ((8, 8), "int8")):
        with pytest.raises(UserError, match=words.format(re.escape(str(shape)), dtype)):
            made.push(Frame(4, np.zeros(shape, dtype)))


def test_signals_have_no_masks_of_rois(tmp_path):
    masks = tmp_path / "rois.npy"
    np.save(masks, np.eye(8, dtype=np.uint8))
    with pytest.raises(UserError, match="camera: ROI signals, not frames; leave corrections"):
        Corrections(DEFAULTS, RATE, "camera", roi_masks=masks).push(Frame(0, np.zeros(8)))


def test_frames_in_colour_are_refused():
    made = Corrections(DEFAULTS, RATE, "m.tif")
    with pytest.raises(UserError, match=r"m\.tif: frames of \(8, 8, 3\) px"):
        made.push(Frame(0, np.zeros((8, 8, 3), np.uint8)))
