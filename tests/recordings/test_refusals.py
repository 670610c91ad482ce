"""What readers refuse of single values, arrays and files, in one line that says what is wrong."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import roifile
import scipy.io
import tifffile
import zarr

from make_movies import save_nwb
from mesodecode.base.files import UserError
from mesodecode.recordings import alignment, harmonise, masks, preprocess, roi_files, wfield
from mesodecode.recordings.axes import Asked
from mesodecode.recordings.movie import WithoutBlank
from mesodecode.recordings.readers import (
    clocks,
    image_files,
    intervals,
    micromanager,
    nwb_zarr,
    open_movie,
    pixels,
    pose,
    pulses,
    samples,
    speeds,
    svd,
    target_traces,
)
from mesodecode.recordings.readers.arrays import Bouts, Variable
from mesodecode.recordings.readers.traces import read_variables
from mesodecode.recordings.session_sources import Sources

ROI = roifile.ImagejRoi.frompoints([[0, 0], [3, 0], [3, 3]]).tobytes()


def landmarks_without_a_place(folder):
    path = folder / "l.tsv"
    path.write_text("session\tlandmark\tx\ty\natlas\tRS\t1\t\n")
    alignment.read_landmarks(path)


def dark_frame(folder):
    tifffile.imwrite(folder / "dark.tif", np.float32([[1, np.nan], [1, 1]]))
    masks.read_dark(folder / "dark.tif", 2, 2, "m.tif")


def brain_mask(folder):
    np.save(folder / "brain.npy", np.ones((3, 2, 2), np.uint8))
    masks.read_brain(folder / "brain.npy", 2, 2, "m.tif")


def selections(folder, *names):
    with zipfile.ZipFile(folder / "RoiSet.zip", "w") as file:
        for name in names:
            file.writestr(name, ROI)
    masks.read_masks(folder / "RoiSet.zip", 8, 8)


def frame_times(folder, suffix, values):
    path = folder / f"times{suffix}"
    if suffix == ".npy":
        np.save(path, values)
    else:
        scipy.io.savemat(path, {"frame_times": values})
    clocks.read_times(path, None, 4, 30.0)


def frame_times_of_intervals(folder):
    from pynwb.epoch import TimeIntervals

    runs = TimeIntervals(name="runs", description="of the mouse")
    runs.add_interval(start_time=0.0, stop_time=1.0)
    save_nwb(folder / "t.nwb", intervals=[runs])
    clocks.read_times(folder / "t.nwb", "runs", 4, 30.0)


def nwb_in_zarr(folder):
    zarr.open_group(str(folder / "s.nwb"), mode="w").attrs["neurodata_type"] = "NWBFile"
    nwb_zarr.series(folder / "s.nwb")


def rois_of_three_axes(folder):
    np.save(folder / "r.npy", np.zeros((2, 3, 4)))
    roi_files.read_signals(folder / "r.npy", 4)


def set_of_micromanager(**page):
    key = SimpleNamespace(**{"shape": (4, 4), "offset": 8, "dataoffsets": [8]} | page)
    series = SimpleNamespace(keyframe=key, kind="mmstack")
    micromanager.SetMovie(Path("a.tif"), SimpleNamespace(series=[series]))


def tiff_without_pages(folder):
    (folder / "a.tif").write_bytes(b"II*\0\0\0\0\0")
    with open_movie(folder / "a.tif"):
        pass


def json_of_wfield(folder):
    (folder / "a.json").write_text('{"landmarks_im": ')
    wfield.read_json(folder / "a.json")


def damaged_dataset(folder, values):
    with h5py.File(folder / "b.h5", "w") as file:
        data = file.create_dataset("speed", data=values, chunks=True, compression="gzip")
        at = data.id.get_chunk_info(0).byte_offset
    with open(folder / "b.h5", "r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 20)
    read_variables(folder / "b.h5", ["speed"])


def broken_zarr(folder):
    (folder / "x.zarr").mkdir()
    (folder / "x.zarr" / "zarr.json").write_text("{")
    with open_movie(folder / "x.zarr"):
        pass


def atlas(text):
    def write(folder):
        (folder / "a.json").write_text(text)
        alignment.write_areas(folder / "a.json", [], [], folder)

    return write


def polygons(folder):
    (folder / "a.json").write_text('{"V1": ')
    masks.read_masks(folder / "a.json", 8, 8)


def points(**table):
    wfield._points({"landmarks_im": table}, "landmarks_im", Path("a.json"))


def sources(**more):
    given = {"movie": "m.tif", "behavior": "b.mat", "frame_rate": 30.0}
    Sources.of(given | more, None)


def rois_of_table(folder):
    (folder / "r.csv").write_text('V1,M1\n1.5,2\n1.5,"2,5"\n')
    roi_files.read_signals(folder / "r.csv", 2)


def rois_of_words(folder, *words):
    scipy.io.savemat(folder / "r.mat", {"dat_roi": np.array(words, object)})
    roi_files.read_rois(folder / "r.mat")


def circles(folder):
    (folder / "c.csv").write_text('name,x\nV1,1,2,3\n"')
    masks.read_masks(folder / "c.csv", 8, 8)


def trace(data, **more):
    return samples.Trace("b.csv", "bouts", data, **more)


def beyond(folder):
    """A correction whose ratio is beyond float32."""
    frames = np.ones((3, 2, 2), np.float32)
    frames[1, 0, 0] = np.inf
    stack = SimpleNamespace(shape=frames.shape, dtype=frames.dtype, path=Path("m.tif"))
    stack.blocks = lambda size: iter([(0, frames)])
    with h5py.File(folder / "o.h5", "w") as file, np.errstate(invalid="ignore"):
        preprocess.write_frames(file, stack, None)


U, SVT = np.ones((2, 3, 4)), np.ones((4, 5))
SIX = pixels.placed_in(np.ones((2, 3), bool), "X", "movie_shape")
BLANK = {"path": "m.mat", "shape": (3, 2, 2), "dtype": U.dtype, "axes": None, "names": ()}
BLACK = np.stack([np.array([[5, 0], [0, 0]]), np.array([[0, 9], [9, 9]])], -1).astype(np.uint8)


def asked(size, shape):
    return SimpleNamespace(image=np.ones(size), shape=shape, mask="m.npy", axes=None)


REFUSED = {
    "a landmark without a place": (
        landmarks_without_a_place,
        "l.tsv: landmark RS of atlas has no x or y",
    ),
    "areas without ROIs": (
        lambda _: harmonise.own_areas(SimpleNamespace(path="r.h5", rois=None), {}),
        "r.h5: no ROI signals in it, so no areas; give recordings.rois or recordings.roi_masks",
    ),
    "a dark frame with NaN": (dark_frame, "dark.tif: dark_frame with NaN or infinite pixels"),
    "a brain of three images": (
        brain_mask,
        "brain.npy: brain_mask of shape (3, 2, 2) and type uint8; needs height x width numbers",
    ),
    "labels of three axes": (
        lambda _: masks.whole_labels(np.zeros((2, 3, 4), np.uint8), "l.tif"),
        "l.tif: an image of shape (2, 3, 4) and type uint8; a label image is height x width",
    ),
    "labels of words": (
        lambda _: masks.whole_labels(np.array([["a"]]), "l.tif"),
        "l.tif: an image of shape (1, 1) and type <U1; a label image is height x width",
    ),
    "no selection": (lambda f: selections(f, "notes.txt"), "no selection of ImageJ (.roi) in it"),
    "a selection twice": (
        lambda f: selections(f, "a/V1.roi", "notes.txt", "b/V1.roi"),
        "RoiSet.zip: selection V1 is there twice; rename one",
    ),
    "one time stamp": (
        lambda _: clocks.increasing(np.array([1.0]), "t", "t.npy"),
        "t.npy: t has 1 time stamps; needs two or more",
    ),
    "time stamps of two axes": (
        lambda f: frame_times(f, ".npy", np.arange(1.0, 9).reshape(4, 2)),
        "times.npy: has shape (4, 2); needs one time stamp a frame",
    ),
    "time stamps in a struct": (
        lambda f: frame_times(f, ".mat", {"camera": np.arange(4.0)}),
        "times.mat: frame_times is a struct; name a field of it, frame_times/…",
    ),
    "pulses with NaN": (
        lambda _: pulses.onsets(np.array([0, np.nan, 1]), np.arange(3), "ttl", "t.npy"),
        "t.npy: ttl has values that are no numbers; needs a trace of pulses",
    ),
    "time stamps that are intervals": (
        frame_times_of_intervals,
        "t.nwb: runs holds intervals; needs a time stamp a frame",
    ),
    "intervals without as many ends": (
        lambda _: intervals.joined(*(trace(Variable(np.zeros(n))) for n in (3, 2)), *[None] * 3),
        "b.csv: bouts has 3 values, but bouts 2; one of each belongs to an interval",
    ),
    "NWB in Zarr without frames": (
        nwb_in_zarr,
        "s.nwb: an NWB file without a OnePhotonSeries or TwoPhotonSeries in it",
    ),
    "ROI signals of three axes": (
        rois_of_three_axes,
        "r.npy: an array of shape (2, 3, 4) and type float64; needs numbers, ROIs x frames or",
    ),
    "colours of Micro-Manager": (
        lambda _: set_of_micromanager(shape=(4, 4, 3)),
        "a.tif: pixels of shape (4, 4, 3); needs images of one channel",
    ),
    "a stack that Micro-Manager does not write so": (
        lambda _: set_of_micromanager(dataoffsets=[169]),  # 161 behind its directory, not 162
        "a.tif: a Micro-Manager stack of unknown layout; save it anew",
    ),
    "TIFF without pages": (tiff_without_pages, "a.tif: a TIFF file without pages; truncated?"),
    "mean images of two sizes": (
        lambda _: alignment.register(np.zeros((3, 4)), np.zeros((4, 3))),
        "mean images of (3, 4) and (4, 3) px; they must be alike",
    ),
    **{
        f"an atlas of what are no polygons: {text}": (
            atlas(text),
            'a.json: needs {"name": [[x, y], …], …} (',
        )
        for text in ('{"V1": "left"}', '{"V1": {"x": [1, 2]}}', '{"V1": [[1, 2, 3]]}', "[1]", "1")
    },
    "a mask of fewer rows": (
        lambda _: pixels.asked_for(asked((3, 4), (4, 3)), "X", Path("m.tif")),
        "m.npy: of (3, 4), but movie_shape is (4, 3)",
    ),
    "a mask of more rows": (
        lambda _: pixels.asked_for(asked((4, 3), (3, 4)), "X", Path("m.tif")),
        "m.npy: of (4, 3), but movie_shape is (3, 4)",
    ),
    "nothing but black": (
        lambda _: image_files._grey(BLACK, "i.png"),
        "i.png: an image of which nothing but black is shown",
    ),
    "a rate of 0": (lambda _: sources(frame_rate=0.0), "frame_rate: 0.0 frames/s; needs a number"),
    "ROIs of two files": (
        lambda _: sources(rois="r.mat", roi_masks="m.tif"),
        "r.mat, m.tif: ROI signals from a file or from masks; give one",
    ),
    "a movie without values": (
        lambda _: WithoutBlank(SimpleNamespace(**BLANK, blank=np.ones(3, bool))),
        "m.mat: all frames are without values",
    ),
    "U with rows and columns, and their number": (
        lambda _: svd.SvdMovie(Path("U.npy"), U, SVT, None, SIX),
        "U.npy: U (2, 3, 4) has rows and columns; leave out movie_shape",
    ),
    "U of other pixels": (
        lambda _: svd.SvdMovie(Path("U.npy"), U[0], SVT, None, SIX),
        "U.npy: U (3, 4), but movie_shape shows 6 pixels",
    ),
    "pixels of three axes": (
        lambda _: pixels.asked_for(Asked(shape=(2, 3, 4)), "X", Path("m.npy")),
        "m.npy: movie_shape of pixels x frames is height and width",
    ),
    "pixels along the axis of time": (
        lambda _: pixels.letters_of("m.npy", (6, 9), SIX, "TYX"),
        "m.npy: axes TYX, but its axis of 6 pixels is another",
    ),
    "ROI signals with two kinds of decimals": (
        rois_of_table,
        "r.csv: column M1 has decimal commas, and another column decimal points; write one",
    ),
    "ROI signals in words": (
        lambda f: rois_of_words(f, "a", "b"),
        "r.mat: dat_roi holds text; needs numbers, ROIs x frames",
    ),
    "ROI signals in a cell of arrays": (
        lambda f: rois_of_words(f, "a", [1.0, 2.0]),
        "r.mat: dat_roi is a cell array, and cell 2 of it neither a word nor a number",
    ),
    "numbers whose bytes are damaged": (
        lambda f: damaged_dataset(f, np.arange(99.0)),
        "b.h5: /speed cannot be read (",
    ),
    "words whose bytes are damaged": (
        lambda f: damaged_dataset(f, np.array(["run", "rest"] * 50, "S")),
        "b.h5: /speed cannot be read (",
    ),
    "a Zarr folder of which nothing is known": (
        broken_zarr,
        "x.zarr: not a readable Zarr folder (",
    ),
    "circles in rows of other lengths": (circles, "c.csv: not a table ("),
    "a sample without a state": (
        lambda _: target_traces._coded(trace(None), ["run", "nan"], ["run"], {"run": 0}),
        "b.csv: bouts holds 'nan', none of target_states (run); write the state of each sample",
    ),
    "intervals without frames": (
        lambda _: intervals.bouts_of(trace(Bouts(np.zeros(1), np.ones(1)))),
        "b.csv: bouts: intervals need the frames' times",
    ),
    "positions of another number than frames": (
        lambda _: speeds._times(trace(Variable(np.zeros(3)), frames=clocks.Frames(4, 30.0))),
        "b.csv: bouts of 3 samples, but the movie has 4 frames; name their time stamps in",
    ),
    "corrected pixels beyond their type": (
        beyond,
        "m.tif: pixels beyond the range of their type, once corrected",
    ),
    "JSON that ends early": (json_of_wfield, "a.json: not JSON (Expecting value"),
    "polygons that end early": (polygons, "a.json: not JSON (Expecting value"),
    "a landmark twice": (
        lambda _: points(x=[1, 2], y=[1, 2], name=["RS", "RS"]),
        "a.json: landmarks_im: each needs a name of its own, x and y",
    ),
    "a landmark that is nowhere": (
        lambda _: points(x=[1, np.inf], y=[1, 2], name=["RS", "OB"]),
        "a.json: landmarks_im: each needs a name of its own, x and y",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_said_in_one_line(tmp_path, case):
    call, words = REFUSED[case]
    with pytest.raises(UserError) as caught:
        call(tmp_path)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_points_of_deeplabcut_that_are_unlikely_or_of_unknown_likelihood_are_lost():
    likelihood = np.array([0.6, 0.59, np.nan, 1])
    found = pose._points(np.arange(4.0), np.arange(4.0) + 5, likelihood)
    np.testing.assert_array_equal(found, [[0, 5], [np.nan] * 2, [np.nan] * 2, [3, 8]])
    found = pose._points(np.arange(2.0), np.arange(2.0), None)  # a file that tells none
    np.testing.assert_array_equal(found, [[0, 0], [1, 1]])
