"""What is read of one NWB file that holds a bit of all: in its units, by all of its names."""

from __future__ import annotations

import contextlib
import datetime
import warnings
from pathlib import Path

import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.behavior import BehavioralEpochs
from pynwb.epoch import TimeIntervals
from pynwb.image import ImageSeries
from pynwb.misc import IntervalSeries
from pynwb.ophys import (
    DfOverF,
    Fluorescence,
    ImageSegmentation,
    OnePhotonSeries,
    OpticalChannel,
    RoiResponseSeries,
)

from mesodecode.base.files import UserError
from mesodecode.recordings.axes import Asked
from mesodecode.recordings.readers import nwb
from mesodecode.recordings.readers.arrays import Bouts, Unreadable
from told import assert_told

TOLD = Path(__file__).with_name("told")
MASKS = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)  # K, x, y
SVT = np.arange(10.0).reshape(5, 2)  # T, K


def imaged():
    """A session's file, the plane that is imaged, what is made of it, and its areas, none yet."""
    file = NWBFile("d", "s1", datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC))
    channel = OpticalChannel(name="c", description="d", emission_lambda=520.0)
    plane = file.create_imaging_plane(
        name="p", optical_channel=channel, description="d", device=file.create_device("camera"),
        excitation_lambda=470.0, indicator="GCaMP6f", location="cortex",
    )  # fmt: skip
    ophys = file.create_processing_module("ophys", "d")
    segmentation = ImageSegmentation()
    ophys.add(segmentation)
    areas = segmentation.create_plane_segmentation(
        name="areas", description="d", imaging_plane=plane
    )
    return file, plane, ophys, areas


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file, plane, ophys, areas = imaged()
    other = ophys["ImageSegmentation"].create_plane_segmentation(
        name="bare", description="d", imaging_plane=plane
    )
    areas.add_column("label", "not its own"), areas.add_column("location", "its own")
    for mask, label, area in zip(MASKS, "aa", ("V1", "M2"), strict=True):
        areas.add_roi(image_mask=mask, label=label, location=area)
        other.add_roi(pixel_mask=[(0, 0, 1.0)])

    def rows(table, *which):
        return table.create_roi_table_region(description="d", region=[*which])

    scaled = {"unit": "n.a.", "conversion": 2.0, "offset": 3.0, "rate": 4.0, "starting_time": 7.0}
    for one in (
        RoiResponseSeries(name="both", data=SVT, rois=rows(areas, 1, 0), **scaled),
        RoiResponseSeries(name="turned", data=SVT.T, rois=rows(areas, 0, 1), **scaled),
        RoiResponseSeries(name="one", data=SVT[:, 0], rois=rows(areas, 1), **scaled),
        RoiResponseSeries(name="odd", data=SVT, rois=rows(areas, 0), **scaled),
        RoiResponseSeries(name="few", data=SVT[:, :1], rois=rows(areas, 0, 1), **scaled),
        RoiResponseSeries(name="no_masks", data=SVT, rois=rows(other, 0, 1), **scaled),
    ):
        ophys.add(one)
    behavior = file.create_processing_module("behavior", "d")
    behavior.add(TimeSeries(name="speed", data=np.arange(4), **(scaled | {"unit": "m/s"})))
    behavior.add(
        TimeSeries(name="words", data=list("abcd"), unit="n.a.", timestamps=np.arange(4.0))
    )
    behavior.add(TimeSeries(name="xy", data=SVT, unit="px", rate=1.0))
    behavior.add(TimeSeries(name="cube", data=np.zeros((2, 2, 2)), unit="px", rate=1.0))
    behavior.add(TimeSeries(name="twice", data=[1.0, 2], unit="n.a.", rate=1.0))
    file.add_acquisition(TimeSeries(name="twice", data=[3.0, 4], unit="n.a.", rate=1.0))
    kinds = IntervalSeries(name="kinds", data=[1, 3, -1, -3, 1, -1], timestamps=np.arange(6.0))
    runs = IntervalSeries(name="runs", data=[0, 2, 0, -2], timestamps=np.arange(4.0))
    behavior.add(BehavioralEpochs(interval_series=[kinds, runs]))
    bouts = TimeIntervals(name="bouts", description="d")
    bouts.add_column("kind", "d")
    for begin, end, kind in ((0.0, 0.9, "rest"), (0.9, 2.9, "run"), (2.9, 4.0, "groom")):
        bouts.add_interval(start_time=begin, stop_time=end, kind=kind)
    file.add_time_intervals(bouts)
    coded = TimeIntervals(name="coded", description="d")
    coded.add_column("code", "d")
    for begin, code in ((0.0, 2), (1.0, 1), (2.5, 2)):
        coded.add_interval(start_time=begin, stop_time=begin + 0.5, code=code)
    file.add_time_intervals(coded)
    film = {"unit": "n.a.", "rate": 4.0, "starting_time": 1.0}
    frames = np.arange(5 * 4 * 3).reshape(5, 4, 3)  # T, x, y
    file.add_acquisition(ImageSeries(name="film", data=frames, **film))
    file.add_acquisition(ImageSeries(name="turned_film", data=frames, dimension=[3, 4], **film))
    elsewhere = {"external_file": ["a.avi", "b.avi"], "format": "external", "unit": "n.a."}
    elsewhere |= {"starting_frame": [0, 3], "timestamps": np.arange(5.0)}
    file.add_acquisition(ImageSeries(name="far", **elsewhere))
    where = tmp_path_factory.mktemp("nwb") / "x.nwb"
    with NWBHDF5IO(where, "w") as io:
        io.write(file)
    return where


@pytest.fixture(scope="module")
def opened(path):
    with warnings.catch_warnings(action="error"), nwb.open_nwb(path) as found:  # says nothing
        yield found


