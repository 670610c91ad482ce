"""ROI signals as decoders see them: by slow loops over frames, and refused with whole lines."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesodecode.recordings import roi_correlation, roi_signals
from mesodecode.recordings.recording import Recording
from told import assert_told

TOLD = Path(__file__).with_name("told")
T = 23
SIGNALS = 2 + np.random.default_rng(3).random((T, 3)).astype(np.float32)
LABELS = (np.arange(T) % 5 > 2).astype(np.uint8)
SETTINGS = {
    **{"rois": [], "others": "zero", "normalise": "none", "baseline": None, "drop": False},
    **{"warm_up": 0.5, "causal": False, "normalise_from": "recording", "dropped": []},
}


def recording(rois=SIGNALS, session="s1", mouse="m1", **known):
    return Recording(
        **{"path": Path(f"{session}.h5"), "session": session, "mouse": mouse, "frame_rate": 10.0},
        **{"labels": LABELS, "speed": None, "segment": None, "pixel_mean": None, "stack_sd": 1.0},
        **{"shape": (T, 4, 4), "rois": rois} | known,
    )


def ratio(values, by):
    return np.divide(values, by, out=np.zeros_like(values), where=by > 0)


def scaled(values, known, kind, base):
    """Return the last of values, by what is known."""
    if kind == "minmax":
        return ratio(values - known.min(axis=0), np.ptp(known, axis=0))
    if kind == "zscore":
        return ratio(values - known.mean(axis=0), known.std(axis=0))
    return ratio(values, base) if kind == "dff" else values


KINDS = pytest.mark.parametrize("kind", ["none", "minmax", "zscore", "dff"])
BASELINES = pytest.mark.parametrize("baseline", [None, 1, 4, 5, 99])


def trailing(x, n):
    return np.array([x[max(t + 1 - n, 0) : t + 1].mean(axis=0) for t in range(len(x))])


@KINDS
@BASELINES
def test_by_the_whole_recording(kind, baseline):
    x = SIGNALS.astype(float)
    base = 0 * x
    if baseline:
        n = baseline
        base = np.array([x[max(t - n // 2, 0) : t + (n + 1) // 2].mean(axis=0) for t in range(T)])
    elif kind == "dff":
        base = base + x.mean(axis=0)
    expected = scaled(x - base, x - base, kind, base)
    if kind in ("minmax", "zscore") and baseline == 1:  # nothing is left
        return
    found = roi_signals.normalised(SIGNALS, baseline=baseline, normalise=kind)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-6)


@KINDS
@BASELINES
def test_by_the_past(kind, baseline):
    x = SIGNALS.astype(float)
    base = 0 * x if baseline is None and kind != "dff" else trailing(x, baseline or T)
    v = x - base
    expected = [scaled(v[t], v[: t + 1], kind, base[t]) for t in range(T)]
    found = roi_signals.past_normalised(SIGNALS, baseline=baseline, normalise=kind)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("by", ["past", "first", "told", "whole"])
@pytest.mark.parametrize("kind", ["minmax", "zscore"])
def test_signals_of_any_unit_are_normalised_alike(by, kind):
    """Of ΔF/F that varies by a thousandth, or of counts: no unit is in what comes out."""
    about = {"baseline": None, "normalise": kind}

    def made(x):
        if by == "first":
            return roi_signals.first_normalised(recording(first=6), x, **about)
        if by == "told":
            return roi_signals.told_normalised(x, told=x[::-1] + x[3], by="s2.h5", **about)
        how = roi_signals.past_normalised if by == "past" else roi_signals.normalised
        return how(x, **about)

    expected = made(SIGNALS)
    assert np.abs(expected[1:]).max() > 0.5
    for unit in (2.0**-20, 2.0**20):
        np.testing.assert_array_equal(made(SIGNALS * np.float32(unit)), expected)


@KINDS
@pytest.mark.parametrize("baseline", [None, 4, 99])
@pytest.mark.parametrize("first", [True, False])
def test_by_the_first_frames_or_by_another_recording(kind, baseline, first):
    x = SIGNALS.astype(float)
    other = x[:6] if first else 1 + x[::-1]
    base, of_other = (
        0 * one if baseline is None else trailing(one, baseline) for one in (x, other)
    )
    if kind == "dff" and baseline is None:
        base = base + other.mean(axis=0)
    expected = scaled(x - base, other - of_other, kind, base)
    about = {"baseline": baseline, "normalise": kind}
    if first:
        found = roi_signals.first_normalised(recording(first=6), SIGNALS, **about)
    else:
        found = roi_signals.told_normalised(SIGNALS, told=other, by="s2.h5", **about)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_sessions_as_decoders_read_them(capsys):
    """Each ROI's signal is a number: its session's, times ten, and its own; constant is not."""

    def made(session, *rois, **known):
        rois = np.array(rois, np.float32) + (np.arange(T) % 2)[:, None]
        return recording(rois, session, **known)

    one, two = made("s1", 11, 12, 13), made("s2", 21, 22, 23)
    lost = made("s2", 21, np.nan, 23)
    still = replace(two, rois=np.where([True, False, False], 0.5, two.rois))
    below = replace(two, rois=two.rois - 22)
    named = [replace(one, roi_names=("V1", "M2", "3")), replace(lost, roi_names=("V1", "M2", "3"))]

    def read(*recordings, **settings):
        found, dropped = roi_signals.session_signals(recordings, SETTINGS | settings)
        rows = [row.features[2] for row in found]
        return [*rows, f"dropped {dropped}", *[f"{r.causal} {r.skip}" for r in found]]

    def used(*recordings, **settings):
        return [one.features[2] for one in roi_signals.signals_of(recordings, SETTINGS | settings)]

    def check(*own, here=("a", "", "c")):
        roi_signals.check_rois(own, [replace(one, roi_names=here)], "w.h5")

    past, reference = {"causal": True}, {"causal": True, "normalise_from": "reference"}
    follows = replace(two, reference=one)
    z, dff = {"normalise": "zscore"}, {"normalise": "dff"}
    cases = {
        "all": lambda: read(one, two),
        "some": lambda: read(one, two, rois=[3, 1]),
        "some alone": lambda: read(one, two, rois=[3, 1], others="drop"),
        "one that is not there": lambda: read(one, two, rois=[2, 4]),
        "none in a recording": lambda: read(one, replace(two, rois=None)),
        "fewer": lambda: read(one, made("s2", 21, 22)),
        "of other names": lambda: read(replace(one, roi_names=tuple("abc")),
                                       replace(two, roi_names=tuple("acb"))),
        "of other names, after one without": lambda: read(
            made("s0", 1, 2, 3), replace(one, roi_names=tuple("abc")),
            replace(two, roi_names=tuple("acb")),
        ),
        "names in one alone": lambda: read(replace(one, roi_names=tuple("abc")), two),
        "one lost": lambda: read(one, lost),
        "one lost and named": lambda: read(*named),
        "one lost, not chosen": lambda: read(one, lost, rois=[1, 3]),
        "one lost, dropped": lambda: read(one, lost, drop=True),
        "one lost and one still, dropped": lambda: read(lost, still, drop=True),
        "one still": lambda: read(still, two),
        "all lost, dropped": lambda: read(lost, rois=[2], drop=True),
        "below zero": lambda: read(below),
        "below zero, as ΔF/F": lambda: read(below, **dff),
        "many lost": lambda: read(replace(one, rois=np.ones((T, 12), np.float32))),
        "by the past, as recorded": lambda: read(one, **past),
        "by the past, normalised": lambda: read(one, **past, **z),
        "by the past, less a baseline": lambda: read(one, **past, baseline=3),
        "by the past, of a long warm-up": lambda: read(one, **past, **z, warm_up=9),
        "by the reference": lambda: read(one, follows, **reference, **z),
        "by the reference, less a baseline": lambda: read(follows, **reference, **z, baseline=3),
        "by the reference, some": lambda: read(follows, **reference, **z, rois=[2]),
        "by the reference, without one": lambda: read(one, **reference, **z),
        "by the first frames": lambda: read(replace(one, first=4), **z),
        "by the first frame": lambda: read(replace(one, first=1), **z),
        "by a reference that does not vary": lambda: read(
            replace(two, reference=replace(one, rois=0 * one.rois)), **reference, **dff
        ),
        "one of some lost": lambda: read(one, lost, rois=[3, 2, 1]),
        "what would be dropped of some": lambda: roi_signals.dropped_rois(
            [one, lost], SETTINGS | {"drop": True, "rois": [3, 2, 1]}
        ),
        "what would be dropped of two": lambda: roi_signals.dropped_rois(
            [one, lost], SETTINGS | {"drop": True, "rois": [2, 3]}
        ),
        "what would be dropped": lambda: roi_signals.dropped_rois(
            [one, lost], SETTINGS | {"drop": True}
        ),
        "without those dropped then": lambda: used(one, two, dropped=[2]),
        "without those dropped then, alone": lambda: used(
            one, two, rois=[3, 2], others="drop", dropped=[2]
        ),
        "names": lambda: [
            roi_signals.roi_names([one, named[0]]), str(roi_signals.roi_names([one]))
        ],
        "the ROIs of a decoder": lambda: check("a", "b", "c"),
        "the ROIs of a decoder without names": lambda: check("", "", ""),
        "other ROIs than of a decoder": lambda: check("a", "b", "d"),
        "two other ROIs than of a decoder": lambda: check("b", "b", "d"),
        "more ROIs than of a decoder": lambda: check("a", "b"),
    }  # fmt: skip
    assert_told(cases, TOLD / "roi_signals.txt", capsys)


def test_an_roi_that_is_constant_or_missing_has_no_correlation():
    rois = SIGNALS.copy()
    rois[:, 0], rois[4, 2] = 0.1, np.nan
    one = recording(rois, roi_names=("a", "b", "c"))
    with warnings.catch_warnings(action="error"):
        table = roi_correlation.correlation_table([one, replace(one, session="s2")], 4)
    assert table.columns.tolist() == ["mouse", "session", "roi", "name", "r"]
    assert table["session"].tolist() == ["s1"] * 3 + ["s2"] * 3
    assert table["roi"].tolist() == [1, 2, 3] * 2 and table["name"].tolist() == list("abc") * 2
    values = roi_signals.normalised(rois[:, [1]], baseline=4, normalise="none")
    r = np.corrcoef(values[:, 0], LABELS)[0, 1]
    np.testing.assert_allclose(table["r"], [np.nan, r, np.nan] * 2, rtol=1e-6)
    unnamed = replace(one, session="s0", roi_names=None, labels=np.zeros_like(one.labels))
    with warnings.catch_warnings(action="error"):  # of one state
        mixed = roi_correlation.correlation_table([unnamed, one], 4)
    assert mixed["name"].tolist() == list("abc") * 2 and mixed["r"][:3].isna().all()
    assert roi_correlation.correlation_summary(mixed)["roi"].tolist() == [1, 2, 3]
    plain = roi_correlation.correlation_table([recording()], None)
    assert plain["name"].tolist() == ["1", "2", "3"]
    summary = roi_correlation.correlation_summary(table)
    assert summary["n"].tolist() == [0, 2, 0] and summary["sd"][1] == pytest.approx(0)
