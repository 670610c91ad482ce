"""Checks of maps of pixels: those of what is planted pass, and wrong ones fail."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest

from make_pixels import planted, session, settings_of
from mesodecode.explain import map_verdicts, maps, pixel_check
from mesodecode.explain.pixel_shap import pixel_shap
from mesodecode.explain.shap_files import TargetMap
from mesodecode.simulation import truth

pytestmark = pytest.mark.usefixtures("one_thread")
MICE = ("d", "e", "f")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Recordings of three test mice, what is planted in them, and their maps.

    ROI 1 is pixel (2, 3), which leads the state, ROI 3 pixel (5, 1), which lags and falls.
    """
    path = tmp_path_factory.mktemp("pixels")
    with h5py.File(path / "truth.h5", "w") as file:
        file["roi_xy"] = [[3.0, 2.0], [6.0, 6.0], [1.0, 5.0]]
        about = {"signal_rois": [1, 3], "signal_gains": [1.0, -1.0], "run_signal": 0.05}
        about |= {"signal_leads_s": [0.1, -0.01], "image_size": 8, "signal_radius": 0.06}
        file.attrs.update(about | {"tau_rise_s": 0.02, "tau_decay_s": 0.1, "frame_rate": 30.0})
    recordings = {mouse: session(path, mouse) for mouse in MICE}
    found = [
        pixel_shap(planted(), [one], [], settings_of(windows=30), decoder="x")[0]
        for one in recordings.values()
    ]
    return recordings, path / "truth.h5", found


def verdicts(made, change=lambda one: one) -> pd.Series:
    """Return the verdicts on maps of which each was changed."""
    recordings, path, found = made
    found = [change(one) for one in found]
    scores = maps.of_shap(found)
    checks = [
        pixel_check.check_pixels(
            *(planted(), [one], [], settings_of(windows=4, background=4)),
            **{"maps": scores, "signed": found, "truth": [path], "limit": 60, "draws": 3},
        )
        for one in recordings.values()
    ]
    assert [one.noisy.shape for one in checks] == [(0, 16)] * 3  # for none was asked
    table = map_verdicts.table(map_verdicts.gather(scores, checks, timed=found))
    return table.set_index("check")["verdict"]


PLANTED = ("planted truth", "deletion", "deletion one by one", "deletion by sign")
PLANTED += ("planted times", "planted signs")


def test_a_map_of_what_is_planted_passes(made):
    found = verdicts(made)
    assert found[list(PLANTED)].to_dict() == dict.fromkeys(PLANTED, "pass")


def values(change) -> dict:
    """Return a change of all maps by area and frame."""
    names = ("mean_abs", "signed", "in_run", "in_rest")
    return lambda one: replace(one, **{name: change(getattr(one, name)) for name in names})


@pytest.mark.parametrize(
    ("change", "flagged"),
    [
        (values(lambda map_: np.roll(map_, 5, axis=1)), set(PLANTED) - {"planted times"}),
        (values(lambda map_: map_[::-1]), {"planted times"}),
        (
            lambda one: replace(one, signed=-one.signed, in_run=one.in_rest, in_rest=one.in_run),
            {"deletion by sign", "planted signs"},
        ),
    ],
    ids=["elsewhere", "times reversed", "signs exchanged"],
)
def test_a_wrong_map_fails(made, change, flagged):
    found = verdicts(made, change)
    assert flagged <= {*found.index[found == "flag"]}


def test_times_and_signs_of_masks_are_those_of_the_areas_they_hold(made):
    areas = np.zeros((4, 8, 8), bool)
    areas[0, 2, 3] = True  # holds ROI 1
    areas[1, :, :4] = True  # holds both, which pull either way
    areas[2, 6, 6] = True  # nothing planted
    areas[3, 5, :] = True  # holds ROI 3
    frame = [-3, -2, 0, 2, 5, 30]
    times, signs = truth.planted_in_masks([made[1]], areas, frame, 30)
    of_rois = truth.planted_times([made[1]], [1, 3], frame, 30)
    np.testing.assert_array_equal(times[:, [0, 3]], of_rois)
    np.testing.assert_array_equal(of_rois[[1, 3]], [[1, 0], [np.nan, 1]])
    np.testing.assert_array_equal(times[[1, 3, 5], 1], [1, 1, 0])
    assert (times[:, 2] == 0).all()
    np.testing.assert_array_equal(signs, [1, np.nan, 0, -1])
    assert all(np.isnan(one).all() for one in truth.planted_in_masks([], areas, frame))


def test_what_areas_say_of_each_output_is_summed_over_the_window(made):
    """Of run and rest; of states, in each against the others."""
    _, _, found = made
    says = pixel_check._says(found)
    assert list(says) == ["in_run", "in_rest"]
    for key, table in says.items():
        for (_, mouse), row in table.iterrows():
            one = found[MICE.index(mouse)]
            np.testing.assert_allclose(row, getattr(one, key).sum(axis=0))
    shape = 3, *found[0].mean_abs.shape
    own = {key: value for key, value in vars(found[0]).items() if key not in ("in_run", "in_rest")}
    del own["n_run"]
    values = {key: np.random.default_rng(0).normal(size=shape) for key in ("one_side", "signed")}
    own |= values | {"each_abs": values["signed"], "other_side": values["signed"]}
    own |= {"n_one_side": np.ones(3, int), "base": np.zeros(3), "target_unit": ""}
    states = "still", "whisking", "running"
    says = pixel_check._says([TargetMap(**own, target_name="states", target_states=states)])
    assert list(says) == ["in_still", "in_whisking", "in_running"]
    for table, one in zip(says.values(), values["one_side"], strict=True):
        np.testing.assert_allclose(table.to_numpy(), one.sum(axis=0)[None])


def test_noise_changes_the_map_that_is_checked(made):
    recordings, _, found = made
    check = pixel_check.check_pixels(
        *(planted(), [recordings["d"]], [], settings_of(windows=30)), noise_draws=2, limit=60
    )
    assert check.noisy.shape == (3, 16) and not check.auc.size
    np.testing.assert_allclose(check.noisy[0], found[0].mean_abs.sum(axis=0))
    change = np.abs(check.noisy[1:] - check.noisy[0]).sum(axis=1) / check.noisy[0].sum()
    assert (change > 0.001).all() and (change < 0.5).all() and change[0] != change[1]
