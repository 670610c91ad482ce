"""Arrays of pixels x frames, and SVD components of pixels, as images again."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from make_movies import FRAMES, H, T, W, read, refusal, save_h5, save_table, save_v73, save_zarr
from make_recordings import DEFAULTS
from mesodecode.base.files import UserError
from mesodecode.recordings.movie import WithoutBlank
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.readers import open_movie
from mesodecode.study import schema

BRAIN = np.zeros((H, W), bool)
BRAIN[1:5, 2:8] = BRAIN[3, 1] = True
INSIDE = np.where(BRAIN, FRAMES, 0)
ROWS = FRAMES[:, BRAIN]  # frames x pixels, in rows
COLUMNS = FRAMES.transpose(0, 2, 1)[:, BRAIN.T]


@pytest.fixture
def mask(tmp_path):
    np.save(tmp_path / "mask.npy", np.where(BRAIN, 3, -1))  # above 0 is inside
    return tmp_path / "mask.npy"


def save_v5(path, **variables):
    scipy.io.savemat(path, variables)


def save_npy(path, f):
    np.save(path, f)


SAVED = {
    # name: (file, writer, frames x pixels or turned, axes)
    "HDF5": ("a.h5", save_h5, ROWS.T, None),
    "HDF5, frames first": ("a.h5", save_h5, ROWS, None),
    "HDF5, in columns": ("a.h5", save_h5, COLUMNS.T, "XYT"),
    "NPY": ("a.npy", save_npy, ROWS.T, None),
    "NPY of MATLAB's order": ("a.npy", save_npy, np.asfortranarray(ROWS.T), None),
    "MAT v5": ("a.mat", save_v5, COLUMNS.T, None),
    "MAT v7.3": ("a.mat", save_v73, COLUMNS.T, None),
    "MAT v7.3, frames first": ("a.mat", save_v73, COLUMNS, None),
    "MAT from Python, in rows": ("a.mat", save_v5, ROWS.T, "XYT"),
    "Zarr": ("a.zarr", lambda p, f: save_zarr(p, f, chunks=(10, 10)), ROWS.T, None),
}


@pytest.mark.parametrize("case", SAVED)
def test_pixels_of_a_mask_are_put_in_place(tmp_path, mask, case):
    name, save, values, axes = SAVED[case]
    save(tmp_path / name, f=values)
    np.testing.assert_array_equal(read(tmp_path / name, mask=mask, axes=axes), INSIDE)


def test_real_numbers_outside_are_nan(tmp_path, mask):
    save_h5(tmp_path / "a.h5", f=ROWS.T / 7)
    got = read(tmp_path / "a.h5", mask=mask)
    np.testing.assert_array_equal(got, np.where(BRAIN, FRAMES / 7, np.nan))


@pytest.mark.parametrize("save", [save_v5, save_v73])
def test_a_whole_image_by_its_shape_or_by_r_and_c(tmp_path, save):
    pixels = FRAMES.transpose(2, 1, 0).reshape(-1, T)  # in columns
    path = tmp_path / "a.mat"
    save(path, blue=pixels)
    np.testing.assert_array_equal(read(path, shape=(H, W)), FRAMES)
    save(path, blue=pixels, R=[[float(H)]], C=[[float(W)]])
    np.testing.assert_array_equal(read(path, dataset="blue"), FRAMES)
    for size in ({"R": H, "C": W + 1.0}, {"R": float(H * W)}, {"R": [[1.0, 2]], "C": H * W}):
        save(path, blue=pixels, **{name: np.atleast_2d(value) for name, value in size.items()})
        assert "set movie_mask or movie_shape" in refusal(path, dataset="blue")


def test_two_wavelengths_of_pixels_are_no_svd(tmp_path, mask):
    save_h5(tmp_path / "a.h5", blue=ROWS.T, violet=ROWS.T + 1)
    got = read(tmp_path / "a.h5", dataset=["blue", "violet"], channels=2, mask=mask, size=6)
    np.testing.assert_array_equal(got[::2], INSIDE)
    np.testing.assert_array_equal(got[1::2], np.where(BRAIN, FRAMES + 1, 0))


def test_pixels_that_do_not_fit_are_named(tmp_path, mask):
    path = tmp_path / "a.h5"
    save_h5(path, f=ROWS[:, 1:].T)
    assert "no array of 25 pixels x frames" in refusal(path, mask=mask)
    assert f"shows 25 pixels of {H} x {W}" in refusal(path, dataset="f", mask=mask)
    save_zarr(tmp_path / "a.zarr", ROWS.T, chunks=(10, 10))  # 3 x 3 chunks
    (tmp_path / "a.zarr/c/0/1").unlink()
    assert "1 of 9 chunks are not there" in refusal(tmp_path / "a.zarr", mask=mask)
    save_h5(path, f=np.zeros((25, 25)))
    assert "which axis is time? set movie_axes" in refusal(path, mask=mask)
    square = np.arange(625).reshape(25, 25)
    np.save(tmp_path / "b.npy", square)
    for axes, frames in (("YXT", square.T), ("TYX", square)):
        got = read(tmp_path / "b.npy", mask=mask, axes=axes)
        np.testing.assert_array_equal(got[:, BRAIN], frames)
    save_h5(path, f=ROWS, g=ROWS)
    assert "several that could be the movie" in refusal(path, mask=mask)
    np.save(mask, np.zeros((H, W)))
    assert "above 0 where the movie has pixels" in str(error(path, mask))


def error(path, mask):
    with pytest.raises(Exception) as caught:
        read(path, mask=mask)
    return caught.value


def test_an_order_of_pixels_that_nothing_tells_is_said(tmp_path, capsys):
    """Rows one after the other are usual in NPY; an image of the same size does not tell."""
    np.save(tmp_path / "m.npy", FRAMES.reshape(T, -1).astype("u2") + 1)
    np.save(tmp_path / "columns.npy", FRAMES.transpose(0, 2, 1).reshape(T, -1).astype("u2") + 1)
    np.save(tmp_path / "brain.npy", np.ones((H, W)))
    np.save(tmp_path / "labels.npy", np.arange(T) // 3 % 2)
    given = {"session": "s", "mouse": "m", "frame_rate": 10, "behavior": tmp_path / "labels.npy"}
    given |= {
        "movie_shape": [H, W],
        "corrections": DEFAULTS | {"brain_mask": str(tmp_path / "brain.npy")},
    }
    for name, axes, said in (("m", None, True), ("m", "TYX", False), ("columns", "TXY", False)):
        preprocess(tmp_path / "o.h5", movie=tmp_path / f"{name}.npy", movie_axes=axes, **given)
        with h5py.File(tmp_path / "o.h5") as file:
            np.testing.assert_array_equal(file["frames"], FRAMES.astype("u2") + 1)
            assert (file.attrs["movie_axes_by"] == "nothing") == said
        assert ("scrambled, set movie_axes: TXY" in capsys.readouterr().err) == said


# --- SVD components ------------------------------------------------------------------------------

U = np.random.default_rng(0).normal(size=(H, W, 4))
SVT = np.random.default_rng(1).normal(size=(4, T))
PRODUCT = np.einsum("hwk,kt->thw", U, SVT)


def test_u_without_rows_and_columns(tmp_path, mask):
    files = [tmp_path / "reduced_spatial.npy", tmp_path / "reduced_temporal.npy"]
    np.save(files[0], U.reshape(-1, 4))
    np.save(files[1], SVT)
    np.testing.assert_allclose(read(files, shape=(H, W)), PRODUCT, atol=1e-5)
    with pytest.raises(Exception, match="set movie_shape"):
        read(files)
    np.save(files[0], U.transpose(1, 0, 2).reshape(-1, 4))
    np.testing.assert_allclose(read(files, shape=(H, W), axes="XYK"), PRODUCT, atol=1e-5)
    np.save(files[0], U.reshape(-1, 4))
    for axes, by in ((None, None), ("YXK", "movie_shape")):
        with open_movie(files, shape=(H, W), axes=axes) as movie:
            assert movie.axes.by == by
    np.save(tmp_path / "frames_average.npy", np.zeros((2, H, W)))  # wfield's, of two wavelengths
    np.testing.assert_allclose(read(files), PRODUCT, atol=1e-5)
    np.save(files[0], U[BRAIN])
    np.testing.assert_allclose(read(files, mask=mask), np.where(BRAIN, PRODUCT, np.nan), atol=1e-5)
    columns = U.transpose(1, 0, 2).reshape(-1, 4)
    scipy.io.savemat(tmp_path / "s.mat", {"U": columns, "Vc": SVT})
    got = read(tmp_path / "s.mat", dataset=["U", "Vc"], shape=(H, W))
    np.testing.assert_allclose(got, PRODUCT, atol=1e-5)


@pytest.mark.parametrize("order", ["YXK", "KYX"])
def test_components_that_svt_lacks_are_cut_from_u(tmp_path, capsys, order):
    save_h5(tmp_path / "s.h5", U=U.transpose(["YXK".index(axis) for axis in order]), V=SVT[:3])
    expected = np.einsum("hwk,kt->thw", U[..., :3], SVT[:3])
    got = read(tmp_path / "s.h5", dataset=["U", "V"], axes=order)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert "U has 4 components, SVT 3: the first 3 are taken" in capsys.readouterr().err


@pytest.mark.parametrize("save", [save_v5, save_v73])
def test_svt_of_trials_is_joined_each_a_segment(tmp_path, save):
    trials = SVT[:, :20].reshape(4, 2, 10).transpose(0, 2, 1).copy()  # K x frames x trials
    save(tmp_path / "s.mat", U=U, Vc=trials)
    got = read(tmp_path / "s.mat", dataset=["U", "Vc"])
    np.testing.assert_allclose(got, PRODUCT[:20], atol=1e-5)
    with open_movie(tmp_path / "s.mat", dataset=["U", "Vc"]) as movie:
        assert movie.segment.tolist() == [0] * 10 + [1] * 10
    trials[:, [3, 9], [0, 1]] = np.nan  # frames 3 and 19
    save(tmp_path / "s.mat", U=U, Vc=trials)
    with open_movie(tmp_path / "s.mat", dataset=["U", "Vc"]) as movie:
        left = WithoutBlank(movie)
        assert left.kept.tolist() == [*range(3), *range(4, 19)]
        assert left.segment.tolist() == [0] * 3 + [1] * 6 + [2] * 9


def test_segments_of_behaviour_are_as_many_as_frames_beside_those_of_the_movie(tmp_path):
    save_v73(tmp_path / "s.mat", U=U, Vc=SVT[:, :20].reshape(4, 2, 10).transpose(0, 2, 1))
    given = {"session": "s", "mouse": "m", "frame_rate": 10, "behavior": tmp_path / "b.mat"}
    given |= {"movie": tmp_path / "s.mat", "movie_dataset": ["U", "Vc"]}
    scipy.io.savemat(tmp_path / "b.mat", {"labels": np.arange(20) // 3 % 2, "segment": [0, 1]})
    with pytest.raises(UserError, match=r"segment of 2 frames, but .* has 20 of"):
        preprocess(tmp_path / "o.h5", **given)


def test_frames_without_values_are_left_out_of_all(tmp_path, capsys):
    """Of 23 frames, 5 between two trials have no components: labels keep to their frames."""
    gaps = SVT.copy()
    gaps[:, 10:15] = np.nan
    save_v73(tmp_path / "s.mat", U=U, Vc=gaps)
    labels, trial = np.arange(T) // 3 % 2, np.digitize(np.arange(T), [3, 18])
    save_table(tmp_path / "b.csv", labels=labels, segment=trial)
    given = {"session": "s", "mouse": "m", "frame_rate": 10, "behavior": tmp_path / "b.csv"}
    preprocess(tmp_path / "o.h5", movie=tmp_path / "s.mat", movie_dataset=["U", "Vc"], **given)
    kept = np.r_[0:10, 15:T]
    with h5py.File(tmp_path / "o.h5") as file:
        np.testing.assert_allclose(file["frames"], PRODUCT[kept], atol=1e-5)
        np.testing.assert_array_equal(file["labels"], labels[kept])
        np.testing.assert_allclose(file["time"], kept / 10)
        # one begins with each of behaviour's, and after the gap
        assert (np.flatnonzero(np.diff(file["segment"])) + 1).tolist() == [3, 10, 13]
    assert "5 of 23 frames have no values" in capsys.readouterr().err


def test_a_last_frame_that_wfield_left_at_0_is_left_out(tmp_path, capsys):
    """`wfield.approximate_svd` stops one frame early; three frames were never written."""
    u, svt = tmp_path / "U.npy", tmp_path / "SVT.npy"
    np.save(u, U)
    values = SVT.copy()
    values[0, -3:] = 0  # of one component, which says nothing
    for n, blank in ((0, []), (1, [22]), (2, [21, 22]), (3, [])):
        np.save(svt, np.where(np.arange(T) < T - n, values, 0))
        with open_movie([u, svt]) as movie:
            assert np.flatnonzero(movie.blank).tolist() == blank if blank else movie.blank is None


def test_light_sources_and_labels_are_of_the_frames_that_have_values(tmp_path):
    """Frame 5 of 24 has no components; the lights, one for each of all frames, are in no turn."""
    lights = np.array([1, 2, 2, 1, 2, 1, 1, 2] * 3)
    svt = SVT[:, :1] * (lights + np.arange(24) / 100)
    svt[:, 5] = np.nan
    np.save(tmp_path / "U.npy", U)
    np.save(tmp_path / "SVT.npy", svt)
    np.save(tmp_path / "lights.npy", lights)
    np.save(tmp_path / "labels.npy", np.arange(24) // 6 % 2)
    files = {"movie": [tmp_path / "U.npy", tmp_path / "SVT.npy"], "frame_rate": 10}
    files |= {"behavior": tmp_path / "labels.npy", "light_sources": tmp_path / "lights.npy"}
    preprocess(tmp_path / "o.h5", session="s", mouse="m", corrections=DEFAULTS, **files)
    kept = np.flatnonzero((lights == 1) & (np.arange(24) != 5))
    with h5py.File(tmp_path / "o.h5") as file:
        expected = np.einsum("hwk,kt->thw", U, svt[:, kept])
        np.testing.assert_allclose(file["frames"], expected, rtol=1e-5)
        np.testing.assert_array_equal(file["labels"], kept // 6 % 2)
        np.testing.assert_array_equal(file["corrections/signal_frames"], kept - (kept > 5))


@pytest.mark.parametrize("channel", [1, 2])
def test_of_wavelengths_in_turn_whole_cycles_are_left_out(tmp_path, channel):
    """Frame 5 of 24, of the second light, has no components: 4 and 5 go, and time goes on."""
    signal, other = np.full((4, 24), 1.0), np.full((4, 24), 2.0)
    turns = np.where(np.arange(24) % 2, other, signal) * (1 + np.arange(24) / 100)
    turns[:, 5] = np.nan
    np.save(tmp_path / "U.npy", U)
    np.save(tmp_path / "SVT.npy", turns)
    labels = np.arange(12) // 3 % 2
    np.save(tmp_path / "labels.npy", labels)
    settings = schema.defaults("corrections") | {"channels": 2, "signal_channel": channel}
    files = {"movie": [tmp_path / "U.npy", tmp_path / "SVT.npy"], "frame_rate": 10}
    files |= {"behavior": tmp_path / "labels.npy", "corrections": settings}
    preprocess(tmp_path / "o.h5", session="s", mouse="m", **files)
    kept = np.r_[0:2, 3:12]
    with h5py.File(tmp_path / "o.h5") as file:
        expected = np.einsum("hwk,kt->thw", U, turns[:, channel - 1 :: 2][:, kept])
        np.testing.assert_allclose(file["frames"], expected, rtol=1e-5)
        np.testing.assert_array_equal(file["labels"], labels[kept])
        np.testing.assert_allclose(file["time"], (2 * kept + channel - 1) / 20)
