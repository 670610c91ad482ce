"""ΔF/F over a baseline, of the whole recording or a running one: by slow loops over frames."""

from __future__ import annotations

import numpy as np
import pytest

from make_recordings import Stack
from mesodecode.recordings.corrections import dff, movies

RNG = np.random.default_rng(2)
FRAMES = (500 + 100 * RNG.random((67, 3, 4)) + np.arange(67)[:, None, None]).astype(np.float32)
FRAMES[:, 2, 3] = 1.0  # no brain


def read(movie, size):
    parts = [*movie.blocks(size)]
    after = np.cumsum([0, *(len(block) for _, block in parts)])
    assert [start for start, _ in parts] == after[:-1].tolist()
    return np.concatenate([block for _, block in parts])


def ratio(frames, baseline):
    found = (frames - baseline) / baseline
    found[:, 2, 3] = 0  # its baseline is below a hundredth of the bright ones'
    return found


@pytest.mark.parametrize("block", [1, 3 * 4 * 4 * 10, 1 << 20])
@pytest.mark.parametrize("percentile", [None, 10, 80])
@pytest.mark.parametrize("window", [4.2, 20.0, 66.0, 90.0, 500.0])
@pytest.mark.parametrize("causal", [False, True])
def test_a_running_baseline_goes_from_step_to_step(monkeypatch, block, percentile, window, causal):
    monkeypatch.setattr(movies, "BLOCK", block)
    monkeypatch.setattr(dff, "STEPS", 4)
    length = window if causal else min(window, 67)  # of a rig nobody knows how long it records
    step = max(1, round(length / 4))
    n_steps = round(length / step)
    means = [FRAMES[i : i + step].mean(axis=0, dtype=float) for i in range(0, 67, step)]

    def over(at):
        first, last = (at - n_steps + 1, at) if causal else (at - n_steps // 2, at + n_steps // 2)
        held = means[max(first, 0) : last + 1]
        return np.mean(held, 0) if percentile is None else np.percentile(held, percentile, axis=0)

    knots, expected = [over(at) for at in range(len(means))], []
    for i in range(67):
        at, share = i // step, (i % step + 0.5) / step
        if causal:  # knots are those of the ends of steps before
            before, after = knots[max(at - 2, 0)], knots[max(at - 1, 0)]
        else:  # knots are those of the middles of steps
            at, share = (at - 1, share + 0.5) if share < 0.5 else (at, share - 0.5)
            before, after = knots[max(at, 0)], knots[min(at + 1, len(knots) - 1)]
        expected.append(before + (after - before) * share)
    statistic = {} if percentile is None else {"percentile": percentile}
    name = "mean" if percentile is None else "percentile"
    movie = dff.Dff(Stack(FRAMES), name, window=window, causal=causal, **statistic)
    found = read(movie, 7)
    assert found.dtype == movie.dtype == np.float32 and movie.shape == FRAMES.shape
    np.testing.assert_allclose(found, ratio(FRAMES, expected), atol=1e-5)


@pytest.mark.parametrize("percentile", [None, 30])
def test_a_baseline_of_the_whole_recording(monkeypatch, percentile):
    monkeypatch.setattr(dff, "WHOLE_STEPS", 20)
    means = [FRAMES[i : i + 4].mean(axis=0) for i in range(0, 67, 4)]  # 67 / 20 frames, up
    whole = FRAMES.mean(axis=0) if percentile is None else np.percentile(means, percentile, axis=0)
    name = "mean" if percentile is None else "percentile"
    movie = dff.Dff(Stack(FRAMES), name, percentile=percentile or 10)
    np.testing.assert_allclose(movie.baseline, whole, rtol=1e-6)
    np.testing.assert_allclose(read(movie, 9), ratio(FRAMES, whole), atol=1e-5)


def test_where_the_baseline_is_dark_there_is_no_change():
    bright = np.full((1, 100), 500.0)
    for level, shown in ((5.01, True), (4.99, False), (0.0, False), (-300.0, False)):
        baseline = bright.copy()
        baseline[0, 0] = level
        found = dff.dff(np.full((2, 1, 100), 750.0), baseline)
        assert (found[:, 0, 0] != 0).all() == shown and (found[:, 0, 1:] == 0.5).all()
    uneven = np.linspace(1, 9, 8).reshape(2, 4) / 3
    assert dff.floor_of(uneven) == dff.floor_of(uneven.astype(np.float32))  # as dff takes it
    assert dff.floor_of(-bright) == 0 and dff.floor_of(bright) == pytest.approx(5)
    each = np.stack([bright, 1000 * bright])  # of the first frame's
    found = dff.dff(np.full((2, 1, 100), 750.0), each)
    assert found[0, 0, 0] == 0.5 and found[1, 0, 0] == pytest.approx(750 / 5e5 - 1)
    assert (dff.dff(np.full((2, 1, 100), 750.0), each, 600.0)[0] == 0).all()
