"""Corrections of a movie: planted artefacts go, what was planted beside them stays."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as shift_image

from make_recordings import DEFAULTS, RATE, Stack, interleave
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.confounds.signals import control_signals
from mesodecode.recordings.corrections import motion, movies
from mesodecode.recordings.corrections.bleaching import fit_tau
from mesodecode.recordings.corrections.chain import Chain, corrected
from mesodecode.recordings.corrections.dff import Dff, dff
from mesodecode.recordings.corrections.movies import Smoothed, binned, pairs, whole_blocks
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.qc_measures import Measured
from mesodecode.recordings.recording import read_recording
from mesodecode.report.cohort_figure import activity
from mesodecode.simulation.simulate import simulate_session
from mesodecode.study import schema
from mesodecode.study.correction_table import check


def read(movie, size):
    """All frames of a movie, whose blocks of `size` at most follow each other."""
    blocks = list(movie.blocks(size))
    starts = np.cumsum([0, *(len(block) for _, block in blocks[:-1])])
    assert [start for start, _ in blocks] == starts.tolist()
    assert max(len(block) for _, block in blocks) <= size
    made = np.concatenate([block for _, block in blocks])
    assert made.shape == movie.shape and made.dtype == movie.dtype
    return made


def correct(frames, size=64, **settings):
    """The corrected frames, and the chain that made them."""
    chain = corrected(Measured(Stack(frames)), DEFAULTS | settings, RATE)
    return read(chain, size), chain


def noise(*shape, seed=0, sd=1.0):
    return np.random.default_rng(seed).normal(0, sd, shape)


def correlation(a, b):
    """Pearson's r over time of each pixel with a trace (T,)."""
    a = a.reshape(len(a), -1) - a.reshape(len(a), -1).mean(0)
    b = b - b.mean()
    return (a * b[:, None]).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum())


# --- off ---------------------------------------------------------------------------------------


def write_session(folder, stack, labels=None):
    folder.mkdir(exist_ok=True)
    files = {"movie": folder / "s1.tif", "behavior": folder / "s1.mat"}
    tifffile.imwrite(files["movie"], stack, photometric="minisblack")
    labels = np.arange(len(stack)) // 5 % 2 if labels is None else labels
    scipy.io.savemat(files["behavior"], {"runrest": labels[None]})
    return files


ABOUT = {"session": "s1", "mouse": "m1", "frame_rate": RATE}


def test_nothing_is_asked_for_and_nothing_changes(tmp_path):
    raw = Measured(Stack(np.zeros((3, 2, 2), np.uint16)))
    assert corrected(raw, None, RATE) is raw
    assert corrected(raw, dict(DEFAULTS), RATE) is raw
    stack = np.random.default_rng(0).integers(0, 4000, (40, 6, 10), np.uint16)
    files = write_session(tmp_path, stack)
    preprocess(tmp_path / "plain.h5", **files, **ABOUT)
    preprocess(
        tmp_path / "off.h5", **files, **ABOUT, corrections=DEFAULTS, measures=tmp_path / "m.h5"
    )
    assert (tmp_path / "plain.h5").read_bytes() == (tmp_path / "off.h5").read_bytes()
    with h5py.File(tmp_path / "off.h5") as file:
        assert "corrections" not in file and file["frames"].dtype == np.uint16


# --- channels, dark, mask, binning -------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_channels_are_taken_apart_in_order(size):
    stack = np.arange(11, dtype=np.uint16)[:, None, None] + np.zeros((1, 2, 3), np.uint16)
    made, chain = correct(stack, size=size, channels=3, signal_channel=2)
    assert made.dtype == np.uint16
    assert made[:, 0, 0].tolist() == [1, 4, 7]  # frames 9 and 10 have no third: left out
    (effect,) = chain.effects()
    assert "3 of 11 frames" in effect["words"] and "the last 2" in effect["words"]


@pytest.mark.parametrize("pieces", [1, 2, 4, 7])
def test_channels_of_a_reader_with_blocks_of_its_own(pieces):
    stack = Stack(np.arange(20, dtype=np.uint16)[:, None, None] + np.zeros((1, 2, 2), np.uint16))
    stack.blocks = lambda size: ((i, stack.frames[i : i + pieces]) for i in range(0, 20, pieces))
    frames = movies.signal_frames(20, {"channels": 3, "signal_channel": 2})
    blocks = list(movies.Channel(stack, frames).blocks(2))
    assert np.concatenate([block for _, block in blocks])[:, 0, 0].tolist() == [1, 4, 7, 10, 13, 16]
    assert all(block[0, 0, 0] == 1 + 3 * start for start, block in blocks)


def test_frames_of_the_signal():
    assert movies.signal_frames(3, None).tolist() == [0, 1, 2]
    assert movies.signal_frames(7, DEFAULTS | {"channels": 2}).tolist() == [0, 2, 4]
    second = DEFAULTS | {"channels": 2, "signal_channel": 2}
    assert movies.signal_frames(7, second).tolist() == [1, 3, 5]
    lights = np.array([0, 0, 2, 3, 2, 2, 3, 0])
    by_light = DEFAULTS | {"signal_channel": 2, "reference_channel": 3}
    assert movies.signal_frames(8, by_light, lights).tolist() == [2, 4, 5]
    assert movies.reference_frames(8, by_light, lights).tolist() == [3, 3, 6]
    words = np.array(["off", "violet", "blue", "violet", "blue"])
    by_word = DEFAULTS | {"signal_channel": "blue", "reference_channel": "violet"}
    assert movies.signal_frames(5, by_word, words).tolist() == [2, 4]
    assert movies.reference_frames(5, by_word, words).tolist() == [1, 3]
    among = DEFAULTS | {"signal_channel": 470, "reference_channel": "405"}
    for held in (["470", "405", "off", "470"], [470, 405, 0, 470]):  # a number or a word
        assert movies.signal_frames(4, among, np.array(held)).tolist() == [0, 3]
        assert movies.reference_frames(4, among, np.array(held)).tolist() == [1, 1]
    with pytest.raises(UserError, match=r"signal_channel 1: no frame.* 0 \(3 frames\), 2 \(3"):
        movies.signal_frames(8, None, lights)


