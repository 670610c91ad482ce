"""A session's files together: which frames are taken, what is said of them, what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from make_recordings import DEFAULTS
from mesodecode.recordings import intake
from mesodecode.recordings.axes import Axes
from mesodecode.recordings.movie import WithoutBlank
from mesodecode.recordings.readers.clocks import Frames
from mesodecode.recordings.readers.light_sources import Lights
from mesodecode.recordings.session_sources import Sources
from told import assert_told

TOLD = Path(__file__).with_name("told")
SIZE = (12, 4, 5)


def movie(shape=SIZE, **about):
    usual = {"time": None, "axes": Axes("TYX", None, shape), "channels": 1, "names": ()}
    more = {"path": Path("m.tif"), "dtype": np.dtype("u2"), "segment": None, "blank": None}
    return SimpleNamespace(shape=shape, **(usual | more | about))


def sources(corrections=None, **settings):
    own = {"movie": "m.tif", "behavior": "b.csv", "frame_rate": 10.0}
    return Sources.of(own | settings, corrections and DEFAULTS | corrections)


def without(*blank, channels=1, **about):
    held = movie(blank=np.isin(np.arange(12), blank), **about)
    return WithoutBlank(held, channels)


def frames(movie, taken=None, corrections=None, lights=None, **settings):
    taken = np.arange(movie.shape[0]) if taken is None else np.array(taken)
    found = intake.frames_of(sources(corrections, **settings), movie, taken, lights)
    return {name: getattr(found, name) for name in Frames.__dataclass_fields__}


@pytest.fixture
def stamps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("t.npy", np.arange(12) * 100.0)
    return {"frame_times": "t.npy", "frame_times_unit": "ms"}


def test_which_frames_of_the_camera_are_taken_and_when(capsys, stamps):
    two, time = {"channels": 2, "signal_channel": 2}, np.arange(12) / 10
    lights = Lights(np.resize([1, 2], 12), np.arange(12) + 4, 20)
    cases = {
        "all": lambda: frames(movie()),
        "by movie_axes": lambda: frames(movie(axes=Axes("YTX", "movie_axes", (4, 12, 5)))),
        "by the file": lambda: frames(movie(axes=Axes("TYX", "the file", SIZE))),
        "of two channels": lambda: frames(movie(), range(1, 12, 2), two),
        "of two channels, with the movie's times": lambda: frames(
            movie(time=time), range(1, 12, 2), two, frame_rate=5.0
        ),
        "times of the movie by another rate": lambda: frames(movie(time=time), frame_rate=9.0),
        "times of the movie by half the rate, of two channels": lambda: frames(
            movie(time=time), range(1, 12, 2), two, frame_rate=2.5
        ),
        "times of the movie that repeat": lambda: frames(movie(time=np.floor(3 * time))),
        "times of a file": lambda: frames(movie(), **stamps),
        "times of a file, of two channels": lambda: frames(
            movie(time=-time), range(1, 12, 2), two, frame_rate=5.0, **stamps
        ),
        "times of a file, of fewer frames": lambda: frames(movie((7, 4, 5)), **stamps),
        "times of a file, of as many as rows": lambda: frames(movie((9, 12, 5)), **stamps),
        "by lights": lambda: frames(movie(), [0, 3, 4], lights=lights),
        "without blank ones": lambda: frames(without(0, 3)),
        "without blank ones of a cycle": lambda: frames(
            without(0, 5, channels=2), range(1, 8, 2), two
        ),
        "without blank ones, one left": lambda: frames(without(*range(11))),
        "without blank ones, by the movie's times": lambda: frames(without(0, 3, time=time)),
    }
    assert_told(cases, TOLD / "intake_frames.txt", capsys)


def test_what_is_said_of_a_movie(capsys):
    def blank(n, **settings):
        held = movie(blank=np.arange(12) < n if n else None)
        return intake.without_blank(held, sources(**settings)).shape

    def left_out(lights, signal=1, reference=None, path="l.npy"):
        corrections = {"reference_channel": reference}
        intake.say_left_out(path, np.array(lights), signal, corrections)

    def in_turn(names=(), **corrections):
        intake.say_in_turn(movie(names=names), DEFAULTS | corrections)

    two = {"channels": 2, "reference_channel": 2}
    cases = {
        "no blank frames": lambda: blank(0),
        "blank frames": lambda: blank(3),
        "blank frames of two channels": lambda: blank(3, corrections={"channels": 2}),
        "blank frames of lights": lambda: blank(
            3, corrections={"channels": 2}, light_sources="l.npy"
        ),
        "lights that none names": lambda: left_out([1, 2, 2, 0], reference=2),
        "lights, all named": lambda: left_out([1, 2, 2], reference=2),
        "lights, of two others": lambda: left_out([3, 1, 2, 2, 3], 3),
        "lights in words": lambda: left_out(["blue", "off", "violet"], "blue", "violet"),
        "lights without that of the signal": lambda: left_out([2, 3]),
        "two in turn": lambda: in_turn(**two),
        "three in turn": lambda: in_turn(channels=3, signal_channel=3),
        "named in turn": lambda: in_turn(("blue", "violet"), **two),
        "named, of others": lambda: in_turn(("blue", "violet", "red"), **two),
        "axes": lambda: intake.say_axes(movie(), Axes("TYX", None, SIZE)),
        "axes of flat pixels": lambda: intake.say_axes(movie(), Axes("XYT", None, SIZE, flat=True)),
    }
    assert_told(cases, TOLD / "intake_said.txt", capsys)


def test_what_does_not_fit_together(capsys):
    stack = movie((300, 4, 5))

    def session(left=0, orders=None, **lengths):
        traces = {name: np.zeros(n) for name, n in lengths.items()}
        held = SimpleNamespace(shape=stack.shape, path="m.tif", left=left)
        intake.check_session(held, traces, sources(rois="r.mat"), orders or {})

    def leak(*signals, names=None, speed=(0, 3.5, 4, 0), labels=(0, 1, 1, 0), **traces):
        held = {"rois": np.array(signals, np.float32).T, "labels": np.array(labels)}
        held |= {"speed": np.array(speed)} if speed else {}
        intake.check_leak(held | traces, names, "r.mat")

    def states(n_run):
        labels = np.arange(4) < n_run
        held = sources(behavior_labels="b", behavior_speed="v")
        intake.check_states({"labels": labels.astype(np.uint8)}, held, Frames(4, 10.0))

    noise = (0.3, 0.1, 0.2, 0.5)
    cases = {
        "as long as the movie": lambda: session(labels=300, rois=300),
        "shorter labels": lambda: session(labels=298, rois=300),
        "longer ROI signals": lambda: session(labels=300, rois=310),
        "one value of a cycle more": lambda: session(left=1, speed=301),
        "as long as rows": lambda: session(speed=40, orders={"YTX": 40}),
        "no behaviour": lambda: leak(noise, (1, 2, 3, 4)),
        "the labels": lambda: leak(noise, (5, 9, 9, 5)),
        "the labels turned, named": lambda: leak((7, 2, 2, 7), noise, names=["M1", "M2"]),
        "nearly the labels": lambda: leak((5, 9, 5, 5)),
        "three values": lambda: leak((5, 9, 9, 6)),
        "one value": lambda: leak((5, 5, 5, 5)),
        "the speed": lambda: leak(noise, (0, 3.5, 4, 0)),
        "the target": lambda: leak(
            noise, (1, 2, 3, 5), speed=None, target=np.array([1.0, 2, 3, 5])
        ),
        "both states": lambda: states(1),
    }
    assert_told(cases, TOLD / "intake_unfit.txt", capsys)


def test_which_channels_of_a_stack_are_used():
    colours = movie((12, 4, 5), axes=Axes("TCYX", "the file", (4, 3, 4, 5)), channels=3)
    both = sources({"channels": 3, "signal_channel": 3, "reference_channel": 1})
    one = sources({"channels": 3, "signal_channel": 2})
    assert intake.of_used_channels(colours, both).tolist() == [True, False, True] * 4
    assert intake.of_used_channels(colours, one).tolist() == [False, True, False] * 4
    assert intake.of_used_channels(colours, sources()) is None
    assert intake.of_used_channels(movie(), both) is None


def test_segments_begin_where_either_does():
    segment = np.array([4, 4, 4, 7, 7, 7])
    assert intake.of_both(segment, None) is segment
    assert intake.of_both(segment, np.array([0, 2, 2, 2, 2, 1])).tolist() == [0, 1, 1, 2, 2, 3]
    assert intake.of_both(segment, np.arange(3)).tolist() == [0, 1, 2]  # of another length


@pytest.mark.parametrize(
    ("axes", "size", "files", "by"),
    [
        (Axes("TYX", None), (4, 5), {"brain_mask": "b.png"}, "b.png"),
        (Axes("TYX", None), (4, 5), {"dark_frame": "d.tif"}, "d.tif"),
        (Axes("TYX", None), (4, 5), {"roi_masks": "r.tif"}, "r.tif"),
        (Axes("TYX", None), (4, 5), {"roi_masks": "r.tif", "brain_mask": "b.png"}, "b.png"),
        (Axes("TYX", None), (4, 5), {"roi_masks": "r.tsv"}, None),  # no image
        (Axes("TYX", None), (5, 5), {"brain_mask": "b.png"}, None),  # tells nothing of a square
        (Axes("TYX", None, flat=True), (4, 5), {"brain_mask": "b.png"}, None),
        (Axes("TYX", "the file"), (4, 5), {"brain_mask": "b.png"}, "the file"),
        (Axes("TYX", None), (4, 5), {}, None),
    ],
)
def test_an_image_of_its_size_says_what_rows_of_a_movie_are(axes, size, files, by):
    corrections = {key: path for key, path in files.items() if key != "roi_masks"}
    held = sources(corrections or None, roi_masks=files.get("roi_masks"))
    found = intake.axes_of(held, movie((12, *size), axes=axes))
    assert (found.by, found.letters) == (by, "TYX")
