"""What goes wrong with recordings: one clear line each, no output, the other sessions unaffected.

What is wrong inside TIFF and MAT files stands in test_sources.py, lengths and states in
test_preprocess.py, masks and ROI files in test_masks.py and test_rois.py, names of sessions in
test_cohort.py, weights that hold code in test_models.py.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from make import Hostile, snakemake
from make_movies import FRAMES as WHOLE
from make_movies import (
    photon_series,
    save_h5,
    save_h5_of_parts,
    save_h5_of_raw,
    save_h5_of_raws,
    save_nwb,
    save_v5,
    save_v73,
    save_video,
    save_zarr,
)
from mesodecode.base import files
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.recordings.readers import hdf5, open_movie
from mesodecode.recordings.readers.traces import read_variables

T, H, W = 40, 6, 9
FRAMES = np.random.default_rng(5).integers(100, 4000, (T, H, W)).astype(np.uint16)
LABELS = np.arange(T) // 5 % 2
GRAY = {"photometric": "minisblack"}


@pytest.fixture
def lab(tmp_path):
    """A folder with a good session, `s.tif` and `s.mat`."""
    tifffile.imwrite(tmp_path / "s.tif", FRAMES, **GRAY)
    scipy.io.savemat(tmp_path / "s.mat", {"runrest": LABELS, "speed_rs": LABELS * 3.0})
    return tmp_path


def preprocess(lab, **changes):
    """Run the verb on the good session with some flags changed; return its exit status."""
    flags = {
        "movie": lab / "s.tif",
        "behavior": lab / "s.mat",
        "session": "s",
        "mouse": "m",
        "out": lab / "out" / "s.h5",
    } | changes
    words = ["preprocess"]
    for key, value in flags.items():
        values = value if isinstance(value, list) else [value]
        words += ["--" + key.replace("_", "-"), *map(str, values)]
    return main(words)


def refused(lab, capsys, **changes):
    """Return the one line of a session that is refused, which leaves nothing behind."""
    before = sorted(lab.rglob("*"))
    assert preprocess(lab, **changes) == 1
    err = capsys.readouterr().err
    assert err.startswith("mesodecode preprocess: error: ") and err.count("\n") == 1, err
    assert [p for p in sorted(lab.rglob("*")) if p not in before and p != lab / "out"] == []
    assert not (lab / "out").exists() or not any((lab / "out").iterdir())
    return err.removeprefix("mesodecode preprocess: error: ").rstrip("\n")


def test_the_good_session_is_good(lab, capsys):
    assert preprocess(lab) == 0
    assert capsys.readouterr().err == ""


# --- movies ------------------------------------------------------------------------------------


def with_zeros(frames, *at):
    frames = frames.copy()
    frames[list(at)] = 0
    return frames


def with_most(frames, most, share):
    """Return frames in which `share` of all pixels are `most`."""
    frames = (frames % (most // 2)).astype(np.uint8 if most == 255 else np.uint16)
    frames.reshape(-1)[: int(share * frames.size)] = most
    return frames


def of_frames(frames):
    return lambda path: tifffile.imwrite(path, frames, **GRAY)


def unknown_compression(path):
    tifffile.imwrite(path, FRAMES, compression="zlib", **GRAY)
    with tifffile.TiffFile(path, mode="r+") as tif:
        for page in tif.pages:
            page.tags["Compression"].overwrite(60000)


def wrong_size_midway(path):
    with tifffile.TiffWriter(path) as tif:
        for i, frame in enumerate(FRAMES):
            tif.write(frame[:, : W - (i == 20)], metadata=None, contiguous=False, **GRAY)


def missing_filter(path):
    """A dataset of a filter that is not installed, as of a lab with hdf5plugin."""
    with h5py.File(path, "w") as file:
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_chunk((10, H, W))
        create.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (2, 2, 2, 0))
        space = h5py.h5s.create_simple(FRAMES.shape)
        dataset = h5py.h5d.create(file.id, b"frames", h5py.h5t.NATIVE_UINT16, space, create)
        for start in range(0, T, 10):
            dataset.write_direct_chunk((start, 0, 0), b"compressed")


def h5_of_lost_part(path):
    save_h5_of_parts(path, FRAMES)
    path.with_suffix(".1.h5").unlink()


def unfinished_h5(path):
    with h5py.File(path, "w") as file:
        frames = file.create_dataset("frames", FRAMES.shape, "u2", chunks=(4, H, W))
        frames[:20] = FRAMES[:20]


def h5_of(array):
    return lambda path: save_h5(path, frames=array)


def npy_of(array):
    return lambda path: np.save(path, array)


def npy_that_promises_more(path):
    with open(path, "wb") as file:
        header = {"descr": "<u2", "fortran_order": False, "shape": (10**9, H, W)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(FRAMES.tobytes())


def damaged_zarr(part, content, chunks=(10, H, W)):
    def save(path):
        save_zarr(path, FRAMES, chunks=chunks)
        for file in path.glob(part):
            file.unlink() if content is None else file.write_bytes(content)

    return save


def external_nwb(path):
    import pynwb.ophys

    def make(nwb):
        series = photon_series()(nwb)
        return pynwb.ophys.OnePhotonSeries(
            name="outside",
            external_file=["s.avi"],
            format="external",
            imaging_plane=series.imaging_plane,
            starting_frame=[0],
            num_samples=T,
            unit="n.a.",
            rate=30.0,
            dimension=[W, H],
        )

    save_nwb(path, make)


def cut_video(path):
    save_video(path, FRAMES.repeat(8, 1).repeat(8, 2), pixels="gray16le")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def zarr_of_large_frames(path):
    import zarr

    array = zarr.create_array(str(path), shape=(T, 10**5, 10**5), chunks=(1, 999, 999), dtype="u2")
    array[0, :9, :9] = 1


MOVIES = {
    # what is wrong: (file name, how to write it, words of the line)
    "a file of nothing": ("x.tif", lambda p: p.touch(), "an empty file (0 bytes); copy"),
    "HDF5 of nothing": ("x.h5", lambda p: p.touch(), "an empty file (0 bytes); copy"),
    "MAT of nothing": ("x.mat", lambda p: p.touch(), "an empty file (0 bytes); copy"),
    "NPY of nothing": ("x.npy", lambda p: p.touch(), "an empty file (0 bytes); copy"),
    "NWB of nothing": ("x.nwb", lambda p: p.touch(), "an empty file (0 bytes); copy"),
    "video of nothing": ("x.mp4", lambda p: p.touch(), "an empty file (0 bytes); copy"),
    "text named .h5": ("x.h5", lambda p: p.write_text("frames\n" * 99), "not a readable HDF5 file"),
    "text named .avi": ("x.avi", lambda p: p.write_text("frames\n" * 99), "not a readable video"),
    "a TIFF file named .npy": ("x.npy", of_frames(FRAMES), "not a readable NPY file"),
    "HDF5 that is no NWB": ("x.nwb", h5_of(FRAMES), "not a readable NWB file"),
    "a page of another size midway": ("x.tif", wrong_size_midway, "page 20 has another size"),
    "an unknown compression": ("x.tif", unknown_compression, "cannot be read"),
    "colours": (
        "x.tif",
        lambda p: tifffile.imwrite(p, np.zeros((T, H, W, 3), np.uint8), photometric="rgb"),
        "one channel",
    ),
    "dropped frames": ("x.tif", of_frames(with_zeros(FRAMES, 7, 8, 30)), "3 of 40 frames are 0"),
    "frames never written": ("x.npy", npy_of(with_zeros(FRAMES, *range(25, T))), "the first 25"),
    "negative counts but for dropped frames": (
        "x.tif",
        of_frames(with_zeros(-FRAMES.astype(np.int16), 3)),
        "1 of 40 frames are 0 throughout, the first 3",
    ),
    "saturated, 8 bit": ("x.tif", of_frames(with_most(FRAMES, 255, 0.6)), "are 255, the most"),
    "saturated, 12 bit": ("x.tif", of_frames(with_most(FRAMES, 4095, 0.6)), "60% of all pixel"),
    "saturated, 12 bit shifted": (
        *("x.tif", of_frames(with_most(FRAMES, 65520, 0.6)), "are 65520, the most"),
    ),
    "saturated, 16 bit": ("x.tif", of_frames(with_most(FRAMES, 65535, 0.6)), "are 65535, the most"),
    "one frame": ("x.npy", npy_of(FRAMES[:1]), "40 frames, but"),
    "no frames": ("x.npy", npy_of(FRAMES[:0]), "an empty movie"),
    "NaN": (
        "x.npy",
        npy_of(np.where(FRAMES[9, 2, 2] == FRAMES, np.nan, FRAMES)),
        "NaN or infinite",
    ),
    "time is another axis": ("x.npy", npy_of(FRAMES.transpose(1, 2, 0)), "set movie_axes"),
    "four axes": ("x.npy", npy_of(np.zeros((T, 2, H, W))), "name its axes in movie_axes"),
    "two axes": ("x.npy", npy_of(np.zeros((T, W))), "needs frames x height x width"),
    "complex numbers in TIFF": ("x.tif", of_frames(FRAMES.astype("c8")), "whole or real numbers"),
    "complex numbers": ("x.npy", npy_of(FRAMES.astype(complex)), "whole or real numbers"),
    "fields": ("x.npy", npy_of(np.zeros((T, H, W), [("a", "f4")])), "whole or real numbers"),
    "an NPY header that promises more": ("x.npy", npy_that_promises_more, "not a readable NPY"),
    "a missing HDF5 filter": ("x.h5", missing_filter, "filter 32001"),
    "HDF5 that is half written": ("x.h5", unfinished_h5, "50% written"),
    "HDF5 without a movie": ("x.h5", lambda p: save_h5(p, t=LABELS), "it holds: t 40"),
    "HDF5 of text": ("x.h5", lambda p: save_h5(p, t=[[["a"]]]), "it holds: no array of numbers"),
    "HDF5 with two movies": ("x.h5", lambda p: save_h5(p, a=FRAMES, b=FRAMES), "movie_dataset"),
    "HDF5 whose frames are elsewhere": (
        "x.h5",
        lambda p: h5py.File(p, "w").create_dataset(
            "f", FRAMES.shape, "u2", external=[("gone.raw", 0, FRAMES.nbytes)]
        ),
        "cannot be read",
    ),
    "HDF5 of files of which one is missing": (
        *("x.h5", h5_of_lost_part, "x.1.h5, which is not there; copy that file to"),
    ),
    "HDF5 of files of which one ends early": (
        *("x.h5", lambda p: save_h5_of_parts(p, FRAMES, n_frames=3), "part of x.1.h5, which ends"),
    ),
    "HDF5 of a raw file that was not copied whole": (
        *("x.h5", lambda p: save_h5_of_raw(p, FRAMES, n_bytes=1001), "which has 1001 of 4320"),
    ),
    "HDF5 of a second raw file that was not copied whole": (
        *("x.h5", lambda p: save_h5_of_raws(p, FRAMES, n_bytes=2175), "has 2175 of 2176 bytes"),
    ),
    "HDF5 of frames that no camera takes": (
        "x.h5",
        lambda p: h5py.File(p, "w").create_dataset(
            "f", (T, 10**5, 10**5), "u2", external=[("gone.raw", 0, T * 2 * 10**10)]
        ),
        "frames of 100000 x 100000 px, 20.0 GB each",
    ),
    "Zarr of frames that no camera takes": ("x.zarr", zarr_of_large_frames, "20.0 GB each"),
    "a name of sides whose product is 0 in 64 bits": (
        "x_4294967296_4294967296_uint16.dat",
        lambda p: p.write_bytes(bytes(100)),
        "no whole number of frames",
    ),
    "a name of frames without pixels": (
        *("x_0_9_uint16.dat", lambda p: p.write_bytes(bytes(100)), "frames without pixels"),
    ),
    "Zarr with a missing chunk": ("x.zarr", damaged_zarr("c/2/*/*", None), "10 of 40 frames are 0"),
    "Zarr with half of some frames missing": (
        "x.zarr",
        damaged_zarr("c/2/1/*", None, (10, H // 2, W)),
        "1 of 8 chunks are not there, the first c/2/1/0",
    ),
    "Zarr with a damaged chunk": (
        "x.zarr",
        damaged_zarr("c/2/*/*", b"no chunk"),
        "cannot be read",
    ),
    "Zarr never written": ("x.zarr", damaged_zarr("c/*/*/*", None), "no frames were written"),
    "Zarr with damaged metadata": (
        "x.zarr",
        damaged_zarr("zarr.json", b"{"),
        "not a readable Zarr",
    ),
    "a folder without frames": ("x", lambda p: p.mkdir(), "neither TIFF files"),
    "NWB whose frames are elsewhere": ("x.nwb", external_nwb, "are in s.avi; name that file"),
    "a cut video": ("x.avi", cut_video, "is a file cut short?"),
    "a pipe": ("x.tif", os.mkfifo, "a pipe or device"),
    "an unknown format": ("x.oib", lambda p: p.write_bytes(b"\xd0\xcf"), "no known format"),
}


@pytest.mark.parametrize("case", MOVIES)
def test_a_bad_movie(lab, capsys, case):
    name, save, words = MOVIES[case]
    save(lab / name)
    line = refused(lab, capsys, movie=lab / name)
    assert words in line
    assert str(lab / name) in line


def test_a_trace_of_files_of_which_one_is_missing(tmp_path):
    """HDF5 would give zeros for it: rest."""
    path = tmp_path / "b.h5"
    save_h5_of_parts(path, LABELS * 3.0)
    found, _ = read_variables(path, ["frames"])
    np.testing.assert_array_equal(found["frames"].values, LABELS * 3.0)
    path.with_suffix(".1.h5").unlink()
    with pytest.raises(UserError, match=r"dataset part of b\.1\.h5, which is not there"):
        read_variables(path, ["frames"])
    save_h5_of_raw(path, np.where(LABELS, "run", "rest").astype("S4"), n_bytes=99)
    with pytest.raises(UserError, match="which has 99 of 160 bytes"):
        read_variables(path, ["frames"])


def test_raw_values_are_looked_for_where_hdf5_does(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("speed", (40,), "f8", external=[("b.raw", 0, 320)])
    (tmp_path / "b.raw").write_bytes(bytes(99))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"are in b\.raw, which has 99 of 320 bytes"):
        read_variables("b.h5", ["speed"])
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.setenv("HDF5_EXTFILE_PREFIX", "${ORIGIN}")
    with pytest.raises(UserError, match=r"are in .*/b\.raw, which has 99 of 320 bytes"):
        read_variables(tmp_path / "b.h5", ["speed"])


# --- axes that are not the usual ones ------------------------------------------------------------


def by_its_own_clock(lab, seconds):
    """Write speed at 100 samples/s, its mouse running in every other half second."""
    time = np.arange(round(seconds * 100)) / 100
    speed = np.where(time % 1 < 0.5, 0, 5)
    np.savetxt(lab / "b.csv", np.c_[time, speed], "%g", ",", header="time,speed", comments="")
    return {"behavior": lab / "b.csv", "behavior_time": "time"}


MISREAD = {
    # name: (file, how to write 400 frames of 6 x 9 px in an unusual order, what is asked for)
    "MAT v5 from Python": ("x.mat", lambda p, x: scipy.io.savemat(p, {"x": x}), "TYX"),
    "MAT v7.3 from Python": ("x.mat", lambda p, x: save_v73(p, x=x), "TYX"),
    "NPY, time last": ("x.npy", lambda p, x: np.save(p, np.moveaxis(x, 0, 2)), "YXT"),
    "NPY, time in the middle": ("x.npy", lambda p, x: np.save(p, np.moveaxis(x, 0, 1)), "YTX"),
    "HDF5, time last": ("x.h5", lambda p, x: save_h5(p, x=np.moveaxis(x, 0, 2)), "YXT"),
    "TIFF, pages of rows": (
        "x.tif",
        lambda p, x: tifffile.imwrite(p, np.moveaxis(x, 0, 2), **GRAY),
        "YXT",
    ),
    "Zarr, time last": (
        "x.zarr",
        lambda p, x: save_zarr(p, np.moveaxis(x, 0, 2), chunks=(6, 9, 40)),
        "YXT",
    ),
}


@pytest.mark.parametrize("case", MISREAD)
def test_a_movie_read_along_another_axis_is_refused(lab, capsys, case):
    """By the time of its behaviour, by time stamps and by labels: no count fits but the right."""
    file, save, letters = MISREAD[case]
    frames = np.tile(FRAMES, (10, 1, 1))
    save(lab / file, frames)
    clock = by_its_own_clock(lab, 13.4)
    line = refused(lab, capsys, movie=lab / file, **clock)
    assert f"set movie_axes: {letters};" in line and "misread" in line
    np.save(lab / "labels.npy", np.arange(400) // 5 % 2)
    line = refused(lab, capsys, movie=lab / file, behavior=lab / "labels.npy")
    assert f"set movie_axes: {letters};" in line
    np.save(lab / "t.npy", np.arange(400) / 30)
    line = refused(lab, capsys, movie=lab / file, frame_times=lab / "t.npy", **clock)
    assert f"set movie_axes: {letters};" in line
    assert preprocess(lab, movie=lab / file, movie_axes=letters, **clock) == 0
    with h5py.File(lab / "out" / "s.h5") as recording:
        np.testing.assert_array_equal(recording["frames"], frames)
        assert recording.attrs["movie_axes"] == letters
        assert recording.attrs["movie_axes_by"] == "movie_axes"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1.4, None), (13.2, None), (13.5, "9.9% of it: misread"), (60, "misread")],
)
def test_a_movie_of_less_than_a_tenth_of_its_behaviour_is_refused(lab, capsys, seconds, words):
    """40 frames at 30/s. Time stamps of its frames say that it is as short."""
    clock = by_its_own_clock(lab, seconds)
    if words is None:
        assert preprocess(lab, **clock) == 0
    else:
        assert words in refused(lab, capsys, **clock)
        np.save(lab / "t.npy", np.arange(T) / 30 + 0.1)
        assert preprocess(lab, frame_times=lab / "t.npy", **clock) == 0


def test_a_part_of_hdf5_that_was_never_written_is_refused(lab, capsys):
    """A dataset that is joined of another which was never written would read as zeros."""
    with h5py.File(lab / "part.h5", "w") as file:
        file.create_dataset("part", FRAMES.shape, "u2", chunks=(4, H, W))
    layout = h5py.VirtualLayout(FRAMES.shape, "u2")
    layout[:] = h5py.VirtualSource("part.h5", "part", FRAMES.shape, "u2")
    with h5py.File(lab / "x.h5", "w") as file:
        file.create_virtual_dataset("frames", layout)
    assert "part.h5: /part is 0% written" in refused(lab, capsys, movie=lab / "x.h5")


@pytest.mark.parametrize(("n_frames", "whole"), [(30, True), (29, False)])
def test_parts_of_the_sources_of_a_virtual_dataset_have_to_be_there(lab, n_frames, whole):
    """Frames 10 to 29 of a file are the last 20 of 40; the first 20 are those that it may get."""
    save_h5(lab / "part.h5", part=FRAMES[:n_frames])
    with h5py.File(lab / "part.h5", "a") as file:
        file.create_dataset("growing", data=FRAMES[:20], maxshape=(None, H, W))
    layout = h5py.VirtualLayout(FRAMES.shape, "u2", maxshape=FRAMES.shape)
    source = h5py.VirtualSource("part.h5", "part", (30, H, W), "u2")
    layout[20:] = source[10:30]
    growing = h5py.VirtualSource("part.h5", "growing", (20, H, W), "u2", maxshape=(None, H, W))
    layout[:20] = growing[:20]
    with h5py.File(lab / "x.h5", "w") as file:
        dataset = file.create_virtual_dataset("frames", layout)
        if whole:
            hdf5.check_whole(dataset, lab / "x.h5")
            np.testing.assert_array_equal(dataset, np.r_[FRAMES[:20], FRAMES[10:30]])
            return
        with pytest.raises(
            UserError, match=r"dataset part of part\.h5, which ends early: its shape"
        ):
            hdf5.check_whole(dataset, lab / "x.h5")


@pytest.mark.parametrize("prefix", ["{folder}/parts", "${{ORIGIN}}/parts"])
def test_sources_of_a_virtual_dataset_are_looked_for_where_hdf5_looks(lab, monkeypatch, prefix):
    (lab / "parts").mkdir()
    layout = h5py.VirtualLayout(FRAMES.shape, "u2")
    layout[:] = h5py.VirtualSource("part.h5", "part", FRAMES.shape, "u2")
    with h5py.File(lab / "x.h5", "w") as file:
        dataset = file.create_virtual_dataset("frames", layout)
        with pytest.raises(UserError, match=r"of part\.h5, which is not there; copy that file to"):
            hdf5.check_whole(dataset, lab / "x.h5")
        monkeypatch.setenv("HDF5_VDS_PREFIX", prefix.format(folder=lab))
        with h5py.File(lab / "parts/part.h5", "w") as part:
            part["part"] = FRAMES
        hdf5.check_whole(dataset, lab / "x.h5")
        with h5py.File(lab / "parts/part.h5", "w") as part:
            part["part"] = FRAMES[:-1]
        with h5py.File(lab / "part.h5", "w") as part:
            part["part"] = FRAMES  # which HDF5 would not come to
        with pytest.raises(UserError, match=r"of part\.h5, which ends early: its shape is"):
            hdf5.check_whole(dataset, lab / "x.h5")
        with h5py.File(lab / "parts/part.h5", "w") as part:
            part["another"] = FRAMES
        with pytest.raises(UserError, match=r"dataset part of part\.h5, which has no such dataset"):
            hdf5.check_whole(dataset, lab / "x.h5")


def test_intervals_and_sampled_behaviour_tell_a_misread_movie_too(lab, capsys):
    from pynwb.epoch import TimeIntervals

    runs = TimeIntervals(name="runs", description="of the mouse")
    for start in range(0, 60, 10):
        runs.add_interval(start_time=float(start), stop_time=start + 5.0)
    save_nwb(lab / "b.nwb", intervals=[runs])
    line = refused(lab, capsys, behavior=lab / "b.nwb", behavior_labels="runs")
    assert "runs goes on for 55 s" in line
    runs = TimeIntervals(name="runs", description="of the mouse")
    runs.add_interval(start_time=0.0, stop_time=T / 30)
    save_nwb(lab / "b.nwb", intervals=[runs])
    np.save(lab / "x.npy", np.moveaxis(FRAMES, 0, 2))  # of six frames, 15 % of it
    bouts = {"behavior": lab / "b.nwb", "behavior_labels": "runs"}
    assert "set movie_axes: YXT" in refused(lab, capsys, movie=lab / "x.npy", **bouts)
    np.save(lab / "speed.npy", np.tile([0.0, 5.0], 1000))
    line = refused(lab, capsys, behavior=lab / "speed.npy", behavior_rate=50)
    assert "speed goes on for 39.98 s" in line


def test_behaviour_in_zarr_is_refused_by_name(lab, capsys):
    save_zarr(lab / "b.zarr", FRAMES, 2, "acquisition/speed", chunks=(4, H, W))
    assert "behaviour is not read from Zarr" in refused(lab, capsys, behavior=lab / "b.zarr")


def test_a_length_by_chance_is_no_other_axis(lab):
    """A recorder ran on for as many frames as an image is wide; the user or the file says how."""
    wide = np.tile(FRAMES, (1, 1, 6))[:, :, :50]  # 40 frames, 50 px wide: 1.33 and 1.67 s
    clock = by_its_own_clock(lab, 1.67)
    np.save(lab / "x.npy", wide)
    assert preprocess(lab, movie=lab / "x.npy", **clock) == 1
    assert preprocess(lab, movie=lab / "x.npy", movie_axes="TYX", **clock) == 0
    np.save(lab / "t.npy", np.arange(T) / 30)
    assert preprocess(lab, movie=lab / "x.npy", frame_times=lab / "t.npy", **clock) == 0
    tifffile.imwrite(lab / "x.tif", wide, imagej=True, metadata={"axes": "TYX"})
    assert preprocess(lab, movie=lab / "x.tif", **clock) == 0


def test_axes_that_nothing_tells_are_said(lab, capsys):
    """An image of the movie's size tells rows from columns, unless both are as long."""

    def said(frames, **more):
        np.save(lab / "x.npy", frames)
        assert preprocess(lab, movie=lab / "x.npy", **more) == 0
        with h5py.File(lab / "out" / "s.h5") as recording:
            by = recording.attrs["movie_axes_by"]
            assert recording.attrs["movie_axes"] == "TYX"
        return capsys.readouterr().err, by

    line, by = said(FRAMES)
    assert line.count("\n") == 1 and by == "nothing"
    assert "x.npy: axes taken as TYX" in line and "40 frames of 6 rows x 9 columns" in line
    assert "set movie_axes: TXY" in line
    assert said(FRAMES, movie_axes="TYX") == ("", "movie_axes")
    np.save(lab / "areas.npy", np.repeat([[1], [2]], [H - 1, 1], axis=0).repeat(W, 1))
    assert said(FRAMES, roi_masks=lab / "areas.npy") == ("", str(lab / "areas.npy"))
    assert said(FRAMES, brain_mask=lab / "areas.npy") == ("", str(lab / "areas.npy"))
    (lab / "areas.json").write_text('{"a": [[0, 0], [0, 4], [4, 4]]}')
    assert said(FRAMES, roi_masks=lab / "areas.json")[1] == "nothing"
    np.save(lab / "areas.npy", np.ones((H, H), np.uint8))
    assert said(FRAMES[:, :, :H], roi_masks=lab / "areas.npy")[1] == "nothing"
    assert preprocess(lab) == 0 and capsys.readouterr().err == ""  # TIFF names its axes