@pytest.mark.parametrize("signal", [1, 2])
def test_light_sources_in_turn_are_as_channels_in_turn(signal):
    """Reference frames go with those of the signal as they do in cycles."""
    stack = 500 + np.random.default_rng(0).integers(0, 99, (40, 6, 8)).astype(np.uint16)
    settings = DEFAULTS | {
        **{"channels": 2, "signal_channel": signal, "reference_channel": 3 - signal},
        "hemodynamics": "regression",
    }
    made = []
    for lights in (None, np.tile([1, 2], 20)):
        chain = corrected(Measured(Stack(stack), 2), settings, RATE, lights)
        made.append(read(chain, 7))
    np.testing.assert_array_equal(*made)
    few = DEFAULTS | {"channels": 2, "signal_channel": signal}  # no cycle, as lights tell channels
    chain = corrected(Measured(Stack(stack[:1]), 2), few, RATE, np.array([signal]))
    np.testing.assert_array_equal(read(chain, 7), stack[:1])


def test_a_frame_whose_reference_was_dropped_has_the_nearest_by_light_sources():
    """Of 40 frames in turn, 7 (of blood) and 20 (of calcium) were dropped."""
    kept = np.delete(np.arange(40), [7, 20])
    stack = 500 + np.random.default_rng(0).integers(0, 99, (40, 6, 8)).astype(np.uint16)
    both = stack[np.ravel([(own, 5 if own == 6 else own + 1) for own in range(0, 40, 2)])]
    both = np.delete(both, [20, 21], axis=0)
    asked = DEFAULTS | {"reference_channel": 2, "hemodynamics": "ratio"}
    made = []
    for frames, channels, lights in ((both, 2, None), (stack[kept], 1, 1 + kept % 2)):
        chain = corrected(Measured(Stack(frames), 2), asked | {"channels": channels}, RATE, lights)
        made.append(read(chain, 7))
    np.testing.assert_array_equal(*made)


def test_dark_counts_are_subtracted(tmp_path):
    stack = np.random.default_rng(0).integers(90, 200, (8, 4, 5), np.uint16)
    made, chain = correct(stack, dark_offset=100)
    np.testing.assert_array_equal(made, stack.astype(np.float32) - 100)  # below zero, too
    dark = np.random.default_rng(1).integers(80, 120, (3, 4, 5), np.uint16)
    tifffile.imwrite(tmp_path / "dark.tif", dark, photometric="minisblack")
    made, chain = correct(stack, dark_frame=str(tmp_path / "dark.tif"))
    np.testing.assert_allclose(made, stack - dark.mean(axis=0), atol=1e-4)
    assert chain.effects()[0]["value"] == pytest.approx(dark.mean(), rel=1e-6)


@pytest.mark.parametrize(
    ("dark", "words"),
    [
        (np.zeros((5, 4)), "dark_frame"),
        (np.zeros((4, 5), complex), "dark_frame of shape"),
        (np.full((4, 5), np.nan), "dark_frame with NaN"),
    ],
)
def test_an_image_that_is_none_of_the_dark_camera_is_refused(tmp_path, dark, words):
    np.save(tmp_path / "dark.npy", dark)
    with pytest.raises(UserError, match=words):
        correct(np.zeros((8, 4, 5), np.uint16), dark_frame=str(tmp_path / "dark.npy"))


def test_corrections_that_do_not_go_together_are_refused_by_the_chain(tmp_path):
    np.save(tmp_path / "d.npy", np.zeros((4, 5)))
    with pytest.raises(UserError, match=r"dark_frame.* give one"):
        correct(np.ones((8, 4, 5)), dark_offset=3.0, dark_frame=str(tmp_path / "d.npy"))


def test_outside_the_brain_nothing_is_left(tmp_path):
    stack = np.random.default_rng(0).integers(0, 60000, (8, 4, 5), np.uint16)
    mask = np.zeros((4, 5), np.uint8)
    mask[1:3, 1:4] = 255
    np.save(tmp_path / "mask.npy", mask)
    path = {"brain_mask": str(tmp_path / "mask.npy")}
    for outside in ("zero", "mean"):
        made, chain = correct(stack, **path, outside=outside)
        assert made.dtype == np.uint16
        np.testing.assert_array_equal(made[:, mask > 0], stack[:, mask > 0])
        fill = np.rint(stack.mean(axis=0)) * (outside == "mean")
        np.testing.assert_array_equal(
            made[:, mask == 0], np.broadcast_to(fill, stack.shape)[:, mask == 0]
        )
    assert chain.effects()[0]["value"] == 6 / 20


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "float32", "int64"]
)
@pytest.mark.parametrize("side", [2, 3, 16, 17])
def test_means_of_squares_are_those_of_numpy_to_the_bit(dtype, side):
    rng = np.random.default_rng(side)
    dtype = np.dtype(dtype)
    low, high = (-9.5, 9.5) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    frames = rng.uniform(low, high, (3, 40, 71)).astype(dtype)
    frames[1] = high  # the largest sums
    height, width = 40 // side, 71 // side
    cut = frames[:, : height * side, : width * side].reshape(3, height, side, width, side)
    found = binned(frames, side)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, cut.mean(axis=(2, 4), dtype=np.float32))


