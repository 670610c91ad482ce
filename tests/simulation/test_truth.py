"""Where, when and with which sign a signal was planted: by slow loops over ROIs, frames, pixels."""

from __future__ import annotations

import math

import h5py
import numpy as np
import pytest

from mesodecode.base.files import UserError
from mesodecode.simulation import truth

NAN = float("nan")
assert_same = np.testing.assert_array_equal
SIDE = 20
XY = np.array([(2, 3), (5, 14), (11.5, 4), (16, 15.2), (30, 30)], float)  # ROIs 1-5, px
PLANTED = {
    **{"signal_radius": 0.1, "image_size": SIDE, "frame_rate": 10.0, "run_signal": 0.02},
    **{"tau_rise_s": 0.05, "tau_decay_s": 0.3, "lead_s": 0.1},
    **{"signal_rois": [2, 3, 4], "signal_gains": [1, -2, 0.5], "signal_leads_s": [0, 0.4, -0.3]},
    **{"pupil_signal": 0.1, "pupil_rois": [4, 1]},
}
LEADS = {"run": {2: 0.1, 3: 0.5, 4: -0.2}, "pupil": {4: 0.1, 1: 0.1}}
LEADS["speed"] = LEADS["run"]
LEADS["states"] = LEADS["pupil"] | LEADS["run"]  # ROI 4 is of both: as running plants it
SIGNS = {"run": {2: 1, 3: -1, 4: 1}, "pupil": {4: 1, 1: 1}}
FRAMES = [-8, -3, -1, 0, 1, 2, 4, 9, 20]
ROIS = [3, 1, 2, 5, 4]


def write(path, *without, **other):
    with h5py.File(path, "w") as file:
        file["roi_xy"] = XY
        file.attrs.update({k: v for k, v in (PLANTED | other).items() if k not in without})
    return path


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "truth.h5")


def answer(time, rise, decay):
    return (1 - math.exp(-time / rise)) * math.exp(-time / decay) if time > 0 else 0.0


def expected_times(leads, rate, rise=0.05, decay=0.3):
    peak = max(answer(t / 1e4, rise, decay) for t in range(10_000))

    def one(frame, roi):
        if roi not in leads:
            return 0
        share = answer(frame / rate + leads[roi], rise, decay) / peak
        return 1 if share >= 0.5 else 0 if share < 0.05 else NAN

    return [[one(frame, roi) for roi in ROIS] for frame in FRAMES]


@pytest.mark.parametrize("target", [*LEADS, "whisking"])
def test_which_rois_carry_a_target_when_and_with_which_sign(path, target):
    found = truth.planted_rois([path], ROIS, target)
    times = truth.planted_times([path], ROIS, FRAMES, target=target)
    signs = truth.planted_signs([path], ROIS, target)
    if target not in LEADS:
        assert all(np.isnan(one).all() for one in (found, times, signs))
        assert (found.shape, times.shape) == ((5,), (9, 5))
        return
    assert found.tolist() == [roi in LEADS[target] for roi in ROIS]
    assert_same(times, expected_times(LEADS[target], 10))
    assert np.isnan(times).any() and (times == 1).any()
    faster = truth.planted_times([path], ROIS, FRAMES, 25, target)
    assert_same(faster, expected_times(LEADS[target], 25))
    of = SIGNS.get("run" if target == "speed" else target)
    assert_same(signs, [of.get(roi, 0) if of else NAN for roi in ROIS])


def test_a_truth_that_does_not_say_it_is_of_the_defaults(tmp_path):
    """As older ones: no gains, leads, kinetics, rate or pupil."""
    silent = ("signal_gains", "signal_leads_s", "lead_s", "tau_rise_s", "tau_decay_s", "frame_rate")
    old = write(tmp_path / "old.h5", *silent, "pupil_signal", "pupil_rois")
    assert truth.planted_signs([old], ROIS).tolist() == [1, 0, 1, 0, 1]
    times = expected_times({2: 0.0, 3: 0.0, 4: 0.0}, 30, 0.02, 0.2)
    assert_same(truth.planted_times([old], ROIS, FRAMES), times)
    assert not truth.planted_rois([old], ROIS, "pupil").any()
    for off in ({"run_signal": 0.0}, {"pupil_signal": 0.0}):
        none = write(tmp_path / "none.h5", **off)
        carried = [truth.planted_rois([none], ROIS, target).sum() for target in ("run", "pupil")]
        assert carried == ([0, 2] if "run_signal" in off else [3, 0])