def test_a_few_saturated_pixels_and_kept_zero_frames_are_no_fault(lab):
    for most, share in ((255, 0.4), (4095, 0.4), (255 * 4, 0.9)):
        of_frames(with_most(FRAMES, most, share))(lab / "x.tif")
        assert preprocess(lab, movie=lab / "x.tif") == 0
    of_frames(with_zeros(FRAMES, 7))(lab / "x.tif")
    assert preprocess(lab, movie=lab / "x.tif", zero_frames="keep") == 0


def in_a_circle(path):
    path.symlink_to(path.with_name("other"))
    path.with_name("other").symlink_to(path)


PLACES = {
    # what is wrong: (file name, how to make it, words of the line)
    "missing": ("x", lambda path: None, "check the path"),
    "a link to nothing": ("x", lambda path: path.symlink_to("gone"), "No such file"),
    "links in a circle": ("x", in_a_circle, "links that lead to each other"),
    "a file as a folder": ("s.tif/x", lambda path: None, "a folder of the path is a file"),
    "a name too long": ("x" * 300, lambda path: None, "shorten it"),
    "a pattern without files": ("x*", lambda path: None, "No such file"),
}


@pytest.mark.parametrize("kind", ["movie", "behavior", "rois", "frame_times"])
@pytest.mark.parametrize("case", PLACES)
def test_a_bad_place(lab, capsys, case, kind):
    name, make, words = PLACES[case]
    path = lab / f"{name}{'.tif' if kind == 'movie' else '.csv'}"
    make(path)
    line = refused(lab, capsys, **{kind: path})
    assert words in line and str(path) in line