def test_binning_averages_squares():
    stack = np.arange(2 * 4 * 7, dtype=np.uint16).reshape(2, 4, 7)
    made, _ = correct(stack, binning=2)
    # first square of the first frame: 0, 1, 7, 8; the seventh column is cut
    assert made.shape == (2, 2, 3) and made[0, 0, 0] == 4.0
    assert made[1, 1, 2] == np.mean([28 + 18, 28 + 19, 28 + 25, 28 + 26])


# --- motion ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cortex():
    """A simulated cortex with vessels, without noise, (96, 96) counts."""
    settings = schema.defaults("simulate", n_frames=60, image_size=96, fast_amplitude=0.0)
    made = simulate_session(mouse="m1", session="s1", run_share=0.5, **settings)
    return made.frames.mean(axis=0)


@pytest.mark.parametrize("sd", [0.5, 2.0])
def test_planted_shifts_are_recovered_to_a_tenth_of_a_pixel(cortex, sd):
    planted = np.clip(noise(80, 2, sd=sd), -6, 6)
    frames = np.stack([shift_image(cortex, by, order=3, mode="nearest") for by in planted])
    frames += noise(*frames.shape, seed=1) * np.sqrt(np.maximum(frames, 0))  # shot noise
    made, chain = correct(frames.astype(np.float32), motion=True)
    found = chain.arrays["shifts"]
    error = found + planted
    error -= error.mean(axis=0)  # where the mean image lies is free
    assert np.abs(error).max() < 0.1
    middle = np.s_[:, 12:-12, 12:-12]
    assert made[middle].std(axis=0).mean() < 0.9 * frames[middle].std(axis=0).mean()
    (effect,) = chain.effects()
    assert effect["value"] == pytest.approx(np.hypot(*found.T).mean(), rel=1e-5)
    assert effect["sd_after"] < effect["sd_before"]


def test_a_frame_without_an_image_takes_the_shift_of_its_neighbours(cortex):
    planted = np.repeat([[0.0, 0.0], [2.0, -1.0]], 20, axis=0)
    frames = np.stack([shift_image(cortex, by, order=3, mode="nearest") for by in planted])
    frames[30] = shift_image(cortex, (25, 25), mode="nearest")
    _, chain = correct(frames.astype(np.float32), motion=True, max_shift=8)
    shifts = chain.arrays["shifts"]
    np.testing.assert_allclose(shifts[30], shifts[[29, 31]].mean(axis=0), atol=1e-5)
    assert "frames interpolated: 1" in chain.effects()[0]["words"]


