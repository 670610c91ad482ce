"""What the config says of a session's files: all of it reaches whoever opens the movie."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import tifffile

from make_recordings import DEFAULTS
from mesodecode.base.files import UserError
from mesodecode.recordings.session_sources import Sources

STACK = np.arange(5 * 2 * 3 * 4, dtype=np.uint16).reshape(5, 2, 3, 4)


def sources(movie, corrections=None, **settings):
    own = {"movie": movie, "behavior": "b.mat", "frame_rate": 30.0}
    return Sources.of(own | settings, corrections)


def frames(found):
    with found.open() as movie:
        return np.concatenate([block for _, block in movie.blocks(3)])


def test_a_stack_of_channels_needs_their_number_or_a_file_that_tells_them(tmp_path):
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "TCYX"})
    both = STACK.reshape(10, 3, 4)
    np.testing.assert_array_equal(frames(sources(path, DEFAULTS | {"channels": 2})), both)
    lights = {"light_sources": "l.npy"}
    for corrections in (None, DEFAULTS | {"channels": 1}, DEFAULTS | {"channels": 3}):
        np.testing.assert_array_equal(frames(sources(path, corrections, **lights)), both)
        with pytest.raises(UserError, match="a stack of 2 channels"):
            frames(sources(path, corrections))
    with pytest.raises(UserError) as caught:
        frames(sources(path, None, **lights, wavelengths="separate"))
    assert str(caught.value) == (
        "l.npy: light_sources tell frames that take turns, but wavelengths is separate; leave one "
        "of them out"
    )


def test_files_of_wavelengths_are_in_turn_where_light_sources_tell_them(tmp_path):
    for i, name in enumerate(("blue", "violet")):
        tifffile.imwrite(tmp_path / f"{name}.tif", STACK[:, i], photometric="minisblack")
    paths = [tmp_path / "blue.tif", tmp_path / "violet.tif"]
    one_after_the_other = np.concatenate([STACK[:, 0], STACK[:, 1]])
    for settings in ({"light_sources": "l.npy"}, {"wavelengths": "in_turn"}):
        np.testing.assert_array_equal(frames(sources(paths, **settings)), one_after_the_other)
    apart = sources(paths, DEFAULTS | {"channels": 2}, wavelengths="separate")
    np.testing.assert_array_equal(frames(apart), STACK.reshape(10, 3, 4))


def test_an_array_is_read_by_its_axes_size_type_and_mask(tmp_path):
    np.save(tmp_path / "x.npy", STACK[:, 0].transpose(2, 0, 1))
    found = frames(sources(tmp_path / "x.npy", movie_axes="XTY"))
    np.testing.assert_array_equal(found, STACK[:, 0])
    STACK[:, 0].tofile(tmp_path / "x.raw")
    flat = sources(tmp_path / "x.raw", movie_shape=[3, 4], movie_dtype="uint16")
    np.testing.assert_array_equal(frames(flat), STACK[:, 0])
    mask = np.zeros((4, 5), bool)
    mask[1:, :4] = True
    np.save(tmp_path / "mask.npy", mask)
    np.save(tmp_path / "p.npy", STACK[:, 0].reshape(5, 12).T)
    masked = frames(sources(tmp_path / "p.npy", movie_mask=tmp_path / "mask.npy"))
    np.testing.assert_array_equal(masked[:, mask], STACK[:, 0].reshape(5, 12))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"], file["b"] = STACK[:, 0], STACK[:, 1]
    for name, movie in (("a", STACK[:, 0]), ("b", STACK[:, 1])):
        found = frames(sources(tmp_path / "x.h5", movie_dataset=name))
        np.testing.assert_array_equal(found, movie)


@pytest.mark.parametrize("rate", [0, -1.0, float("inf"), float("nan")])
def test_a_rate_is_a_number_above_0(rate):
    with pytest.raises(UserError, match=rf"^frame_rate: {rate} frames/s; needs a number above 0$"):
        sources("m.tif", frame_rate=rate)


def test_signals_of_rois_come_from_one_place():
    with pytest.raises(UserError) as caught:
        sources("m.tif", rois="r.mat", roi_masks="masks.tif")
    said = "r.mat, masks.tif: ROI signals from a file or from masks; give one"
    assert str(caught.value) == said
    sources("m.tif", rois="r.mat")
    sources("m.tif", roi_masks="masks.tif")


def test_names_of_behaviour_and_all_files_of_a_session():
    corrections = DEFAULTS | {"dark_frame": "d.tif", "brain_mask": "brain.npy", "channels": 3}
    named = {
        **{"behavior_labels": ["run", "rest"], "behavior_speed": "v", "behavior_segment": "part"},
        **{"behavior_encoder": "wheel", "behavior_position": "x", "behavior_time": "t"},
        **{"behavior_labels_run": "moving"},  # a value, not the name of a variable
    }
    files = {
        **{"rois": "r.mat", "frame_times": "f.npy", "light_sources": "l.npy"},
        "movie_mask": "mask.npy",
    }
    found = sources("m.tif", corrections, **named, **files, behavior_target="pupil_px")
    assert found.labelling == named and found.channels == 3
    names = {"run", "rest", "v", "part", "wheel", "x", "t"}
    assert found.behavior_names == names | {"pupil_px"}
    other = sources("m.tif", **named, target="pupil")
    assert other.behavior_names == names | {"pupil"} and other.channels == 1
    assert found.files == files | {
        **{"movie": "m.tif", "behavior": "b.mat", "roi_masks": None},
        **{"brain_mask": "brain.npy", "dark_frame": "d.tif"},
    }
    assert {kind for kind, path in other.files.items() if path is not None} == {"movie", "behavior"}