NOT_THE_FILE = {
    b"": "an empty file (0 bytes)",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n": "a pointer of Git LFS",
    b"<!DOCTYPE html>\n<html><body>Sign in</body></html>": "a page of the web",
}


@pytest.mark.parametrize(
    ("flag", "endings"),
    [
        ("movie", ".tif .h5 .mat .npy .nwb .avi .sif .lif"),
        ("behavior", ".mat .h5 .csv .npy .nwb .tdms"),
        ("frame_times", ".mat .h5 .csv .npy"),
        ("rois", ".mat .h5 .csv .npy .nwb"),
        ("roi_masks", ".mat .h5 .tif .png .npy .zip .roi .json .csv"),
        ("brain_mask", ".mat .h5 .tif .png .npy"),
        ("dark_frame", ".h5 .tif .png .npy"),
    ],
)
def test_what_came_in_the_place_of_a_file_is_told(lab, capsys, flag, endings):
    for ending in endings.split():
        for content, words in NOT_THE_FILE.items():
            (lab / f"x{ending}").write_bytes(content)
            line = refused(lab, capsys, **{flag: lab / f"x{ending}"})
            assert f"{lab / f'x{ending}'}: {words}" in line, ending


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux")
@pytest.mark.parametrize("kind", ["movie", "behavior"])
def test_a_file_that_cannot_be_read(lab, capsys, kind):
    (lab / "x.mat").symlink_to("/proc/self/mem")  # it opens; reading its start is an I/O error
    line = refused(lab, capsys, **{kind: lab / "x.mat"})
    assert str(lab / "x.mat") in line and "Input/output error" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else(lab, capsys):
    (lab / "s.tif").chmod(0)
    assert "Permission denied; ask its owner" in refused(lab, capsys)