def test_the_second_round_compares_with_the_mean_of_moved_frames(monkeypatch):
    """Which is sharp, where that of the movie is blurred."""
    frames, references = np.abs(noise(3, 8, 9)).astype(np.float32), []
    moved = iter([(0.0, 0.0), (1.0, 0.0), (0.0, 2.0), *[(0.0, 0.0)] * 3])

    class Told:
        def __init__(self, reference):
            references.append(reference)

        def shift(self, image):
            return np.array(next(moved))

    monkeypatch.setattr(motion, "Registration", Told)
    shifts, n_failed = motion.estimate_shifts(Stack(frames), 5)
    assert shifts.tolist() == [[0, 0], [1, 0], [0, 2]] and n_failed == 0
    down, right = frames[1][[0, *range(7)]], frames[2][:, [0, 0, *range(7)]]  # edges stay
    np.testing.assert_allclose(references[0], frames.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(references[1], (frames[0] + down + right) / 3, rtol=1e-5)


# --- bleaching ---------------------------------------------------------------------------------


def test_what_comes_in_at_an_edge_is_the_edges_own_value():
    even = np.full((2, 6, 8), 700.0)
    np.testing.assert_allclose(motion.shift_frames(even, np.array([[2.5, 0], [-1, 3]])), even)


def bleached(n_frames=1500, tau=400.0, seed=0):
    """Frames (T, 5, 6) that lose 10 to 40 %, with a transient of 5 % in the middle."""
    rng = np.random.default_rng(seed)
    amplitude = rng.uniform(0.1, 0.4, (5, 6))
    t = np.arange(n_frames)
    decay = 1 - amplitude * -np.expm1(-t / tau)[:, None, None]
    transient = 0.05 * ((t >= 700) & (t < 760))[:, None, None]
    light = rng.uniform(500, 2000, (5, 6))
    return light * decay * (1 + transient), amplitude


def test_bleaching_goes_and_the_transient_stays():
    frames, _ = bleached()
    made, chain = correct(frames, bleaching=True)
    quiet = np.r_[0:690, 770:1500]
    # what is left of the decay, against the 10 to 40 % that were planted
    drift = made[quiet].reshape(2, -1, 5, 6).mean(axis=1)
    assert np.abs(drift[0] / drift[1] - 1).max() < 0.01
    height = made[700:760].mean(axis=0) / made[np.r_[600:690, 770:860]].mean(axis=0) - 1
    # the fit takes 60 of 1500 frames for part of the decay, at most 0.05 * 60/1500 at each
    assert np.abs(height - 0.05).max() < 0.05 * 0.05
    np.testing.assert_allclose(made.mean(axis=0), frames.mean(axis=0), rtol=0.01)  # in counts
    (effect,) = chain.effects()
    lost = 1 - (frames[-1] / frames[0])
    assert lost.min() * 0.95 < effect["value"] < lost.max()
    tau = int(re.search(r"time constant (\d+) s", effect["words"])[1])
    assert tau == pytest.approx(400 / RATE, abs=1)


@pytest.mark.parametrize("tau", [150.0, 400.0, 3000.0])
def test_time_constant_of_a_noisy_decay(tau):
    trace = 1000 * (0.7 + 0.3 * np.exp(-np.arange(1500) / tau)) + noise(1500, sd=1)
    assert fit_tau(trace) == pytest.approx(tau, rel=0.1)


def test_without_bleaching_nothing_happens():
    frames = 1000 + noise(600, 4, 4, sd=1)
    made, chain = correct(frames, bleaching=True)
    assert np.abs(made - frames).max() < 1.0  # 0.1 % of the brightness
    assert abs(chain.effects()[0]["value"]) < 0.002


@pytest.mark.parametrize("left", [0.0, 0.2])
def test_a_pixel_that_bleaches_almost_away_is_made_flat_too(left):
    """At the end a fortieth of its light is left, or what does not bleach."""
    frames, _ = bleached()
    frames[:, 0, 0] = 1000 * (left + (1 - left) * np.exp(-np.arange(1500) / 400))
    made, _ = correct(frames, bleaching=True)
    # it fell by 4 to 40 times its last value; the time constant of all pixels is 1 % off
    assert np.ptp(made[:, 0, 0]) < 0.35 * made[:, 0, 0].mean()


def test_a_dark_pixel_is_left_alone():
    frames, _ = bleached()
    frames[:, 0, 0] = noise(1500, sd=0.1)
    made, _ = correct(frames, bleaching=True)
    np.testing.assert_allclose(made[:, 0, 0], frames[:, 0, 0], atol=1e-6)
    assert np.isfinite(made).all()


# --- ΔF/F --------------------------------------------------------------------------------------


@pytest.mark.parametrize("running", [False, True])
def test_pixels_that_show_no_brain_are_0_where_most_are(running):
    """The brain is a tenth of the image; the rest has less than a hundredth of its light."""
    baseline = np.full((10, 10), 9.0)
    baseline[0] = 1000
    block = 1.5 * np.stack([baseline, baseline])
    found = dff(block, np.stack([baseline, baseline]) if running else baseline)
    assert (found[:, 0] == 0.5).all() and (found[:, 1:] == 0).all()
    assert (dff(block, np.maximum(baseline, 11))[:, 1:] > 0).all()
    hot = np.full((20, 20), 1000.0)
    hot[3, 4] = 200_000  # one pixel of the camera, two hundred times as bright
    np.testing.assert_allclose(dff(1.5 * hot[None], hot), 0.5)
    later = np.stack([baseline[:1], 200 * baseline[:1]])  # what is dark is told by the first
    np.testing.assert_allclose(dff(1.5 * later, later), 0.5)


def slow_baseline(frames, window, percentile, causal):
    """F0 step by step with loops over the whole array; `window` in frames."""
    step = max(1, round(window / 32))
    n = round(window / step)
    means = [frames[i : i + step].mean(axis=0) for i in range(0, len(frames), step)]
    knots = []
    for i in range(len(means)):
        low, high = (i - n + 1, i + 1) if causal else (i - n // 2, i + n // 2 + 1)
        held = np.array(means[max(low, 0) : high])
        knots.append(held.mean(0) if percentile is None else np.percentile(held, percentile, 0))
    # the knot of a step lies in its middle; that of a causal one is known at its end and used a
    # step later
    at = (np.arange(len(knots)) + (2 if causal else 0.5)) * step
    time = np.arange(len(frames)) + 0.5
    flat = np.array(knots).reshape(len(knots), -1)
    columns = [np.interp(time, at, column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(frames.shape)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("percentile", [None, 20])
@pytest.mark.parametrize(("window", "size"), [(64, 50), (100, 7), (20, 64), (5000, 64)])
def test_running_baseline_is_that_of_a_slow_implementation(window, size, percentile, causal):
    frames = 500 + 50 * noise(331, 2, 3).cumsum(axis=0) / 20 + noise(331, 2, 3, seed=1)
    statistic = "mean" if percentile is None else "percentile"
    movie = Dff(Stack(frames), statistic, window=window, percentile=percentile, causal=causal)
    made = read(movie, size)
    window = window if causal else min(window, len(frames))
    baseline = slow_baseline(frames, window, percentile, causal)
    np.testing.assert_allclose(made, frames / baseline - 1, atol=2e-5)


def test_baseline_of_the_whole_recording():
    frames = 100 + noise(300, 3, 3)
    made, _ = correct(frames, dff="mean")
    np.testing.assert_allclose(made, frames / frames.mean(axis=0) - 1, atol=1e-6)
    made, _ = correct(frames, dff="percentile", baseline_percentile=50)
    means = [frames[i : i + 3].mean(axis=0) for i in range(0, 300, 3)]  # 128 steps at most
    np.testing.assert_allclose(made, frames / np.median(means, axis=0) - 1, atol=1e-6)


def test_a_causal_baseline_knows_no_later_frame():
    frames = 500 + noise(400, 2, 2)
    other = frames.copy()
    other[250:] *= 3
    options = {"dff": "mean", "baseline_window": 100 / RATE, "baseline_causal": True}
    a, b = (correct(x, **options)[0] for x in (frames, other))
    np.testing.assert_array_equal(a[:250], b[:250])
    cut = correct(frames[:70], **options)[0]  # shorter than its window
    np.testing.assert_array_equal(a[:70], cut)
    a, b = (correct(x, **options | {"baseline_causal": False})[0] for x in (frames, other))
    assert np.abs(a[:250] - b[:250]).max() > 0.1  # the test can fail


def test_dff_of_a_planted_transient():
    t = np.arange(3000)
    planted = 0.05 * (t % 300 < 30)
    frames = np.array([[200.0, 3000.0]]) * (1 - 0.2 * t / 3000)[:, None, None]
    frames = frames * (1 + planted[:, None, None])
    made, _ = correct(frames, dff="percentile", baseline_window=30.0)
    # a tenth of the frames carry the transient, so the 10th percentile is of those that do not;
    # over 30 s the brightness falls by 6 %, of whose lowest tenth the percentile is: -2.7 %
    for pixel in made[600:2400, 0].T:
        on = planted[600:2400] > 0
        assert pixel[on].mean() - pixel[~on].mean() == pytest.approx(0.05, abs=0.005)


def test_dff_without_light_is_zero():
    frames = 1000 + noise(60, 4, 4)
    frames[:, 0, 0] = noise(60, seed=3)  # beside the brain, after the dark was subtracted
    for window in (None, 1.0):
        made, _ = correct(frames, dff="mean", baseline_window=window)
        assert (made[:, 0, 0] == 0).all() and np.abs(made).max() < 0.1


# --- hemodynamics ------------------------------------------------------------------------------

T, GAIN = 2000, 1.4


def blood():
    """A slow oscillation (T,) of 2 %, as of blood volume."""
    t = np.arange(T) / RATE
    return 0.02 * np.sqrt(2) * np.sin(2 * np.pi * 0.2 * t)


def two_channels(reference_noise=0.0):
    """Signal (T, 3, 4) with calcium of SD 1 % and GAIN times blood, and the blood's channel."""
    calcium = noise(T, 3, 4, sd=0.01)
    signal = 800 * (1 + calcium + GAIN * blood()[:, None, None])
    reference = 300 * (1 + blood()[:, None, None] + noise(T, 3, 4, seed=5, sd=reference_noise))
    return interleave(signal, reference), calcium


TWO = {"channels": 2, "signal_channel": 1, "reference_channel": 2}


@pytest.mark.parametrize("hemodynamics", ["none", "ratio"])
def test_the_reference_channel_is_kept_as_its_means_over_tiles(hemodynamics):
    signal, reference = noise(6, 8, 8) + 500, noise(6, 8, 8, seed=1) + 300  # tiles of 2 x 2 px
    frames = interleave(signal, reference)
    _, chain = correct(frames, **TWO, hemodynamics=hemodynamics, dark_offset=100)
    kept = chain.arrays["reference"]
    assert kept.shape == (6, 16)
    np.testing.assert_allclose(kept[:, 0], reference[:, :2, :2].mean((1, 2)) - 100, rtol=1e-5)
    np.testing.assert_allclose(kept[:, 7], reference[:, 2:4, 6:].mean((1, 2)) - 100, rtol=1e-5)
    _, chain = correct(frames, channels=2, dark_offset=100)
    assert "reference" not in chain.arrays


def test_what_a_step_does_is_told_of_bright_pixels():
    """SD of 10 of 1500 counts, 500 of which are dark; dim pixels, of 600, have an SD of 40."""
    bright, dim = noise(400, 3, 4, sd=10) + 1500, noise(400, 3, 2, seed=1, sd=40) + 600
    _, chain = correct(np.concatenate([bright, dim], axis=2), dark_offset=500)
    (effect,) = chain.effects()
    assert effect["sd_before"] == pytest.approx(10 / 1500, rel=0.05)
    assert effect["sd_after"] == pytest.approx(10 / 1000, rel=0.05)


def test_what_is_said_of_bleaching_is_that_of_the_signal():
    decay = np.exp(-np.arange(600) / 200)[:, None, None]
    signal, reference = (
        1000 * (1 - lost + lost * decay) + noise(600, 3, 4, seed=n)
        for n, lost in enumerate((0.1, 0.5))
    )
    _, chain = correct(interleave(signal, reference), **TWO, bleaching=True)
    (effect,) = (one for one in chain.effects() if one["step"] == "bleaching")
    assert effect["value"] == pytest.approx(0.1 * (1 - np.exp(-3)), rel=0.05)


@pytest.mark.parametrize("dff", ["mean", "none"])
def test_planted_blood_is_regressed_out(dff):
    frames, calcium = two_channels()
    before = np.abs(correlation(frames[::2], blood()))
    made, chain = correct(frames, **TWO, hemodynamics="regression", dff=dff)
    assert before.min() > 0.9  # r = 0.028 / sqrt(0.028² + 0.01²) = .94
    assert np.abs(correlation(made, blood())).max() < 1e-3  # least squares leave none
    # The slope is GAIN but for the calcium's chance correlation with blood, whose SD is
    # 0.01 / 0.02 / sqrt(T) = 0.011; over 12 pixels less than 4 SD.
    np.testing.assert_allclose(chain.arrays["slope"], GAIN, atol=0.045)
    share = (GAIN * 0.02) ** 2 / ((GAIN * 0.02) ** 2 + 0.01**2)
    np.testing.assert_allclose(chain.arrays["r2"], share, atol=0.02)
    mean = frames[::2].mean(axis=0)
    dff_made = made if dff == "mean" else made / mean - 1
    for pixel in np.ndindex(3, 4):
        assert np.corrcoef(dff_made[:, *pixel], calcium[:, *pixel])[0, 1] > 0.999
    if dff == "none":
        np.testing.assert_allclose(made.mean(axis=0), mean, rtol=1e-5)  # counts again
    apart, *_, effect = chain.effects()
    assert np.isnan(apart["sd_before"])  # of both channels together it says nothing
    # relative SD before and after: sqrt(0.028² + 0.01²) = 0.0297, and the calcium's 0.01
    assert effect["sd_before"] == pytest.approx(0.0297, rel=0.05)
    assert effect["sd_after"] == pytest.approx(0.01, rel=0.05)


def test_regression_leaves_the_mean_where_it_is():
    frames, _ = two_channels()
    options = {"dff": "percentile", "baseline_percentile": 5.0}
    plain, _ = correct(frames[::2], **options)
    made, _ = correct(frames, **TWO, **options, hemodynamics="regression")
    assert plain.mean() > 0.01  # above a low percentile, as the reference is above its own
    np.testing.assert_allclose(made.mean(axis=0), plain.mean(axis=0), atol=1e-5)


def test_noise_of_the_reference_biases_the_slope_and_smoothing_it_mends_that():
    frames, _ = two_channels(reference_noise=0.02)
    # noise of the blood's own variance: the slope is half of it (errors in variables)
    _, chain = correct(frames, **TWO, hemodynamics="regression")
    assert np.median(chain.arrays["slope"]) == pytest.approx(GAIN / 2, rel=0.05)
    # 1 Hz at 30 frames/s: sigma = sqrt(ln 2) / (2 pi) * 30 = 3.98 frames, which leaves
    # 1 / (2 sigma sqrt(pi)) = 0.071 of white noise's variance, and 0.986 of 0.2 Hz's amplitude
    _, chain = correct(frames, **TWO, hemodynamics="regression", reference_lowpass=1.0)
    expected = GAIN * 0.986 / (0.986**2 + 0.071)
    assert np.median(chain.arrays["slope"]) == pytest.approx(expected, rel=0.02)


def test_ratio_removes_what_dims_both_alike():
    calcium = noise(T, 3, 4, sd=0.01)
    dimmed = 1 + blood()[:, None, None]
    signal, reference = 800 * (1 + calcium) * dimmed, 300 * dimmed * np.ones((T, 3, 4))
    made, _ = correct(interleave(signal, reference), **TWO, hemodynamics="ratio", dff="mean")
    expected = signal / signal.mean(axis=0) / (reference / reference.mean(axis=0)) - 1
    np.testing.assert_allclose(made, expected, atol=1e-4)
    np.testing.assert_allclose(made - made.mean(axis=0), calcium - calcium.mean(axis=0), atol=5e-4)


def test_smoothing_passes_the_cutoff_at_minus_3_db():
    t = np.arange(1200)
    for frequency, gain in ((0.05, 2**-0.5), (0.005, 0.997), (0.2, 0.004)):
        frames = np.sin(2 * np.pi * frequency * t)[:, None, None]
        smooth = read(Smoothed(Stack(frames), 0.05), 100)
        amplitude = np.sqrt(2) * smooth[200:1000].std()
        assert amplitude == pytest.approx(gain, abs=0.005)


# --- together ----------------------------------------------------------------------------------

ALL = TWO | {
    **{"dark_offset": 100, "motion": True, "binning": 2, "bleaching": True},
    **{"dff": "percentile", "baseline_window": 2.0, "hemodynamics": "regression"},
    "reference_lowpass": 5.0,
}

# --- movies that are ΔF/F already --------------------------------------------------------------


def change(n=400, seed=1):
    """ΔF/F (n, 12, 16) of a movie with a dark surround: slow activity and noise."""
    rng = np.random.default_rng(seed)
    slow = gaussian_filter(rng.normal(size=(n, 12, 16)), (5, 3, 3))
    return 0.02 * slow / slow.std() + rng.normal(0, 0.01, (n, 12, 16))


def over_percentile(values):
    low = np.percentile(1 + values, 10, axis=0)
    return (1 + values - low) / low


def surrounded(values):
    """Zeros outside a brain of a fifth of the image."""
    values = values.copy()
    values[:, :, 3:] = 0
    return values


CHANGES = {
    "less its mean": change() - change().mean(axis=0),
    "percent": 100 * change(),
    "over a low percentile": over_percentile(change()),
    "outside is 0": surrounded(change()),
    "float32": change().astype(np.float32),
    "thousandths as int16": np.rint(1000 * change()).astype(np.int16),
    "counts less their mean": 500 * (change() - change().mean(axis=0)),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"dff": "mean"}, "dff"),
        ({"dff": "percentile", "baseline_window": 4.0, "baseline_causal": True}, "dff"),
        ({"bleaching": True, "dff": "mean"}, "bleaching, dff"),
        ({"motion": True}, "motion"),
    ],
)
def test_what_is_a_change_already_is_not_divided_by_its_mean(name, settings, named):
    with pytest.raises(UserError) as caught:
        correct(CHANGES[name], **settings)
    words = str(caught.value)
    assert words.startswith("s1.tif: pixels are around 0 (mean over time ")
    assert words.endswith(f"ΔF/F already, or less their mean; leave out {named}")


def dim(dark=0.0):
    """Counts in a tenth of the image; the rest is the camera's noise around `dark`."""
    image = np.where(np.arange(16) < 2, 150.0, 0)
    return dark + image * (1 + change()) + noise(400, 12, 16, seed=3)


@pytest.mark.parametrize(
    ("frames", "settings"),
    [
        (dim(), {}),  # less its dark, and so partly below 0
        (dim(100), {"dark_offset": 100}),
        (1 + change(), {}),  # F / F0
        (np.random.default_rng(0).integers(0, 9, (400, 12, 16)).astype(np.uint16), {}),
        (np.random.default_rng(0).random((400, 12, 16)), {}),
    ],
)
def test_light_is_told_from_changes_of_it(frames, settings):
    made, _ = correct(frames, **settings, dff="mean")
    light = frames.astype(float) - settings.get("dark_offset", 0)
    bright = light.mean(0) > 0.5 * light.mean(0).max()
    exact = (light / light.mean(axis=0) - 1)[:, bright]
    np.testing.assert_allclose(made[:, bright], exact, atol=1e-4)


def test_too_much_dark_is_said():
    with pytest.raises(UserError, match=r"below 0 .* too much subtracted as dark.*leave out dff"):
        correct(dim(100), dark_offset=1000, dff="mean")


def test_channels_that_are_changes_already_are_regressed_as_they_are():
    rng = np.random.default_rng(5)
    blood = change(seed=2)
    signal = change(seed=3) + 0.7 * blood + 0.001
    reference = blood + 0.003 * rng.normal(size=blood.shape)
    x = reference - reference.mean(axis=0)
    slope = (x * (signal - signal.mean(axis=0))).sum(axis=0) / (x**2).sum(axis=0)
    expected = signal - slope * x
    two = {"channels": 2, "reference_channel": 2, "hemodynamics": "regression"}
    made, chain = correct(interleave(signal, reference), **two)
    np.testing.assert_allclose(made, expected, atol=1e-6)
    said = chain.effects()[-1]
    assert said["words"].endswith("regression; signal and reference taken as ΔF/F already")
    assert 0.01 < said["sd_after"] < said["sd_before"] < 0.05  # the SD itself
    percent, _ = correct(interleave(100 * signal, reference), **two)
    np.testing.assert_allclose(percent, 100 * expected, atol=1e-4)
    counts, chain = correct(interleave(signal, 400 * (1 + reference)), **two)
    np.testing.assert_allclose(counts, expected, atol=1e-6)
    assert chain.effects()[-1]["words"].endswith("; signal taken as ΔF/F already")
    light, chain = correct(interleave(400 * (1 + signal), reference), **two)
    over = 400 * (1 + signal)
    np.testing.assert_allclose(light, 400 * (1 + expected), rtol=1e-5)
    assert "already" not in chain.effects()[0]["words"] and over.mean() > 0
    assert chain.effects()[-1]["words"].endswith("; reference taken as ΔF/F already")


def test_a_recording_of_changes_says_so_and_later_stages_know(tmp_path):
    values = np.clip(change(), -0.2, 0.2)
    for name, frames, settings in (
        ("light", np.rint(500 * (1 + values)).astype(np.uint16), None),
        ("already", values.astype(np.float32), None),
        ("made", np.rint(500 * (1 + values)).astype(np.uint16), {"dff": "mean"}),
        ("binned", values.astype(np.float32), {"binning": 2}),
    ):
        files = write_session(tmp_path / name, frames)
        settings = settings and DEFAULTS | settings
        preprocess(tmp_path / f"{name}.h5", **files, **ABOUT, corrections=settings)
        recording = read_recording(tmp_path / f"{name}.h5")
        assert recording.unit == ("counts" if name == "light" else "dff")
        with h5py.File(recording.path) as file:
            assert ("unit" in file.attrs) == (name == "already")
        missing = control_signals(recording, brain=np.ones(recording.shape[1:], bool)).missing
        assert ("movement" in missing) == (name != "light")
        shown = activity(recording)
        assert np.abs(shown.dff).max() < 0.1  # not some 10^10 of its mean


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"hemodynamics": "ratio"}, "hemodynamics: ratio"),
        ({"hemodynamics": "regression", "dff": "mean"}, "dff"),
    ],
)
def test_no_ratio_of_a_channel_that_is_a_change_already(settings, named):
    two = {"channels": 2, "reference_channel": 2}
    for channels in ((change(), change()), (400 * (1 + change()), change())):
        with pytest.raises(UserError, match=rf"around 0 .*leave out {named}$"):
            correct(interleave(*channels), **two, **settings)


