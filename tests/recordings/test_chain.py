"""What corrections did, in the words and numbers of a recording: kept as they were last read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kept import assert_kept
from make_recordings import DEFAULTS, Stack
from mesodecode.recordings.corrections.chain import corrected
from mesodecode.recordings.qc_measures import Measured

RATE = 2.0  # frames/s
FOLDER = Path(__file__).with_name("chains")
TWO = {"channels": 2, "reference_channel": 2}
CHAINS = {  # name -> settings, and light sources of frames
    "all": (
        TWO
        | {"dark_offset": 100, "motion": True, "max_shift": 2.0, "binning": 2, "bleaching": True}
        | {"dff": "percentile", "baseline_window": 8, "baseline_percentile": 20}
        | {"hemodynamics": "regression", "reference_lowpass": 0.3},
        None,
    ),
    "ratio": (TWO | {"dff": "mean", "hemodynamics": "ratio"}, None),
    "counts": (
        TWO
        | {"signal_channel": 2, "reference_channel": 1, "hemodynamics": "ratio"}
        | {"brain_mask": "brain.npy"},
        None,
    ),
    "causal": ({"dff": "mean", "baseline_window": 7.5, "baseline_causal": True}, None),
    "left_over": ({"channels": 3, "signal_channel": 3, "bleaching": True}, None),
    "masked": (
        {"dff": "percentile", "brain_mask": "brain.npy", "outside": "mean", "dark_offset": 50},
        None,
    ),
    "lights": ({"signal_channel": 4, "reference_channel": 2, "binning": 3}, [4, 2, 4, 0]),
}


def frames():
    """Return frames (82, 9, 13) of counts that move, bleach, and show blood in every second."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:9, :13]
    t = np.arange(82)[:, None, None]
    image = 900 + 400 * np.sin(rows / 1.3 + np.where(t > 60, 0.4, 0)) * np.cos(columns / 1.7)
    image = image * (1 - 0.2 * -np.expm1(-t / 30)) * (1 + 0.05 * np.sin(t / 4))
    image *= np.where(t % 2, 0.7, 1 + 0.1 * np.sin(t / 3 + columns / 5))
    return (100 + image + 3 * rng.normal(size=image.shape)).astype(np.uint16)


@pytest.mark.parametrize("name", CHAINS)
def test_what_corrections_did_is_told_in_full(tmp_path, capsys, name):
    settings, cycle = CHAINS[name]
    mask = np.ones((9, 13))
    mask[:2], mask[:, 11:] = 0, 0
    np.save(tmp_path / "brain.npy", mask)
    if "brain_mask" in settings:
        settings = settings | {"brain_mask": str(tmp_path / "brain.npy")}
    movie, outside = frames(), None
    if name == "masked":
        outside = np.zeros((9, 13), bool)
        outside[0, 1] = outside[4, 5] = True  # were NaN, the second within the brain
        movie[:, outside] = 0
    raw = Measured(Stack(movie), len(set(cycle)) if cycle else settings.get("channels", 1))
    lights = None if cycle is None else np.resize(cycle, 82)
    chain = corrected(raw, DEFAULTS | settings, RATE, lights, outside)
    made = np.concatenate([block for _, block in chain.blocks(7)])
    lines = [f"{made.dtype} {chain.unit}, left {chain.left}: {rounded(made)}"]
    for row in chain.effects():
        told = [f"{row[key]:.3g}" for key in ("value", "sd_before", "sd_after")]
        lines.append(f"{row['step']}: {told[0]} {row['unit']}, SD {told[1]} to {told[2]}")
        lines.append(f"  {row['words']}")
    lines += [f"{key} {rounded(values)}" for key, values in chain.arrays.items()]
    seen = chain.measures
    lines += [f"mean {rounded(seen.mean)}", f"parts {rounded(seen.parts)}"]
    lines += [f"brightness {rounded(seen.brightness)}", *capsys.readouterr().err.splitlines()]
    assert_kept("\n".join(lines) + "\n", FOLDER / f"{name}.txt", "CHAINS")


def rounded(values):
    """Shape, ends, and mean by SD: no digit that another machine may have otherwise."""
    flat, shape = np.asarray(values, float).ravel(), np.shape(values)
    ends = " ".join(f"{value:.3g}" for value in (*flat[:4], *flat[-4:]))
    return f"{shape} {ends}, mean {flat.mean() / flat.std():.2f} of SD {flat.std():.3g}"