def test_unicode_and_spaces_in_names_are_no_fault(lab):
    folder = lab / "Mäuse 2024 [α]" / "søndag"
    folder.mkdir(parents=True)
    shutil.copy(lab / "s.tif", folder / "film nº 1.tif")
    shutil.copy(lab / "s.mat", folder / "atferd ☃.mat")
    files = {"movie": folder / "film nº 1.tif", "behavior": folder / "atferd ☃.mat"}
    assert preprocess(lab, **files, out=folder / "ut.h5") == 0
    shutil.move(folder / "film nº 1.tif", folder / "film ☃.h5")
    save_h5(folder / "film ☃.h5", **{"bilder ☃": FRAMES})
    files = {"movie": folder / "film ☃.h5", "movie_dataset": "bilder ☃"}
    assert preprocess(lab, **files, out=folder / "ut.h5") == 0


def test_an_output_that_is_a_folder(lab, capsys):
    (lab / "out" / "s.h5").mkdir(parents=True)
    assert preprocess(lab) == 1
    err = capsys.readouterr().err
    assert str(lab / "out" / "s.h5") in err and err.count("\n") == 1
    assert [p.name for p in (lab / "out").iterdir()] == ["s.h5"]


@pytest.mark.parametrize("kind", ["session", "mouse"])
@pytest.mark.parametrize("name", ["../s", "a/b", "", "a b", ".s"])
def test_a_name_that_could_be_a_path(lab, capsys, kind, name):
    assert f"--{kind}: {name!r} is not a" in refused(lab, capsys, **{kind: name})
    if name:
        line = refused(lab, capsys, session_name=name)
        assert f"--session: {name!r} is not a" in line


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("min_bout", -1, "less than the minimum"),
        ("counts_per_turn", 0, "counts-per-turn"),
        ("movie_axes", "tyx", "--movie-axes: 'tyx' is not an order of axes such as TYX"),
        ("movie_axes", "TTYX", "not 4 axes"),
        ("movie_dataset", "frames", "leave movie_dataset out"),
        ("min_bout", 1, "labels 'runrest' are taken"),
        ("behavior_labels", "state", "no 'state' in it; it holds: runrest, speed_rs"),
        ("behavior_time", "t", "no 't' in it"),
        ("behavior_rate", 10, "covers 0 to 3.9 s, but the movie 0 to 1.3 s"),
    ],
)
def test_a_setting_that_does_not_fit(lab, capsys, flag, value, words):
    if flag == "behavior_rate":
        scipy.io.savemat(lab / "s.mat", {"runrest": LABELS[:10]})
        words = "covers 0 to 0.9 s, but the movie 0 to 1.3 s"
    assert words in refused(lab, capsys, **{flag: value})