def test_motion_asks_nothing_of_the_other_channel():
    """Its pixels may be around 0: they are moved as the signal's are, and divided by nothing."""
    two = {"channels": 2, "reference_channel": 2, "motion": True}
    made, chain = correct(interleave(400 * (1 + change(20)), change(20)), **two)
    assert len(made) == 20 and chain.arrays["reference"].shape == (20, 16)


def everything(n_frames=120):
    rng = np.random.default_rng(0)
    image = 600 + 300 * rng.random((24, 26))
    return (100 + image * (1 + noise(2 * n_frames, 24, 26, sd=0.02))).astype(np.uint16)


def test_all_steps_in_the_order_of_the_docs_whatever_the_block_size(monkeypatch):
    frames = everything()
    made, chain = correct(frames, **ALL)
    steps = [row["step"] for row in chain.effects()]
    assert steps == ["channels", "dark", "motion", "binning", "bleaching", "dff", "hemodynamics"]
    assert made.dtype == np.float32 and made.shape == (120, 12, 13)
    assert chain.measures.brightness.shape == (120,)
    for block in (24 * 26 * 4 * 11, 1):
        monkeypatch.setattr(movies, "BLOCK", block)
        np.testing.assert_allclose(correct(frames, size=13, **ALL)[0], made, atol=2e-5)