@pytest.mark.filterwarnings("ignore:RoiResponseSeries")  # of those that are odd on purpose
def test_one_file_of_all(capsys, opened, monkeypatch):
    monkeypatch.setattr(nwb, "open_nwb", lambda _: contextlib.nullcontext(opened))  # once
    name = Path("x.nwb")

    def rois(wanted=None):
        return nwb.read_rois(name, wanted)

    def variables(*names, run_label="run"):
        found, inside = nwb.read_variables(name, names, run_label)
        told = {}
        for key, one in found.items():
            match one:
                case Unreadable():
                    told[key] = one.why
                case Bouts():
                    told[key] = [one.start, one.stop, one.words, one.several]
                case _:
                    told[key] = [one.values, one.time, one.unit]
        return told if names else inside

    def film(*datasets, axes=None):
        with nwb.open_movie(name, Asked(axes, datasets=datasets)) as movie:
            frames = np.concatenate([block for _, block in movie.blocks(2)])
            about = [movie.shape, movie.axes.letters, movie.axes.by, movie.time]
            return [*about, frames[1], frames[-1, 0]]

    cases = {
        "ROI signals of rows the other way": lambda: rois("both"),
        "ROI signals turned": lambda: rois("turned"),
        "ROI signals of one": lambda: rois("one"),
        "ROI signals of other rows": lambda: rois("odd"),
        "ROI signals of fewer ROIs": lambda: rois("few"),
        "ROI signals of a table without names": lambda: rois("no_masks"),
        "ROI signals without a name": rois,
        "ROI signals that are not there": lambda: rois("none"),
        "what is in it": variables,
        "a speed": lambda: variables("speed"),
        "words": lambda: variables("words", "words/timestamps"),
        "a column": lambda: variables("xy:2", "xy", "cube"),
        "a name twice": lambda: variables("twice", "behavior/twice", "root/twice"),
        "one that is not there": lambda: variables("none"),
        "intervals of a series": lambda: variables("kinds", "runs"),
        "intervals of a series, of a kind": lambda: variables("kinds", "runs", run_label="3"),
        "intervals of a series, by kind": lambda: variables("kinds", "runs", run_label=None),
        "intervals of a table": lambda: variables("bouts", "bouts/kind", "bouts/none"),
        "intervals of a table, by kind": lambda: variables("bouts/kind", run_label=None),
        "intervals of a number": lambda: variables("coded", "coded/code", run_label="2"),
        "intervals of numbers, by kind": lambda: variables("coded/code", run_label=None),
        "intervals of another label": lambda: variables("bouts", "bouts/kind", run_label="walk"),
        "a movie": lambda: film("film"),
        "a movie by its axes": lambda: film("film", axes="TYX"),
        "a movie of another dimension": lambda: film("turned_film"),
        "a movie of another dimension, by its axes": lambda: film("turned_film", axes="TXY"),
        "a movie in other files": lambda: film("far"),
        "a movie without a name": film,
        "components": lambda: film("areas", "both"),
        "components by axes": lambda: film("areas", "both", axes="KYX"),
        "one component": lambda: film("areas", "one"),
        "components of another table": lambda: film("areas", "no_masks"),
        "components of a table that is not there": lambda: film("none", "both"),
        "components of signals that are not there": lambda: film("areas", "none"),
        "components without masks": lambda: film("bare", "no_masks"),
        "components in the other order": lambda: film("both", "areas"),
        "are components": lambda: [
            nwb.are_components(name, names) for names in (("areas", "both"), ("both", "areas"))
        ],
    }
    assert_told(cases, TOLD / "nwb.txt", capsys)


@pytest.mark.filterwarnings("ignore:The linked table")
def test_series_of_one_name_are_told_apart_by_what_they_are_in(monkeypatch):
    """NeuroConv calls both fluorescence and ΔF/F RoiResponseSeries."""
    file, plane, ophys, areas = imaged()
    areas.add_roi(pixel_mask=[(0, 0, 1.0)]), areas.add_roi(pixel_mask=[(1, 0, 1.0)])
    about = {"unit": "n.a.", "rate": 4.0}
    for number, kind in enumerate((Fluorescence, DfOverF), 1):
        rows = areas.create_roi_table_region(description="d", region=[0, 1])
        one = RoiResponseSeries(name="RoiResponseSeries", data=number * SVT, rois=rows, **about)
        ophys.add(kind(roi_response_series=one))
        film = OnePhotonSeries(
            name="film", data=np.zeros((9, number + 1, 2)), imaging_plane=plane, **about
        )
        file.add_acquisition(film) if number == 1 else ophys.add(film)
    monkeypatch.setattr(nwb, "open_nwb", lambda _: contextlib.nullcontext(file))
    said = (
        "holds: DfOverF/RoiResponseSeries 5 x 2, Fluorescence/RoiResponseSeries 5 x 2; name one in"
    )
    for wanted in (None, "RoiResponseSeries"):
        with pytest.raises(UserError, match=said):
            nwb.read_rois("x.nwb", wanted)
    for number, name in enumerate(("Fluorescence", "ophys/DfOverF"), 1):
        values, _ = nwb.read_rois("x.nwb", f"{name}/RoiResponseSeries")
        np.testing.assert_array_equal(values, number * SVT)
    found, listed = nwb._images(file, everything=False)
    assert listed == {"root/film", "ophys/film"}
    assert {name: np.shape(one.data)[1] for name, one in found.items()} == {
        **{"root/film": 2, "ophys/film": 3, "root/ophys/film": 3}
    }
    said = "several that could be the movie; it holds: ophys/film 9 x 3 x 2, root/film 9 x 2 x 2;"
    with pytest.raises(UserError, match=said), nwb.open_movie(Path("x.nwb"), Asked(None)):
        pass