# --- behaviour ---------------------------------------------------------------------------------


def mat(**variables):
    return lambda path: scipy.io.savemat(path, variables)


def text(content):
    return lambda path: path.write_text(content)


def rows(*columns, n=T):
    """Write a table whose cells are given by functions of the row."""
    names = [name for name, _ in columns]
    body = [",".join(str(cell(i)) for _, cell in columns) for i in range(n)]
    return text("\n".join([",".join(names), *body]))


RUN = ("runrest", lambda i: i // 5 % 2)
GAPS = ("labels", lambda i: i % 2 or "")
BEHAVIOR = {
    "CSV of nothing": ("x.csv", lambda p: p.touch(), "an empty file (0 bytes); copy"),
    "HDF5 of nothing": ("x.h5", lambda p: p.touch(), "an empty file (0 bytes); copy"),
    "an unknown format": ("x.xlsx", lambda p: p.write_bytes(b"PK"), "no known format"),
    "MAT without labels": ("x.mat", mat(wheel=LABELS), "neither 'runrest' nor 'speed_rs' in it"),
    "MAT of text": ("x.mat", mat(name="mouse"), "it holds: name (text)"),
    "ragged rows": ("x.csv", text("runrest\n0\n1,2,3\n"), "not a table"),
    "bytes": ("x.csv", lambda p: p.write_bytes(b"\xff\xfe\0" * 99), "x.csv"),
    "another separator": ("x.csv", text("runrest~speed\n0~1\n"), "it holds: runrest~speed"),
    "speed in words": ("x.csv", rows(("speed", lambda i: "fast")), "speed holds text"),
    "a missing label": ("x.csv", rows(("t", str), GAPS), "20 of 40 samples, the first 0"),
    "three states": ("x.csv", rows(("labels", lambda i: i % 3)), "set target: states"),
    "three words": ("x.csv", rows(("labels", lambda i: "abc"[i % 3])), "set target: states"),
    "words without run": ("x.csv", rows(("labels", lambda i: "ab"[i % 2])), "run_label"),
    "one state in words": ("x.csv", rows(("labels", lambda i: "run")), "all 40 frames are run"),
    "labels of 1 and 2": ("x.mat", mat(runrest=LABELS + 1), "labels are 0 (rest) and 1 (run)"),
    "another rate": ("x.csv", rows(RUN, n=400), "labels of 400 frames"),
    "infinite speed": ("x.mat", mat(speed_rs=np.where(LABELS, np.inf, 0)), "not finite in 20"),
    "a header alone": ("x.csv", lambda p: p.write_text("runrest\n"), "holds: runrest (empty)"),
    "a matrix": ("x.npy", npy_of(np.zeros((T, 2))), "it holds: data (40 x 2); name what it has"),
    "a folder of nothing": ("x", lambda p: p.mkdir(), "it holds: nothing"),
    "a pipe": ("x.csv", os.mkfifo, "a pipe or device"),
    "HDF5 with a missing filter": ("x.h5", None, "filter 32001"),
}


@pytest.mark.parametrize("case", BEHAVIOR)
def test_bad_behavior(lab, capsys, case):
    name, save, words = BEHAVIOR[case]
    if save is None:
        with h5py.File(lab / name, "w") as file:
            create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            create.set_chunk((T,))
            create.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, ())
            space = h5py.h5s.create_simple((T,))
            labels = h5py.h5d.create(file.id, b"labels", h5py.h5t.NATIVE_UINT8, space, create)
            labels.write_direct_chunk((0,), b"compressed")
    else:
        save(lab / name)
    line = refused(lab, capsys, behavior=lab / name)
    assert words in line and str(lab / name) in line