def test_blocks_of_two_movies_go_together():
    a, b = (Stack(np.arange(10)[:, None, None] + x) for x in (0, 100))
    b.blocks = lambda size: ((i, b.frames[i : i + 3]) for i in range(0, 10, 3))  # its own sizes
    starts, sizes = [], []
    for start, one, other in pairs(a, b, 4):
        np.testing.assert_array_equal(other - one, 100)
        starts.append(start)
        sizes.append(len(one))
    assert (starts, sizes) == ([0, 4, 8], [4, 4, 2])
    assert [len(x) for _, x in whole_blocks(b, 1)] == [1] * 10


def test_a_movie_is_never_whole_in_memory(monkeypatch):
    frames = np.random.default_rng(0).integers(500, 600, (3000, 48, 48), np.uint16)
    monkeypatch.setattr(movies, "BLOCK", 1 << 17)
    settings = ALL | {"motion": False, "dff": "mean", "binning": 1, "baseline_window": 10.0}
    chain = corrected(Measured(Stack(frames)), DEFAULTS | settings, RATE)
    tracemalloc.start()
    try:
        for _ in chain.blocks(32):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < frames.nbytes / 2  # a channel as float32 would be frames.nbytes


# --- the recording -----------------------------------------------------------------------------


def test_the_recording_says_what_was_done(tmp_path):
    files = write_session(tmp_path, everything(), labels=np.arange(120) // 10 % 2)
    words = [w for kind, path in files.items() for w in (f"--{kind}", str(path))]
    out = tmp_path / "s1.h5"
    flags = ["--channels", "2", "--reference-channel", "2", "--hemodynamics", "regression"]
    flags += ["--motion", "--dark-offset", "100", "--measures", str(tmp_path / "measures.h5")]
    about = ["--session", "s1", "--mouse", "m1", "--out", str(out)]
    assert main(["preprocess", *words, *flags, *about]) == 0
    with h5py.File(out) as file:
        assert file["frames"].dtype == np.float32 and file["frames"].shape == (120, 24, 26)
        group = file["corrections"]
        assert json.loads(group.attrs["settings"]) == {
            **{"channels": 2, "reference_channel": 2, "dark_offset": 100.0, "motion": True},
            "hemodynamics": "regression",
        }
        effects = json.loads(group.attrs["effects"])
        assert [row["step"] for row in effects] == ["channels", "dark", "motion", "hemodynamics"]
        assert group["shifts"].shape == (120, 2) and group["r2"].shape == (24, 26)
    with h5py.File(tmp_path / "measures.h5") as file:
        assert file["recorded/brightness"].shape == (240,)
        assert file["corrected/brightness"].shape == (120,)


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"signal_channel": 2}, "signal_channel 2 of 1 channels"),
        ({"channels": 2, "reference_channel": 3}, "reference_channel 3 of 2"),
        ({"channels": 2, "hemodynamics": "ratio"}, "set channels and reference_channel"),
        ({"channels": 2, "reference_channel": 1}, "are the same"),
        ({"dark_offset": 3.0, "dark_frame": "d.tif"}, "give one"),
        ({"dff": "mean", "baseline_causal": True}, "needs a baseline_window"),
        ({"baseline_window": 3.0}, "baseline_window is of dff"),
        ({"reference_lowpass": 3.0}, "reference_lowpass is of hemodynamics"),
    ],
)
def test_settings_that_do_not_fit_together(settings, words):
    with pytest.raises(UserError, match=words):
        check(DEFAULTS | settings)