def test_where_files_of_truth_differ_nothing_is_known(tmp_path, path):
    other = write(tmp_path / "b.h5", signal_gains=[1, 2, 0.5], signal_leads_s=[0, 0, -0.3])
    both = [path, other]
    assert_same(truth.planted_signs(both, ROIS), [NAN, 0, 1, 0, 1])
    one, two = (truth.planted_times([each], ROIS, FRAMES) for each in both)
    expected = np.where(one == two, one, NAN)
    assert_same(truth.planted_times(both, ROIS, FRAMES), expected)
    assert 0 < (one[:, 0] != two[:, 0]).sum() < 9
    fewer = write(tmp_path / "c.h5", signal_rois=[2], signal_gains=[1.0], signal_leads_s=[0.0])
    assert truth.planted_rois([fewer, path], ROIS).tolist() == [1, 0, 1, 0, 1]  # of any


def shares(areas, scale):
    """Return which share of ROIs' discs masks hide: pixel by pixel."""
    found = np.zeros((len(areas), len(XY)))
    for k, (x, y) in enumerate((XY + 0.5) * scale - 0.5):
        inside = [
            (row, column)
            for row in range(areas.shape[1])
            for column in range(areas.shape[2])
            if math.hypot(column - x, row - y) <= 0.1 * SIDE * scale
        ]
        if inside:
            found[:, k] = [sum(area[at] for at in inside) / len(inside) for area in areas]
    return found


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("target", ["run", "pupil"])
def test_masks_are_planted_that_hide_half_of_an_area(path, scale, target):
    rows, columns = np.mgrid[: SIDE * scale, : SIDE * scale] / scale
    areas = [columns < edge for edge in (1, 4, 5.5, 7, 12, 17)]
    areas += [rows < 13, rows < 4, rows > 15.4, (columns > 10) & (rows < 10), columns > 30]
    areas = np.array(areas)
    carriers = sorted(LEADS[target])
    hidden = shares(areas, scale)[:, [roi - 1 for roi in carriers]]
    expected = [1 if max(row) >= 0.5 else NAN if max(row) > 0 else 0 for row in hidden]
    assert_same(truth.planted_masks([path], areas, target), expected)
    assert {*np.nan_to_num(expected, nan=2)} == {0, 1, 2}
    assert np.isnan(truth.planted_masks([path], areas, "whisking")).all()

    times, signs = truth.planted_in_masks([path], areas, FRAMES, target=target)
    of_rois = np.array(expected_times(LEADS[target], 10))[:, [ROIS.index(roi) for roi in carriers]]
    for mask, row in enumerate(hidden):
        for frame, when in enumerate(of_rois):
            answers = any(w == 1 and share >= 0.5 for w, share in zip(when, row, strict=True))
            silent = all(w == 0 or not share for w, share in zip(when, row, strict=True))
            assert_same(times[frame, mask], 1 if answers else 0 if silent else NAN)
        held = {SIGNS[target][roi] for roi, share in zip(carriers, row, strict=True) if share}
        known = held if max(row) >= 0.5 and len(held) == 1 else () if max(row) else {0}
        assert_same(signs[mask], [*known, NAN][0])
    assert np.isfinite(signs).any() and (times == 1).any()


def test_a_planted_area_outside_the_image_is_hidden_by_nothing(tmp_path):
    far = write(tmp_path / "far.h5", signal_rois=[5, 1], signal_gains=[1, 1], signal_leads_s=[0, 0])
    areas = np.ones((1, SIDE, SIDE), bool)
    assert truth.planted_masks([far], areas).tolist() == [1]
    areas[:, :8, :8] = False
    assert truth.planted_masks([far], areas).tolist() == [0]


def test_what_is_no_truth_is_refused_and_labels_are_read_whole(tmp_path, path):
    with pytest.raises(UserError, match=r"truth\.h5: no truth of .* with labels; simulate"):
        truth.true_labels(path)
    with h5py.File(path, "a") as file:
        file["label"] = np.array([0, 1, 1], np.uint8)
    assert truth.true_labels(path).tolist() == [0, 1, 1]
    bare = write(tmp_path / "bare.h5", "image_size")
    for wrong in (bare, tmp_path / "none.h5"):
        with pytest.raises(UserError, match=rf"{wrong.name}: not a truth of `mesodecode simulate`"):
            truth.planted_rois([wrong], ROIS)
    assert np.isnan(truth.planted_rois([], ROIS)).tolist() == [True] * 5