TIMES = {
    "too few": (np.arange(T - 1) / 30, "39 time stamps, but the movie has 40 frames"),
    "repeated": (np.r_[0, np.arange(T - 1)] / 30, "repeats at sample 1"),
    "backwards": (np.arange(T)[::-1] / 30, "goes back at sample 1"),
    "in ms": (np.arange(T) / 0.03, "0.03 frames/s, but frame_rate is 30"),
    "not finite": (np.r_[np.nan, np.arange(1, T)] / 30, "not finite"),
}


@pytest.mark.parametrize("case", TIMES)
def test_bad_time_stamps(lab, capsys, case):
    times, words = TIMES[case]
    np.save(lab / "t.npy", times)
    line = refused(lab, capsys, frame_times=lab / "t.npy")
    assert words in line and str(lab / "t.npy") in line


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({}, "no 'frame_times' in it; it holds: camera; name the frames' time stamps in"),
        ({"frame_times_dataset": "lamp"}, "no 'lamp' in it; it holds: camera; name"),
    ],
)
def test_time_stamps_that_a_file_lacks_are_asked_for_by_name(lab, capsys, named, words):
    save_h5(lab / "t.h5", camera=np.arange(T) / 30)
    line = refused(lab, capsys, frame_times=lab / "t.h5", **named)
    assert words in line and str(lab / "t.h5") in line