def test_images_that_do_not_fit_the_movie(tmp_path):
    frames = everything(10)
    np.save(tmp_path / "small.npy", np.ones((4, 4)))
    np.save(tmp_path / "empty.npy", np.zeros((24, 26)))
    np.save(tmp_path / "nan.npy", np.full((24, 26), np.nan))
    np.save(tmp_path / "turned.npy", np.ones((26, 24)))
    np.save(tmp_path / "signed.npy", np.where(np.arange(26) < 13, 1, -1) * np.ones((24, 26)))
    for name, words in {
        "small": "small.npy: brain_mask of 4 x 4 px, but s1.tif has 24 x 26",
        "empty": "empty.npy: no pixel above 0",
        "nan": "nan.npy: no pixel above 0",
        "turned": "rows and columns exchanged",
        "signed": "signed.npy: brain_mask has negative values",
    }.items():
        with pytest.raises(UserError, match=words):
            correct(frames, brain_mask=str(tmp_path / f"{name}.npy"))


def test_too_few_frames_or_pixels():
    with pytest.raises(UserError, match="too few for 4 channels"):
        corrected(Measured(Stack(np.zeros((3, 4, 4)))), DEFAULTS | {"channels": 4}, RATE)
    least = DEFAULTS | {"channels": 3, "binning": 4}  # one frame of a pixel
    assert corrected(Measured(Stack(np.ones((3, 4, 4)))), least, RATE).shape == (1, 1, 1)
    with pytest.raises(UserError, match="a binning of 5 px"):
        corrected(Measured(Stack(np.zeros((3, 4, 4)))), DEFAULTS | {"binning": 5}, RATE)


