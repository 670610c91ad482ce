"""Movies made of other movies, as corrections make them: by slow loops, at both sides of limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from make_recordings import Stack
from mesodecode.recordings.corrections import movies
from told import assert_told

TOLD = Path(__file__).with_name("told")
FRAMES = np.random.default_rng(0).normal(100, 5, (61, 3, 4))


class Pieces(Stack):
    """A movie whose blocks have lengths of their own."""

    def __init__(self, frames, *lengths):
        super().__init__(frames)
        self.lengths = lengths

    def blocks(self, size):
        starts = np.cumsum([0, *self.lengths[:-1]]).tolist()
        for start, n in zip(starts, self.lengths, strict=True):
            yield start, self.frames[start : start + n]


def read(movie, size):
    blocks = list(movie.blocks(size))
    starts = np.cumsum([0, *(len(block) for _, block in blocks)])[:-1]
    assert [start for start, _ in blocks] == starts.tolist()
    assert all(len(block) <= size for _, block in blocks)
    return np.concatenate([block for _, block in blocks])


@pytest.mark.parametrize("size", [1, 5, 61])
@pytest.mark.parametrize("block", [1, 7 * 48, 1 << 20])
@pytest.mark.parametrize("cutoff", [0.4, 0.1, 0.02])
def test_a_gaussian_over_time_is_that_over_the_whole_movie(monkeypatch, cutoff, block, size):
    monkeypatch.setattr(movies, "BLOCK", block)
    movie = movies.Smoothed(Stack(FRAMES), cutoff)
    sigma = np.sqrt(np.log(2)) / (2 * np.pi * cutoff)
    passes = np.exp(-2 * np.pi**2 * sigma**2 * cutoff**2)
    assert passes == pytest.approx(1 / np.sqrt(2))  # -3 dB at the cutoff
    expected = gaussian_filter1d(
        FRAMES.astype(np.float32), sigma, axis=0, mode="nearest", radius=int(np.ceil(4 * sigma))
    )
    assert movie.dtype == np.float32 and movie.shape == FRAMES.shape
    np.testing.assert_allclose(read(movie, size), expected, rtol=1e-5)
    flash = (np.arange(61) == 30)[:, None, None] * np.ones((3, 4))
    lit = np.flatnonzero(read(movies.Smoothed(Stack(flash), cutoff), size)[:, 0, 0])
    assert [lit[0], lit[-1]] == [30 - np.ceil(4 * sigma), 30 + np.ceil(4 * sigma)]


def test_frames_of_the_signal_and_of_the_reference(capsys):
    lights, far = np.array([1, 2, 1, 2, 2, 1, 0, 1, 2]), np.array([1, 1, 1, 2, 0, 1, 1, 1, 2])

    def both(n=9, signal=1, reference=2, channels=2, lights=None):
        settings = {"signal_channel": signal, "reference_channel": reference, "channels": channels}
        return [
            movies.signal_frames(n, settings, lights),
            movies.reference_frames(n, settings, lights),
        ]

    cases = {
        "two in turn": both,
        "two in turn, the other way": lambda: both(8, 2, 1),
        "three in turn": lambda: both(10, 3, 1, 3),
        "by lights": lambda: both(lights=lights),
        "by lights, the other way": lambda: both(signal=2, reference=1, lights=lights),
        "by lights, the reference before": lambda: both(lights=np.array([2, 1, 2, 1, 1, 2])),
        "by lights, the reference far away": lambda: both(lights=far),
        "by lights, others that begin or end alike": lambda: both(
            signal=4, reference=7, lights=np.array([470, 4, 40, 7, 74, 47, 4, 7])
        ),
        "by lights in words": lambda: both(
            signal="blue", reference="uv", lights=np.array(["blue2", "uv", "blue", "Blue", "uv"])
        ),
        "by lights, no signal": lambda: both(signal=7, lights=lights),
        "by lights, no reference": lambda: both(reference=7, lights=np.arange(10)),
        "without settings": lambda: movies.signal_frames(4, None),
        "without settings, by lights": lambda: movies.signal_frames(9, None, lights),
    }
    assert_told(cases, TOLD / "signal_frames.txt", capsys)


@pytest.mark.parametrize("size", [1, 4, 30])
def test_some_frames_of_a_movie_come_in_blocks_of_one_length(size):
    for frames in ([0, 1, 2], [60], [3, 3, 9, 9, 40], [*range(0, 61, 2)]):
        movie = movies.Channel(Pieces(FRAMES, 10, 1, 30, 20), np.array(frames))
        np.testing.assert_array_equal(read(movie, size), FRAMES[frames])
        assert movie.shape == (len(frames), 3, 4) and movie.dtype == FRAMES.dtype


def test_changed_frames_are_told_which_they_are():
    movie = movies.Changed(
        Pieces(FRAMES, 10, 51), lambda start, block: block[:, :2, :1] + start, size=(2, 1)
    )
    assert movie.shape == (61, 2, 1) and movie.dtype == np.float32
    found = np.concatenate([block for _, block in movie.blocks(99)])
    np.testing.assert_allclose(found[:10], FRAMES[:10, :2, :1], rtol=1e-6)
    np.testing.assert_allclose(found[10:], FRAMES[10:, :2, :1] + 10, rtol=1e-6)
    whole = movies.Changed(Stack(FRAMES), lambda _, block: block, dtype=np.float64)
    assert whole.dtype == np.float64 and whole.shape == FRAMES.shape


@pytest.mark.parametrize("samples", [10, 61, 512])
@pytest.mark.parametrize("lengths", [(61,), (1, 2, 3, 55), (30, 31)])
def test_a_movie_is_judged_by_frames_evenly_spaced(monkeypatch, samples, lengths):
    """Of 61 frames and 10 samples, by every seventh: 0, 7 … 56."""
    monkeypatch.setattr(movies, "SAMPLED", samples)
    seen = []
    monkeypatch.setattr(movies, "of_light", lambda *found: seen.append(found) or True)
    movie = movies.Judged(Pieces(FRAMES - 100, *lengths), ["dff"])
    assert movie.light is None
    assert len(np.concatenate([block for _, block in movie.blocks(99)])) == 61 and movie.light
    sampled = (FRAMES - 100)[:: -(-61 // samples)]
    ((mean, sd, lowest),) = seen
    np.testing.assert_allclose(mean, sampled.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(sd, sampled.std(axis=0), rtol=1e-6)
    assert lowest == (FRAMES - 100).min()
    list(movie.blocks(99))
    assert len(seen) == 1  # once
    movie = movies.Judged(Pieces(FRAMES.astype(np.uint16), *lengths), ["dff"])
    assert movie.light and len([*movie.blocks(99)]) == len(lengths)
    assert len(seen) == 1  # of an unsigned type none can be below 0


def test_what_is_no_light_is_refused_where_steps_need_light(capsys):
    def judged(frames, *needs):
        movie = movies.Judged(Stack(frames), needs)
        list(movie.blocks(7))
        return movie.light

    noise = FRAMES - 100
    cases = {
        "light": lambda: judged(FRAMES, "dff"),
        "changes": lambda: judged(noise),
        "changes, for ΔF/F": lambda: judged(noise, "motion", "dff"),
        "changes by 0.9 of their SD below": lambda: judged(noise - 4.4, "dff"),
        "changes by more than their SD below": lambda: judged(noise - 6, "dff"),
        "whole numbers without a sign": lambda: judged(np.zeros((3, 2, 2), np.uint8), "dff"),
        "changes above 0": lambda: judged(noise - noise.min() + 0.1, "dff"),
    }
    assert_told(cases, TOLD / "judged.txt", capsys)