# --- files that hold code ----------------------------------------------------------------------


def save_pickle(path, sentinel):
    path.write_bytes(pickle.dumps(Hostile(sentinel)))


def save_objects(path, sentinel):
    np.save(path, np.array([Hostile(sentinel)] * T, dtype=object), allow_pickle=True)


@pytest.mark.parametrize("kind", ["movie", "behavior", "rois", "roi_masks", "frame_times"])
@pytest.mark.parametrize("save", [save_pickle, save_objects])
def test_a_pickle_is_never_opened(lab, capsys, kind, save):
    save(lab / "x.npy", lab / "sentinel")
    line = refused(lab, capsys, **{kind: lab / "x.npy"})
    assert str(lab / "x.npy") in line
    assert not (lab / "sentinel").exists()
    if save is save_pickle:
        pickle.loads((lab / "x.npy").read_bytes())  # the trap itself works
        assert (lab / "sentinel").exists()


@pytest.mark.parametrize("place", ["filters", "compressor"])
def test_a_pickle_in_a_zarr_chunk_is_never_opened(lab, capsys, place):
    save_zarr(lab / "x.zarr", FRAMES, 2, chunks=(T, H, W))
    about = json.loads((lab / "x.zarr" / ".zarray").read_text())
    codec = {"id": "pickle", "protocol": 4}
    about |= {"filters": None, "compressor": None}
    about[place] = [codec] if place == "filters" else codec
    (lab / "x.zarr" / ".zarray").write_text(json.dumps(about))
    save_pickle(lab / "x.zarr" / "0.0.0", lab / "sentinel")
    assert "not a readable Zarr folder" in refused(lab, capsys, movie=lab / "x.zarr")
    assert not (lab / "sentinel").exists()


# --- files that claim more than there is memory ------------------------------------------------


def sparse_npy(path):
    """A whole file of 80 MB, hardly a block of which is on the disk."""
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**7,)}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 8 * 10**7)


def nwb_of(kind):
    """Write a series of 10**7 samples, none of which is on the disk."""

    def save(path):
        from pynwb import TimeSeries

        save_nwb(path, TimeSeries(name="runrest", data=np.zeros(3, kind), unit="n.a.", rate=9.0))
        with h5py.File(path, "a") as file:
            series = file["acquisition/runrest"]
            about = dict(series["data"].attrs)
            del series["data"]
            series.create_dataset("data", (10**7,), kind).attrs.update(about)

    return save