def test_labels_of_all_channels_are_taken_for_the_frames_of_the_signal(tmp_path, capsys):
    labels = np.repeat(np.arange(120) // 10 % 2, 2)
    labels[1::2] = 0  # what is logged at the other channel's frames is not the signal's
    labels[1] = 1
    files = write_session(tmp_path, everything(), labels=labels)
    words = [w for kind, path in files.items() for w in (f"--{kind}", str(path))]
    about = ["--session", "s1", "--mouse", "m1", "--out", str(tmp_path / "s1.h5")]
    for channel, expected in (("1", labels[::2]), ("2", labels[1::2])):
        more = ["--channels", "2", "--signal-channel", channel]
        assert main(["preprocess", *words, *more, *about]) == 0
        said = capsys.readouterr().err
        assert "of 240 values of runrest" in said and "signal's 120 frames are taken" in said
        assert np.array_equal(read_recording(tmp_path / "s1.h5").labels, expected)


def test_binning_and_masks_do_not_go_together(tmp_path):
    files = write_session(tmp_path, everything())
    with pytest.raises(UserError, match="use image_size"):
        preprocess(
            tmp_path / "s1.h5",
            **files,
            **ABOUT,
            roi_masks=tmp_path / "m.tsv",
            corrections=DEFAULTS | {"binning": 2},
        )


def test_chain_is_a_movie():
    chain = corrected(Measured(Stack(everything())), DEFAULTS | TWO, RATE)
    assert isinstance(chain, Chain) and chain.path == Path("s1.tif")
    assert chain.dtype == np.uint16  # as no value is changed