CLAIMS = {
    "HDF5": ("x.h5", lambda p: h5py.File(p, "w").create_dataset("runrest", (10**7,), "f8")),
    "HDF5 of words": ("x.h5", lambda p: h5py.File(p, "w").create_dataset("runrest", 10**6, "S80")),
    "NWB": ("x.nwb", nwb_of("f8")),
    "NWB, its times": ("x.nwb", nwb_of("u1")),
    "MAT v5": ("x.mat", lambda p: save_v5(p, compress=True, runrest=np.zeros(10**7))),
    "MAT v5, plain": ("x.mat", lambda p: save_v5(p, runrest=np.zeros(10**7))),
    "MAT v5 with an object": (
        "x.mat",
        lambda p: save_v5(p, [("o", "string")], True, runrest=np.zeros(10**7)),
    ),
    "MAT v5, in a struct": ("x.mat", lambda p: save_v5(p, compress=True, s={"x": np.zeros(10**7)})),
    "MAT v5, in a cell": (
        "x.mat",
        lambda p: save_v5(p, compress=True, c=np.array([np.zeros(10**7), 1], object)),
    ),
    "NPY": ("x.npy", sparse_npy),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_a_variable_larger_than_memory_is_told_before_it_is_read(lab, capsys, monkeypatch, case):
    name, save = CLAIMS[case]
    save(lab / name)
    monkeypatch.setattr(files, "free_memory", lambda: 70 * 10**6)
    line = refused(lab, capsys, behavior=lab / name)
    assert line.startswith(f"{lab / name}: ") and "takes 0.1 GB of memory, and 0.1 GB are" in line
    monkeypatch.setattr(files, "free_memory", lambda: 81 * 10**6)
    assert "GB of memory" not in refused(lab, capsys, behavior=lab / name)


@pytest.mark.parametrize("name", ["x.npy", "x.tif"])
def test_a_mask_larger_than_memory_is_told_before_it_is_read(lab, capsys, monkeypatch, name):
    if name == "x.npy":
        sparse_npy(lab / name)
    else:
        tifffile.imwrite(lab / name, np.zeros((8500, 8500), np.uint8), compression="zlib")
    monkeypatch.setattr(files, "free_memory", lambda: 70 * 10**6)
    line = refused(lab, capsys, roi_masks=lab / name)
    assert str(lab / name) in line and "GB of memory" in line


def test_a_chunk_larger_than_memory_is_told_before_it_is_read(lab, capsys, monkeypatch):
    import zarr

    zarr.create_array(str(lab / "x.zarr"), shape=(T, 10**3, 10**3), chunks=(T,) * 3, dtype="u2")
    assert "no frames were written" in refused(lab, capsys, movie=lab / "x.zarr")
    whole = (T, 10**3, 10**3)
    zarr.create_array(str(lab / "y.zarr"), shape=whole, chunks=whole, dtype="u2")
    monkeypatch.setattr(files, "free_memory", lambda: 70 * 10**6)
    line = refused(lab, capsys, movie=lab / "y.zarr")
    assert "one of its chunks takes 0.1 GB of memory" in line


# --- cut at any byte ---------------------------------------------------------------------------


def save_chunked(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("frames", data=WHOLE, chunks=(8, 6, 9), compression="gzip")


CUT = {
    "HDF5": ("s.h5", lambda p: save_h5(p, frames=WHOLE)),
    "HDF5, gzip": ("s.h5", save_chunked),
    "MAT v7.3": ("s.mat", lambda p: save_v73(p, frames=WHOLE.transpose(1, 2, 0))),
    "MAT v5": ("s.mat", lambda p: scipy.io.savemat(p, {"f": WHOLE.transpose(1, 2, 0)})),
    "NPY": ("s.npy", lambda p: np.save(p, WHOLE)),
    "TIFF, LZW": ("s.tif", lambda p: tifffile.imwrite(p, WHOLE, compression="lzw", **GRAY)),
}


@pytest.fixture(scope="module", params=CUT)
def whole(request, tmp_path_factory):
    name, save = CUT[request.param]
    path = tmp_path_factory.mktemp("cut") / name
    save(path)
    return path.read_bytes(), path


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_movie_cut_at_any_byte_is_refused_or_whole(whole, share):
    content, path = whole
    path.write_bytes(content[: int(share * len(content))])
    try:
        with open_movie(path) as opened:
            frames = np.concatenate([block for _, block in opened.blocks(5)])
    except UserError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        return
    np.testing.assert_array_equal(frames, WHOLE)  # only padding was cut off


@settings(max_examples=25, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255))
def test_a_byte_that_changed_gives_frames_or_one_line(whole, at, byte):
    """No reader may end in an error of its own, whatever is in a file."""
    content, path = whole
    flipped = bytearray(content)
    flipped[int(at * len(content))] ^= byte
    path.write_bytes(flipped)
    try:
        with open_movie(path) as opened:
            assert sum(len(block) for _, block in opened.blocks(5)) == opened.shape[0]
    except UserError as error:
        assert str(path) in str(error) and "\n" not in str(error)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300), suffix=st.sampled_from(["csv", "tsv", "npy", "h5", "mat"]))
def test_no_behavior_file_ends_in_an_error_of_a_library(tmp_path_factory, content, suffix):
    path = tmp_path_factory.getbasetemp() / f"any.{suffix}"
    path.write_bytes(content)
    try:
        read_variables(path, ["labels"])
    except UserError as error:
        assert str(path) in str(error) and "\n" not in str(error)


# --- the workflow ------------------------------------------------------------------------------


@pytest.mark.e2e
def test_a_bad_session_leaves_the_others_alone(lab):
    (lab / "data").mkdir()
    for session in ("a1", "b1", "c1", "d1"):
        shutil.copy(lab / "s.tif", lab / "data" / f"{session}.tif")
        shutil.copy(lab / "s.mat", lab / "data" / f"{session}.mat")
    of_frames(with_zeros(FRAMES, 7))(lab / "data" / "b1.tif")
    study = {
        "study": "lab",
        "recordings": {"movie": "data/{session}.tif", "behavior": "data/{session}.mat"},
        "mice": {mouse: [f"{mouse}1"] for mouse in "abcd"},
        "allocation": {"train": 2},
        "decoders": {"linear": {"model": "logistic_regression"}},
    }
    results = lab / "results" / "lab"
    files = [f"results/lab/recordings/{session}.h5" for session in ("b1", "a1", "c1")]
    done = snakemake(lab, "--cores", "1", "--keep-going", *files, config=study, warm=True)
    assert done.returncode != 0
    assert sorted(p.name for p in (results / "recordings").iterdir()) == ["a1.h5", "c1.h5"]
    (line,) = (results / "logs/preprocess/b1.log").read_text().splitlines()
    assert "data/b1.tif: 1 of 40 frames are 0 throughout" in line
    assert "logs/preprocess/b1.log" in done.stdout + done.stderr
